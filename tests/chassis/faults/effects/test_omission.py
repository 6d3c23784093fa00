"""Silence, for as long as the client bears it and the lease allows it."""

import asyncio

import aiohttp
import pytest

from resilience.testing import FakeClock
from tests.chassis.faults.faulted import Faulted, new_correlation_id
from tests.waiting import eventually


async def test_nothing_comes_until_the_client_gives_up(faulted: Faulted, clock: FakeClock) -> None:
    """The handler never runs; when the client has left, nothing of the request is kept."""
    await faulted.inject("omission")
    correlation = new_correlation_id()
    asking = asyncio.create_task(faulted.say(**{"x-correlation-id": correlation}))
    await eventually(lambda: faulted.point.http_faults[0].met == 1)
    await clock.advance(30)
    assert not asking.done()

    asking.cancel()
    await asyncio.wait({asking})

    await eventually(lambda: clock.sleepers == 1)  # the lease's own timer
    (call,) = (await faulted.seen(correlation)).calls
    assert (call.status, call.seconds, faulted.calls) == (0, 30, 0)


async def test_the_end_of_the_lease_ends_the_silence(faulted: Faulted, clock: FakeClock) -> None:
    """What still waits is reset, so that no client is left behind by an experiment."""
    await faulted.inject("omission", lease=5)
    asking = asyncio.create_task(faulted.say())
    await eventually(lambda: faulted.point.http_faults[0].met == 1)

    await clock.advance(5)

    with pytest.raises(aiohttp.ClientConnectionError):
        await asking
    assert faulted.calls == 0
    assert (await faulted.say())[0] == 200


async def test_only_so_many_are_kept_waiting(faulted: Faulted) -> None:
    """When all places are taken the next one is reset at once: health checks must still get in."""
    await faulted.inject("omission")
    faulted.point.http_faults[0].room = asyncio.Semaphore(0)

    with pytest.raises(aiohttp.ClientConnectionError):
        await faulted.say()
