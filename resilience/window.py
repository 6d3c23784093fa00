"""Windows over recent outcomes: pure counting, no clock of their own and no I/O.

A window answers how many of the recent calls failed and how many were slow; the breaker decides
what that means. An outcome is a small integer of flags, so that recording a success is cheap.
"""

from typing import Protocol

__all__ = [
    "FAILED",
    "GOOD",
    "SLOW",
    "ConsecutiveWindow",
    "CountWindow",
    "TimeWindow",
    "Window",
]

GOOD = 0
FAILED = 1
SLOW = 2


class Window(Protocol):
    """Recent outcomes, counted."""

    calls: int
    failures: int
    slow: int

    def record(self, outcome: int, now: float) -> None:
        """Count one outcome: `GOOD`, or `FAILED`, `SLOW`, or both together."""
        ...


class CountWindow:
    """The last `size` calls. O(1) for each; one byte for each."""

    __slots__ = ("_position", "_size", "_slots", "calls", "failures", "slow")

    def __init__(self, size: int) -> None:
        self._size = size
        self._slots = bytearray(size)
        self._position = 0
        self.calls = 0
        self.failures = 0
        self.slow = 0

    def record(self, outcome: int, now: float) -> None:  # noqa: ARG002 - the windows' common face
        position = self._position
        if self.calls == self._size:
            evicted = self._slots[position]
            if evicted:
                self.failures -= evicted & 1
                self.slow -= evicted >> 1
        else:
            self.calls += 1
        self._slots[position] = outcome
        if outcome:
            self.failures += outcome & 1
            self.slow += outcome >> 1
        position += 1
        self._position = position if position < self._size else 0

    def resized(self, size: int) -> "CountWindow":
        """A window of another size that remembers as many of the newest outcomes as fit."""
        oldest = self._position if self.calls == self._size else 0
        in_order = (self._slots[oldest:] + self._slots[:oldest])[: self.calls]
        other = CountWindow(size)
        for outcome in in_order[-size:]:
            other.record(outcome, 0.0)
        return other


class TimeWindow:
    """The calls of the last `seconds`, in `buckets` that expire one after another."""

    __slots__ = ("_buckets", "_current", "_width", "calls", "failures", "slow")

    def __init__(self, seconds: float, buckets: int) -> None:
        self._width = seconds / buckets
        #: [calls, failures, slow] for each bucket.
        self._buckets = [[0, 0, 0] for _ in range(buckets)]
        #: The running number of the newest bucket since the clock's zero.
        self._current = 0
        self.calls = 0
        self.failures = 0
        self.slow = 0

    def record(self, outcome: int, now: float) -> None:
        number = int(now / self._width)
        if number > self._current:
            self._expire(number)
        bucket = self._buckets[self._current % len(self._buckets)]
        bucket[0] += 1
        self.calls += 1
        if outcome:
            bucket[1] += outcome & 1
            bucket[2] += outcome >> 1
            self.failures += outcome & 1
            self.slow += outcome >> 1

    def _expire(self, number: int) -> None:
        for passed in range(max(self._current + 1, number - len(self._buckets) + 1), number + 1):
            bucket = self._buckets[passed % len(self._buckets)]
            self.calls -= bucket[0]
            self.failures -= bucket[1]
            self.slow -= bucket[2]
            bucket[:] = (0, 0, 0)
        self._current = number


class ConsecutiveWindow:
    """The current run of bad calls; one good call ends it. A slow call is a bad one."""

    __slots__ = ("calls", "failures", "slow")

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0
        self.slow = 0

    def record(self, outcome: int, now: float) -> None:  # noqa: ARG002 - the windows' common face
        if outcome:
            self.calls += 1
            self.failures += 1
            self.slow += outcome >> 1
        else:
            self.calls = self.failures = self.slow = 0
