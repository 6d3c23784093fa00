"""Moving money: one key until the outcome is known, and a history that a checker can trust."""

from pathlib import Path

import pytest

from chaos.record import Outcome
from loadtests.journeys import JOURNEYS
from loadtests.limits import LOOK_UPS, SEND_ATTEMPTS
from loadtests.money import resolve
from loadtests.visit import Visit
from tests.loadtests.scripted import LOST, Scene, refused, said, session

DONE = said(data={"transfer": {"id": "t-1", "status": "COMPLETED", "failureReason": None}})
PENDING = said(data={"transfer": {"id": "t-1", "status": "PENDING", "failureReason": None}})
STILL = said(data={"transaction": {"id": "t-1", "status": "PENDING", "failureReason": None}})
FOUND = said(data={"transaction": {"id": "t-1", "status": "COMPLETED", "failureReason": None}})
UNKNOWN = refused("OUTCOME_UNKNOWN", retryable=True)


def pay(scene: Scene, intended: float = 0.0) -> None:
    JOURNEYS["pay"].run(Visit(scene.load, scene.person, "pay", intended))


def keys(scene: Scene) -> set[str]:
    return {variables["input"]["idempotencyKey"] for _, variables, _ in scene.wire.asked}


def test_the_same_key_is_sent_until_the_outcome_is_known(tmp_path: Path) -> None:
    """Unknown, lost and refused for now: each is another attempt of one key, and each is written down."""
    scene = Scene(tmp_path, UNKNOWN, LOST, refused("UNAVAILABLE", retryable=True), DONE)

    pay(scene)

    assert len(keys(scene)) == 1
    assert [sample.attempt for sample in scene.samples] == [1, 2, 3, 4]
    assert [sample.outcome for sample in scene.samples] == [
        Outcome.UNKNOWN,
        Outcome.FAILED,
        Outcome.REFUSED,
        Outcome.FRESH,
    ]
    assert [kind for kind, _ in scene.history] == [
        "invoke", "info", "invoke", "info", "invoke", "fail", "invoke", "ok",
    ]  # fmt: skip
    assert not scene.load.book.open


def test_what_was_refused_for_good_is_not_sent_again(tmp_path: Path) -> None:
    """A code that no repetition changes ends the journey."""
    scene = Scene(tmp_path, refused("INSUFFICIENT_FUNDS"))
    pay(scene)
    assert len(scene.wire.asked) == 1
    assert not scene.load.book.open


def test_the_platforms_own_pause_is_kept(tmp_path: Path) -> None:
    """Full jitter below a ceiling, but never sooner than asked."""
    scene = Scene(tmp_path, refused("OVERLOADED", retryable=True, retryAfterSeconds=3.0), DONE)
    pay(scene)
    assert scene.ending.waits == [3.0]


def test_whoever_is_told_to_wait_very_long_gives_up(tmp_path: Path) -> None:
    """A user does not hang for a minute because the limiter said so; the refusal is recorded."""
    scene = Scene(tmp_path, refused("RATE_LIMITED", retryable=True, retryAfterSeconds=40.0))
    pay(scene)
    assert [sample.codes for sample in scene.samples] == [("RATE_LIMITED",)]
    assert scene.ending.waits == []


def test_attempts_are_bounded_and_the_key_stays_open(tmp_path: Path) -> None:
    """What nobody knows after the last attempt is looked up at the end."""
    scene = Scene(tmp_path, *[UNKNOWN] * SEND_ATTEMPTS)
    pay(scene)
    assert len(scene.samples) == SEND_ATTEMPTS
    assert len(scene.load.book.open) == 1


def test_a_pending_payment_is_looked_up_by_its_key(tmp_path: Path) -> None:
    """Until it is final; the look-ups are operations of the history as well."""
    scene = Scene(tmp_path, PENDING, STILL, FOUND)

    pay(scene)

    assert [field for field, *_ in scene.wire.asked] == ["transfer", "transaction", "transaction"]
    assert [sample.outcome for sample in scene.samples] == [
        Outcome.QUEUED,
        Outcome.FRESH,
        Outcome.FRESH,
    ]
    assert scene.history[-2:] == [("invoke", "find"), ("ok", "find")]
    assert not scene.load.book.open


def test_look_ups_are_bounded(tmp_path: Path) -> None:
    """A payment that stays pending is left to the end of the run."""
    scene = Scene(tmp_path, PENDING, *[STILL] * LOOK_UPS)
    pay(scene)
    assert len(scene.wire.asked) == 1 + LOOK_UPS
    assert len(scene.load.book.open) == 1


def test_nothing_is_repeated_once_the_load_is_ending(tmp_path: Path) -> None:
    """The one request in hand ends; its key is left open."""
    scene = Scene(tmp_path, UNKNOWN)
    scene.ending.set()
    pay(scene)
    assert len(scene.wire.asked) == 1
    assert len(scene.load.book.open) == 1


def test_a_signed_out_payer_signs_in_and_sends_the_same_key(tmp_path: Path) -> None:
    """An expired token costs a refresh, and no payment."""
    scene = Scene(tmp_path, refused("TOKEN_EXPIRED"), session(1), DONE)

    pay(scene)

    assert [(field, token) for field, _, token in scene.wire.asked] == [
        ("transfer", "access-0"),
        ("refreshToken", ""),
        ("transfer", "access-1"),
    ]


def test_only_the_first_request_of_a_journey_can_be_late(tmp_path: Path) -> None:
    """Latency of the first counts from its intended start, of the others from when they were sent."""
    scene = Scene(tmp_path, UNKNOWN, DONE)
    scene.ending.waits.append(5.0)  # it is five seconds past the beginning

    pay(scene, intended=2.0)

    first, second = scene.samples
    assert (first.intended, first.started) == (2.0, 5.0)
    assert second.intended == second.started


def test_a_user_who_is_stopped_while_waiting_leaves_an_open_key(tmp_path: Path) -> None:
    """Locust ends users by an exception; the history says that nobody knows; the key is looked up."""
    scene = Scene(tmp_path)  # the script has no answer: IndexError stands for being stopped

    with pytest.raises(IndexError):
        pay(scene)

    assert [kind for kind, _ in scene.history] == ["invoke", "info"]
    assert len(scene.load.book.open) == 1


def test_the_invoke_line_is_written_before_the_request_leaves(tmp_path: Path) -> None:
    """A load that is killed at any moment has told of everything that it may have sent."""
    scene = Scene(tmp_path, DONE)
    seen: list[list[tuple[str, str]]] = []
    scene.wire.before = lambda: seen.append(scene.history)

    pay(scene)

    assert seen == [[("invoke", "transfer")]]


def test_nothing_open_is_nothing_to_resolve(tmp_path: Path) -> None:
    """The end of a run that went well asks nobody anything."""
    scene = Scene(tmp_path, DONE)
    pay(scene)
    assert resolve(scene.load) == 0
    assert len(scene.wire.asked) == 1
