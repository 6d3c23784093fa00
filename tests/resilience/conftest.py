"""Fixtures for the library's tests: a clock that only tests move, and a record of events."""

import asyncio
import gc
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from resilience.events import Emitter, Event
from resilience.testing import FakeClock


class Recorder(Emitter):
    """An emitter that keeps what it is told."""

    __slots__ = ("events",)

    def __init__(self) -> None:
        self.events: list[Event] = []
        super().__init__(self.events.append)

    def of(self, kind: type) -> list[Event]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture
def rng() -> random.Random:
    """A seeded source of randomness."""
    return random.Random(20)


@pytest.fixture
def recorder() -> Recorder:
    """An emitter whose events the test can look at."""
    return Recorder()


def run_plainly(main: Coroutine[Any, Any, object]) -> None:
    """Run in a loop without debugging: for tests of very many calls, and of what they leave."""
    with asyncio.Runner(debug=False) as runner:
        runner.run(main)


class NoGarbage:
    """`with NoGarbage():` fails when the block leaves cyclic garbage."""

    def __enter__(self) -> None:
        gc.collect()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        try:
            assert gc.collect() == 0
        finally:
            gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long tier out, unless it is asked for by its marker."""
    if "prove" in config.getoption("markexpr", default=""):
        return
    long = [item for item in items if item.get_closest_marker("prove")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
