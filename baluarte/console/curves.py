"""What was going on: rates, shares and times over the last moments, and their course over ten minutes.

Counters of a process that was restarted begin anew at 0; an increase counts on over it.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from baluarte.console.reading import Calls, Reading

WINDOW: Final = 5.0
"""Seconds that a rate is taken over: short enough to see a breaker open, long enough for a few requests."""

SPAN: Final = 600.0
"""Seconds of history that are kept."""

_MAX_READINGS: Final = 64
"""Of one process, in a window: one a second, and some room."""

_MAX_POINTS: Final = 700
_MAX_GAP: Final = 60.0
"""Seconds between two readings beyond which nothing is said of the time between them."""


@dataclass(slots=True)
class Window:
    """The last readings of one process."""

    _readings: deque[Reading] = field(default_factory=lambda: deque(maxlen=_MAX_READINGS))

    @property
    def last(self) -> Reading | None:
        return self._readings[-1] if self._readings else None

    def add(self, reading: Reading) -> None:
        """Take a new one; what is older than a window is kept only as its beginning."""
        self._readings.append(reading)
        while len(self._readings) > 2 and self._readings[1].at <= reading.at - WINDOW:
            self._readings.popleft()

    def lost(self) -> None:
        """It did not answer: what it does next does not continue what it did."""
        self._readings.clear()

    @property
    def ends(self) -> tuple[Reading, Reading] | None:
        """The first and the last reading of the window; None when there are not two yet."""
        if len(self._readings) < 2:
            return None
        first, last = self._readings[0], self._readings[-1]
        return (first, last) if 0 < last.at - first.at <= _MAX_GAP else None

    def calls(self) -> Mapping[str, Calls]:
        """Calls within the window, by downstream, and a second."""
        if self.ends is None:
            return {}
        first, last = self.ends
        seconds = last.at - first.at
        return {
            name: Calls(
                grown(first.calls[name].all, now.all) / seconds,
                grown(first.calls[name].bad, now.bad) / seconds,
                grown(first.calls[name].refused, now.refused) / seconds,
            )
            for name, now in last.calls.items()
        }


def grown(before: float, now: float) -> float:
    """By how much a counter grew; a fall is a restart."""
    return now - before if now >= before else now


@dataclass(frozen=True, slots=True)
class Point:
    """How the gateway answered over a window. A share or time is None where nothing was answered.

    Attributes:
        at: seconds since 1970.
        rate: operations a second; None when the gateway could not be asked.
        errors: share of them that ended with an error of ours.
        degraded: share that was answered with stale or missing parts, and says so.
        stale: copies served in place of what failed, a second, by all processes.
        p50, p95, p99: seconds.
    """

    at: float
    rate: float | None = None
    errors: float | None = None
    degraded: float | None = None
    stale: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    def told(self) -> list[float | None]:
        """As the page reads it: short, since ten minutes of them are sent at once."""
        rest = (self.errors, self.degraded, self.stale, self.p50, self.p95, self.p99)
        return [
            round(self.at, 1),
            *(None if v is None else round(v, 4) for v in (self.rate, *rest)),
        ]


def point(at: float, gateway: Window, stale: float | None) -> Point:
    """The point of now."""
    if gateway.ends is None:
        return Point(at)
    first, last = gateway.ends
    seconds = last.at - first.at
    by = {
        outcome: grown(first.operations[outcome], now) for outcome, now in last.operations.items()
    }
    total = sum(by.values())
    if not total:
        return Point(at, 0.0, stale=stale)
    steps = {bound: grown(first.buckets[bound], now) for bound, now in last.buckets.items()}
    return Point(
        at,
        total / seconds,
        by.get("error", 0.0) / total,
        by.get("degraded", 0.0) / total,
        stale,
        *(quantile(share, steps) for share in (0.5, 0.95, 0.99)),
    )


def stale_rate(windows: Iterable[Window]) -> float | None:
    """Copies that all processes served a second; None when none of them can be asked."""
    ends = [window.ends for window in windows if window.ends is not None]
    if not ends:
        return None
    return sum(grown(first.stale, last.stale) / (last.at - first.at) for first, last in ends)


def quantile(share: float, buckets: Mapping[float, float]) -> float | None:
    """The time within which that share was answered, as Prometheus' `histogram_quantile` reckons it.

    Args:
        buckets: how many took at most so many seconds, by that bound; cumulative, with one for infinity.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if not total:
        return None
    rank, low, below = share * total, 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            if math.isinf(bound):
                return low
            inside = buckets[bound] - below
            return low + (bound - low) * ((rank - below) / inside if inside else 1.0)
        low, below = bound, buckets[bound]
    return low


class History:
    """The points of the last ten minutes, and when faults were in place meanwhile."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque(maxlen=_MAX_POINTS)
        self.bands = Bands()

    def add(self, new: Point) -> None:
        self._points.append(new)
        while self._points and self._points[0].at < new.at - SPAN:
            self._points.popleft()
        self.bands.forget(new.at - SPAN)

    @property
    def points(self) -> tuple[Point, ...]:
        return tuple(self._points)


@dataclass(slots=True)
class Band:
    """When a fault was in place, seconds since 1970; `until` is None while it is."""

    label: str
    since: float
    until: float | None = None


class Bands:
    """Faults over time, as they were seen."""

    MOST: Final = 64

    def __init__(self) -> None:
        self._known: dict[str, Band] = {}

    def see(self, at: float, faults: Mapping[str, str]) -> None:
        """Take which faults are in place now: labels by id."""
        for key, label in faults.items():
            if key not in self._known and len(self._known) < self.MOST:
                self._known[key] = Band(label, at)
        for key, band in self._known.items():
            if key not in faults and band.until is None:
                band.until = at

    def forget(self, before: float) -> None:
        """Drop those that were over then."""
        over = [
            k for k, band in self._known.items() if band.until is not None and band.until < before
        ]
        for key in over:
            del self._known[key]

    @property
    def all(self) -> tuple[Band, ...]:
        return tuple(self._known.values())
