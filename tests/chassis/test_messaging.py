"""Loops as workers, and which bus the settings name."""

import asyncio
from pathlib import Path

import pytest

from chassis.bus.postgres import PostgresBus
from chassis.bus.rabbitmq import RabbitBus
from chassis.messaging import Loop, bus_of
from chassis.settings import Settings, SettingsError, read_settings
from resilience.testing import settle


class Looping:
    """Runs until stopped, and may be deaf."""

    def __init__(self, *, deaf: bool = False, broken: bool = False) -> None:
        self.deaf = deaf
        self.broken = broken
        self.ended = asyncio.Event()
        self.cancelled = False

    async def run(self) -> None:
        if self.broken:
            raise ZeroDivisionError
        try:
            await self.ended.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise

    def stop(self) -> None:
        if not self.deaf:
            self.ended.set()


async def test_stop_reaches_the_loop() -> None:
    """Setting the event stops the loop and ends the worker."""
    stop = asyncio.Event()
    task = asyncio.create_task(Loop("loop", Looping()).run(stop))
    await settle()
    stop.set()
    await asyncio.wait_for(task, 5)


async def test_failure_reaches_the_supervisor() -> None:
    """What the loop raises is raised by the worker."""
    with pytest.raises(ZeroDivisionError):
        await Loop("loop", Looping(broken=True)).run(asyncio.Event())


async def test_cancellation_reaches_the_loop() -> None:
    """A loop that does not listen is cancelled with its worker, and nothing is left running."""
    looping, stop = Looping(deaf=True), asyncio.Event()
    task = asyncio.create_task(Loop("loop", looping).run(stop))
    await settle()
    stop.set()
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert looping.cancelled


def settings(tmp_path: Path, **environ: str) -> Settings:
    return read_settings(
        {"BALUARTE_STATE_DIR": str(tmp_path), **environ}, "users", needs_database=False
    )


async def test_rabbitmq_comes_first(tmp_path: Path) -> None:
    """With both named RabbitMQ is the bus; without it PostgreSQL is."""
    database = {"BALUARTE_BUS_DATABASE_URL": "postgresql://u:p@db/bus"}
    both = settings(tmp_path, BALUARTE_AMQP_URL="amqp://u:p@mq:5672/", **database)
    for chosen, kind in ((both, RabbitBus), (settings(tmp_path, **database), PostgresBus)):
        bus = bus_of(chosen)
        assert isinstance(bus, kind)
        await bus.close()


def test_no_bus_is_a_settings_error(tmp_path: Path) -> None:
    """A process without a bus does not start, and is told which settings to give."""
    with pytest.raises(SettingsError, match="BALUARTE_BUS_DATABASE_URL and BALUARTE_AMQP_URL"):
        bus_of(settings(tmp_path))
