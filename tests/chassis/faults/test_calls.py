"""The record of calls: whole, in order, bounded, and honest about what has left it."""

import asyncio
import contextlib

import aiohttp

from chassis.faults.calls import CallRecord
from resilience.testing import FakeClock
from tests.chassis.faults.faulted import Faulted, new_correlation_id
from tests.waiting import eventually


def test_the_last_ones_are_kept() -> None:
    """Under an id stand its calls in order; the bound drops the oldest of all."""
    record = CallRecord(limit=4)
    for number in range(6):
        record.begin(f"correlation-{number % 2}", "gateway", f"/{number}", float(number))

    found = record.under("correlation-1", now=10.0)

    assert [call.route for call in found.calls] == ["/3", "/5"]


def test_dropped_is_told_for_the_time_in_question() -> None:
    """Without a time: whether anything was ever dropped. With one: whether anything since then was."""
    record = CallRecord(limit=2)
    for number in range(2):
        record.begin("correlation", "", "/", float(number))
    assert not record.under("correlation", 9.0).dropped

    for number in range(2, 5):  # drops those of 0, 1 and 2
        record.begin("correlation", "", "/", float(number))

    assert record.under("correlation", 9.0).dropped
    assert record.under("correlation", 9.0, since=1.5).dropped
    assert not record.under("correlation", 9.0, since=2.5).dropped


async def test_a_call_is_told_with_what_became_of_it(faulted: Faulted, clock: FakeClock) -> None:
    """Caller, route, time, duration, status, and the faults that were done to it."""
    correlation = new_correlation_id()
    headers = {"x-correlation-id": correlation}
    await faulted.say(**headers)
    await clock.advance(1)
    fault = await faulted.inject("error", target={"first": 1})
    await faulted.say(**headers)
    cut = await faulted.inject("abort", target={"route": "/v1/change"})
    with contextlib.suppress(aiohttp.ClientError):
        await faulted.say("oi", "/v1/change", **headers)

    told = await faulted.seen(correlation)

    assert not told.dropped
    assert [(one.caller, one.route, one.at, one.status, one.faults) for one in told.calls] == [
        ("gateway", "/v1/say", 1_000.0, 200, ()),
        ("gateway", "/v1/say", 1_001.0, 503, (fault.id,)),
        ("gateway", "/v1/change", 1_001.0, 0, (cut.id,)),
    ]


async def test_a_call_under_way_is_told_already(faulted: Faulted, clock: FakeClock) -> None:
    """Whoever explores need not wait for what hangs."""
    correlation = new_correlation_id()
    asking = asyncio.create_task(faulted.say("wait", **{"x-correlation-id": correlation}))
    await eventually(lambda: faulted.calls == 1)
    await clock.advance(3)

    (call,) = (await faulted.seen(correlation)).calls

    assert (call.status, call.seconds) == (0, 3)
    faulted.running.echo.release.set()
    await asking


async def test_probes_are_not_recorded(faulted: Faulted) -> None:
    """Health checks, scrapes and chaos itself are nobody's calls."""
    correlation = new_correlation_id()
    for path in ("/health/live", "/metrics", "/chaos/faults"):
        async with faulted.running.session.get(
            faulted.running.url + path, headers={"x-correlation-id": correlation}
        ):
            pass

    assert (await faulted.seen(correlation)).calls == ()
