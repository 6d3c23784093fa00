"""Ending an awaited call from outside, without a task of its own.

A call that runs inline in its caller's task can be ended only by cancelling that task. An
`Interruption` does so and, when the cancellation comes through, tells its own from anybody
else's, by the counting that `asyncio.timeout` uses (`Task.cancelling`, `Task.uncancel`): an outer
timeout or a real cancellation that arrives meanwhile always wins.
"""

import asyncio
from typing import Any

__all__ = ["Interruption"]


class Interruption:
    """The means to end one awaited call. Made by the task that awaits, right before it does."""

    __slots__ = ("_before", "_over", "_task", "fired")

    def __init__(self, task: "asyncio.Task[Any]") -> None:
        self._task = task
        self._before = task.cancelling()
        self.fired = False
        self._over = False

    def fire(self) -> None:
        """End the call: it sees a CancelledError. Harmless when repeated, or when it has ended."""
        if not self.fired and not self._over:
            self.fired = True
            self._task.cancel()

    def settled(self, error: BaseException | None) -> bool:
        """To be asked when the call has ended: did it end by this interruption alone?"""
        if self._over or not self.fired:
            self._over = True
            return False
        self._over = True
        alone = self._task.uncancel() <= self._before
        return alone and isinstance(error, asyncio.CancelledError)


def running_task() -> "asyncio.Task[Any]":
    """The task that runs here."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a policy that ends calls must be awaited within a task")
    return task
