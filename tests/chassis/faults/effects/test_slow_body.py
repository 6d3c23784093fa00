"""A body in drips: all of it arrives, over the time that was asked for."""

import asyncio

from chassis.faults.effects.slow_body import PIECES
from resilience.testing import FakeClock
from tests.chassis.faults.faulted import Faulted
from tests.waiting import eventually


async def test_the_head_comes_at_once_and_the_body_in_drips(
    faulted: Faulted, clock: FakeClock
) -> None:
    """After half of the time about half of the body is there, after all of it the whole."""
    await faulted.inject("slow_body", attributes={"seconds": 10})
    async with faulted.running.session.post(
        f"{faulted.running.url}/v1/say", json={"text": "oi"}, headers=faulted.running.headers()
    ) as response:
        assert response.status == 200
        length = int(response.headers["content-length"])
        got = bytearray()

        async def read() -> None:
            async for chunk in response.content.iter_any():
                got.extend(chunk)

        reading = asyncio.create_task(read())
        await eventually(lambda: faulted.point.http_faults[0].met == 1)
        assert not got
        await clock.advance(5)
        half = -(-length // PIECES) * (PIECES // 2)
        await eventually(lambda: len(got) == half)
        await clock.advance(5)
        await reading

    assert len(got) == length
    assert faulted.calls == 1
