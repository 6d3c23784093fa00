"""An event loop whose clock jumps to whatever is waited for: minutes of a run in milliseconds."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 2_000
"""Looks at real file descriptors in a row with nothing to wait for: then everybody waits for ever."""


class _Selector(selectors.DefaultSelector):
    """Instead of sleeping, the clock moves on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self._idle = 0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready:
            self._idle = 0
        elif timeout is None:
            self._idle += 1
            assert self._idle < PATIENCE, "everybody waits, and nothing will ever happen"
            ready = super().select(0.001)
        else:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time is what is waited for."""

    def __init__(self) -> None:
        self.selector = _Selector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
