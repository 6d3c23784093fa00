"""Connections are broken for real on the event loop that production uses, too."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
import uvloop
from starlette.applications import Starlette

from chassis.faults.abortable import AbortableHttp
from chassis.server import DRAIN_SECONDS, server_config
from resilience.testing import FakeClock
from tests.chassis.faults.faulted import running_faulted
from tests.waiting import eventually


@pytest.mark.parametrize("type_", ["abort", "lose_answer", "truncate", "omission"])
def test_broken_on_uvloop(tmp_path: Path, type_: str) -> None:
    """The client sees a broken connection, never a 500, and the next request is served."""

    async def scenario() -> None:
        async with running_faulted(tmp_path) as faulted:
            await faulted.inject(type_, lease=0.2 if type_ == "omission" else 60)
            with pytest.raises(aiohttp.ClientError):
                await faulted.say()
            await faulted.chaos("DELETE", "faults")
            assert (await faulted.say())[0] == 200

    uvloop.run(scenario())


async def test_a_process_that_stops_waits_for_no_fault(tmp_path: Path) -> None:
    """A request kept in silence is reset when the server is told to stop, and not when its patience ends."""
    async with running_faulted(tmp_path, clock=FakeClock()) as faulted:
        await faulted.inject("omission")
        asking = asyncio.create_task(faulted.say())
        await eventually(lambda: faulted.point.http_faults[0].met == 1)
        began = asyncio.get_running_loop().time()

    with pytest.raises(aiohttp.ClientConnectionError):
        await asking
    assert asyncio.get_running_loop().time() - began < DRAIN_SECONDS
    assert not faulted.point.faults


def test_only_with_a_fault_point() -> None:
    """A process without one is served by uvicorn's own protocol."""
    app = Starlette()

    assert server_config(app, "127.0.0.1", 0).http == "httptools"
    app.state.fault_point = object()
    assert server_config(app, "127.0.0.1", 0).http is AbortableHttp
