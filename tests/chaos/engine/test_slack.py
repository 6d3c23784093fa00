"""The stand-in for Slack: what it makes of a message, which faults of one it finds, and its bounds."""

from typing import Any

import aiohttp
import pytest

from chaos.engine.slack import MAX_BODY, MAX_MESSAGES, Hook, readings, standing_in
from tests.chaos.engine.messages import message


def flaws(told: dict[str, Any]) -> tuple[str, ...]:
    (read,) = readings(told)
    return read.flaws


def test_a_message_is_read() -> None:
    """Alert, service, channel, and whether it fires or is over: from what people see."""
    (fires,) = readings(message())
    (over,) = readings(
        message("CircuitBreakerOpen", "ledger", firing=False, drill=False, severity="warn")
    )

    assert (fires.alert, fires.service, fires.firing, fires.channel, fires.flaws) == (
        "ServiceDown",
        "users",
        True,
        "#baluarte-gameday",
        (),
    )
    assert (over.alert, over.service, over.firing, over.channel, over.flaws) == (
        "CircuitBreakerOpen",
        "ledger",
        False,
        "#baluarte-warn",
        (),
    )


def test_several_of_a_group_and_one_without_a_service_are_read() -> None:
    """`(2)` counts the group's alerts; some alerts are about no service."""
    (several,) = readings(message(title="[PAGE · game day] ServiceDown · users (2)"))
    (none,) = readings(message(title="[PAGE · game day] ServiceDown"))
    assert (several.alert, several.service) == ("ServiceDown", "users")
    assert (none.alert, none.service) == ("ServiceDown", "")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (message(color="good"), "its colour is 'good', not 'danger'"),
        (message(firing=False, color="danger"), "its colour is 'danger', not 'good'"),
        (message(text=" "), "it says nothing"),
        (message(text="*Users*: over.\nIt lasted 4s"), "it reads as if it were over"),
        (message(firing=False, text="*Users* fail"), "it does not say that it is over"),
        (message(actions=[]), "it has no link to its runbook"),
        (message(actions=[{"text": "Runbook", "url": "/Other.md"}]), "it has no link to its runbook"),
        (message(drill=False) | {"channel": "#x"}, "it is told in #x, not in #baluarte-page"),
        (message() | {"channel": "#x"}, "it is told in #x, not in #baluarte-gameday"),
        (message(text="ana@example.com has lost"), "it holds an e-mail address"),
        (message(text="0190b0a8-7d2c-7cc0-8a51-0123456789ab waits"), "it holds somebody's or something's id"),
        (message(fallback="eyJhbGciOiJFUzI1NiJ9.x"), "it holds a token"),
    ],
)  # fmt: skip
def test_a_bad_message_is_found_out(told: dict[str, Any], said: str) -> None:
    """Colour, words, channel, runbook, and nothing of customers."""
    assert flaws(told) == (said,)


@pytest.mark.parametrize(
    "told", [{}, {"channel": "#x", "attachments": []}, message(title="Something"), {"channel": 7}]
)
def test_what_is_no_message_is_refused(told: dict[str, Any]) -> None:
    """It must not pass for silence."""
    with pytest.raises(ValueError, match=r"message has|no title"):
        list(readings(told))


def test_each_message_is_heard_once_with_its_time() -> None:
    """In seconds of the run; what came before has a time below 0."""
    clock = iter((99.0, 103.5))
    hook = Hook(lambda: next(clock))
    hook.post(message())
    hook.post(message(firing=False))

    assert [(one.at, one.firing) for one in hook.taken(100.0)] == [(-1.0, True), (3.5, False)]
    assert hook.taken(100.0) == []


def test_what_was_told_and_has_no_end_is_known() -> None:
    """By name and service, whatever the channel: an alert may move when a fault ends."""
    hook = Hook()
    hook.post(message())
    hook.post(message(drill=False))
    hook.post(message(firing=False))
    assert hook.unfinished() == {("ServiceDown", "users")}
    hook.post(message(firing=False, drill=False))
    assert hook.unfinished() == frozenset()


def test_a_storm_fills_no_memory() -> None:
    """The oldest go."""
    hook = Hook()
    for _ in range(MAX_MESSAGES + 10):
        hook.post(message())
    assert len(hook.taken(0.0)) == MAX_MESSAGES


async def test_it_is_posted_to_over_http() -> None:
    """On loopback, behind a path of its own; what is no message, or too large, is refused."""
    async with standing_in() as hook, aiohttp.ClientSession() as session:
        answers = [
            (await session.post(hook.url, json=message())).status,
            (await session.post(hook.url, data=b"{")).status,
            (await session.post(hook.url, json=[])).status,
            (await session.post(hook.url, data=b"x" * (MAX_BODY + 1))).status,
            (await session.post(hook.url[:-1], json=message())).status,
        ]

        assert hook.url.startswith("http://127.0.0.1:")
        assert answers == [200, 400, 400, 413, 404]
        assert [one.alert for one in hook.taken(0.0)] == ["ServiceDown"]
