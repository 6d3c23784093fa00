"""A request that is late, to the moment, on the fault point's clock."""

import asyncio

import pytest

from resilience.testing import FakeClock
from tests.chassis.faults.faulted import Faulted, active, new_correlation_id
from tests.waiting import eventually


async def test_the_handler_runs_after_the_delay(faulted: Faulted, clock: FakeClock) -> None:
    """Nothing happens before the delay is over, and then everything does."""
    await faulted.inject("latency", attributes={"seconds": 2})
    asking = asyncio.create_task(faulted.say())
    await eventually(lambda: faulted.point.http_faults[0].met == 1)
    await clock.advance(1.99)
    assert faulted.calls == 0

    await clock.advance(0.01)

    assert (await asking)[0] == 200
    assert faulted.calls == 1


async def test_a_client_that_gave_up_has_asked_all_the_same(
    faulted: Faulted, clock: FakeClock
) -> None:
    """As behind a slow network: the request is carried out although nobody waits any more."""
    await faulted.inject("latency", attributes={"seconds": 2})
    asking = asyncio.create_task(faulted.say())
    await eventually(lambda: faulted.point.http_faults[0].met == 1)
    asking.cancel()
    await asyncio.wait({asking})

    await clock.advance(2)

    await eventually(lambda: faulted.calls == 1)


@pytest.mark.parametrize("ended_by", ["lease", "kill switch"])
async def test_no_delay_outlasts_its_fault(
    faulted: Faulted, clock: FakeClock, ended_by: str
) -> None:
    """When the fault ends, whatever it keeps waiting goes on at once."""
    await faulted.inject("latency", lease=5, attributes={"seconds": 600})
    asking = asyncio.create_task(faulted.say())
    await eventually(lambda: faulted.point.http_faults[0].met == 1)

    if ended_by == "lease":
        await clock.advance(5)
    else:
        await faulted.chaos("DELETE", "faults")

    assert (await asking)[0] == 200


async def test_jitter_is_drawn_from_the_seed(faulted: Faulted, clock: FakeClock) -> None:
    """The delay lies within seconds ± jitter, at the place that the seed says."""
    noise = active("latency", attributes={"seconds": 1}, seed=11).noise
    delay = 2 + noise.uniform(-1, 1)
    await faulted.inject("latency", attributes={"seconds": 2, "jitter": 1}, seed=11)
    correlation = new_correlation_id()
    asking = asyncio.create_task(faulted.say(**{"x-correlation-id": correlation}))
    await eventually(lambda: faulted.point.http_faults[0].met == 1)

    await clock.advance(delay - 0.001)
    assert faulted.calls == 0
    await clock.advance(0.002)
    await asking

    (call,) = (await faulted.seen(correlation)).calls
    assert call.seconds == pytest.approx(delay, abs=0.002)
