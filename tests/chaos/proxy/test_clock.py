"""The clock that production uses."""

import asyncio

import uvloop

from chaos.proxy.clock import LoopClock


async def rings() -> None:
    clock, loop = LoopClock(), asyncio.get_running_loop()
    rung: asyncio.Future[float] = loop.create_future()
    due = clock.now() + 0.02
    clock.call_at(due, lambda: rung.set_result(clock.now()))
    never = clock.call_at(due, lambda: rung.set_result(-1.0))
    never.cancel()
    async with asyncio.timeout(5):
        # Loops round to milliseconds: what is woken early asks again.
        assert await rung >= due - 0.001


async def test_timers_ring_by_the_monotonic_clock() -> None:
    """A timer rings when `now()` has reached its time, and not when it was cancelled."""
    await rings()


def test_timers_ring_on_uvloop() -> None:
    """uvloop counts its time from elsewhere; the clock does not mind."""
    uvloop.run(rings())
