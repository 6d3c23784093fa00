"""The open model: arrivals happen when they happen, and wait for a free user, not for the platform.

A closed loop, in which each user sends when the last answer has come, sends less when the platform is slow
and so hides how slow it is (coordinated omission). Here one seeded process says when each journey *should*
begin; latency counts from there.
"""

import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from loadtests.limits import BACKLOG_SECONDS, MIN_BACKLOG
from loadtests.shapes import Shape


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody wants to begin a journey. `at`: seconds from the beginning of the load."""

    number: int
    at: float
    journey: str


def arrivals(
    shape: Shape, rate: float, seconds: float, journeys: Mapping[str, float], seed: int
) -> Iterator[Arrival]:
    """All arrivals of a load: the same for the same arguments, whatever the platform does."""
    when, what = (random.Random(f"{of} {seed}") for of in ("times", "journeys"))  # noqa: S311
    names, shares = list(journeys), list(journeys.values())
    inside = itertools.takewhile(lambda at: at < seconds, shape.times(rate, when))
    for number, at in enumerate(inside):
        yield Arrival(number, at, what.choices(names, shares)[0])


def backlog_bound(rate: float) -> int:
    """Arrivals that may wait for a free user."""
    return max(MIN_BACKLOG, round(rate * BACKLOG_SECONDS))


class Signal(Protocol):
    """Wakes those who wait. gevent's `Event` is one."""

    def set(self) -> None: ...
    def clear(self) -> None: ...
    def is_set(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> object: ...


class Backlog:
    """Arrivals that wait for a free user, first come first served, and no more than `bound`."""

    def __init__(self, bound: int, signal: Signal) -> None:
        self._bound = bound
        self._signal = signal
        self._waiting: deque[Arrival] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, arrival: Arrival) -> bool:
        """Let it wait. False: there is no room, and it is up to the caller to say so."""
        if self._closed or len(self._waiting) >= self._bound:
            return False
        self._waiting.append(arrival)
        self._signal.set()
        return True

    def take(self) -> Arrival | None:
        """The next arrival, as soon as there is one; None when none will come any more."""
        while not self._waiting:
            if self._closed:
                return None
            self._signal.clear()
            self._signal.wait()
        return self._waiting.popleft()

    def close(self) -> None:
        """No more will come; those who wait are still served."""
        self._closed = True
        self._signal.set()

    def abandon(self) -> list[Arrival]:
        """Take all that still wait away, for the caller to tell of."""
        left = list(self._waiting)
        self._waiting.clear()
        return left


def pace(
    coming: Iterator[Arrival],
    backlog: Backlog,
    *,
    now: Callable[[], float],
    pause: Callable[[float], object],
    refused: Callable[[Arrival], None],
) -> float:
    """Offer each arrival at its time until they end or `pause` says (by True) that it is over.

    Args:
        now: seconds from the beginning of the load.
        pause: waits that long; returns true when the load is to end.
        refused: told of each arrival for which there was no room.

    Returns: seconds that the worst arrival was offered late: the load's own lateness.
    """
    late = 0.0
    for arrival in coming:
        while (ahead := arrival.at - now()) > 0:
            if pause(ahead):
                return late
        late = max(late, now() - arrival.at)
        if not backlog.offer(arrival):
            refused(arrival)
    return late
