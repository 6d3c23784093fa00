"""The fault point's API: what the contract says, for whoever has the token, with a way out of every error."""

import json
from typing import Any

import msgspec
import pytest

from chassis.faults.contract import Fault, Faults
from chassis.faults.fault import HELD_LIMIT
from chassis.faults.point import MAX_FAULTS
from chassis.server import CONCURRENCY
from resilience.testing import FakeClock
from tests.chassis.faults.faulted import Faulted

ALL = [
    ("POST", "faults"),
    ("GET", "faults"),
    ("DELETE", "faults"),
    ("DELETE", "faults/abc"),
    ("POST", "faults/abc/lease"),
    ("GET", "calls?correlation=12345678"),
]


def problem(answer: tuple[int, bytes]) -> tuple[int, str, str | None, str]:
    told = json.loads(answer[1])
    return answer[0], told["code"], told.get("field"), told["detail"]


@pytest.mark.parametrize(("method", "path"), ALL)
@pytest.mark.parametrize("token", [None, "", "wrong", "a-chaos-token-for-test"])
async def test_nothing_without_the_token(
    faulted: Faulted, method: str, path: str, token: str | None
) -> None:
    """Every route asks for it, and names the setting that holds it."""
    status, code, _, detail = problem(await faulted.chaos(method, path, {}, token=token))

    assert (status, code) == (401, "CHAOS_TOKEN_INVALID")
    assert "BALUARTE_CHAOS_TOKEN" in detail


async def test_a_faults_life(faulted: Faulted, clock: FakeClock) -> None:
    """Made, shown, renewed and ended, each answer is the fault as it stands."""
    made = await faulted.inject(
        "latency",
        attributes={"seconds": 1},
        target={"route": "/v1/say", "percent": 50},
        duration=2.0,
        seed=3,
        experiment="e",
    )
    assert (made.type, made.seed, made.duration, made.experiment) == ("latency", 3, 2.0, "e")
    assert made.remaining_seconds == 60
    await clock.advance(10)
    assert [one.remaining_seconds for one in await faulted.faults()] == [50]

    _, renewed = await faulted.chaos("POST", f"faults/{made.id}/lease", {"leaseSeconds": 90})
    assert msgspec.json.decode(renewed, type=Fault).remaining_seconds == 90
    status, ended = await faulted.chaos("DELETE", f"faults/{made.id}")

    assert (status, msgspec.json.decode(ended, type=Fault).remaining_seconds) == (200, 0)
    assert await faulted.faults() == ()


async def test_the_kill_switch_tells_what_it_ended(faulted: Faulted) -> None:
    """All are ended at once and listed; the second time there is nothing to end, which is no error."""
    made = {(await faulted.inject("abort")).id for _ in range(3)}

    status, answer = await faulted.chaos("DELETE", "faults")

    ended = msgspec.json.decode(answer, type=Faults).faults
    assert (status, {one.id for one in ended}) == (200, made)
    assert (await faulted.say())[0] == 200
    assert (await faulted.chaos("DELETE", "faults"))[0] == 200


@pytest.mark.parametrize(
    ("order", "status", "code", "field"),
    [
        ({"type": "abort"}, 422, "INVALID_INPUT", None),
        ({"type": "abort", "leaseSeconds": 601}, 422, "INVALID_INPUT", "leaseSeconds"),
        ({"type": "abort", "leaseSeconds": 0}, 422, "INVALID_INPUT", "leaseSeconds"),
        ({"type": "abort", "leaseSeconds": 1, "lease": 1}, 422, "INVALID_INPUT", None),
        ({"type": "explode", "leaseSeconds": 1}, 422, "FAULT_TYPE_UNKNOWN", "type"),
        (
            {"type": "abort", "leaseSeconds": 1, "target": {"percent": 101}},
            *(422, "INVALID_INPUT", "target.percent"),
        ),
        (
            {"type": "latency", "leaseSeconds": 1, "attributes": {"seconds": -1}},
            *(422, "INVALID_INPUT", "attributes.seconds"),
        ),
        ("not an order", 422, "INVALID_INPUT", None),
    ],
)
async def test_a_bad_order_changes_nothing(
    faulted: Faulted, order: Any, status: int, code: str, field: str | None
) -> None:
    """It is refused with a code and the field, and no fault is in place."""
    assert problem(await faulted.chaos("POST", "faults", order))[:3] == (status, code, field)
    assert await faulted.faults() == ()


async def test_too_many_and_unknown(faulted: Faulted) -> None:
    """Both are told with what to do."""
    for _ in range(MAX_FAULTS):
        await faulted.inject("abort")
    order = {"type": "abort", "leaseSeconds": 1}

    assert problem(await faulted.chaos("POST", "faults", order))[:2] == (409, "TOO_MANY_FAULTS")
    for method, path in (("DELETE", "faults/none"), ("POST", "faults/none/lease")):
        answer = await faulted.chaos(method, path, {"leaseSeconds": 1})
        assert problem(answer)[:2] == (404, "FAULT_UNKNOWN")


@pytest.mark.parametrize("query", ["", "?correlation=short", "?correlation=12345678&since=now"])
async def test_a_question_for_calls_is_checked(faulted: Faulted, query: str) -> None:
    """A correlation id that cannot be one, or a time that is none, is refused by name."""
    status, code, field, _ = problem(await faulted.chaos("GET", f"calls{query}"))

    assert (status, code) == (422, "INVALID_INPUT")
    assert field in {"correlation", "since"}


def test_requests_that_wait_leave_room() -> None:
    """However many are kept waiting, the server still takes health checks and the kill switch."""
    assert HELD_LIMIT <= CONCURRENCY // 2
