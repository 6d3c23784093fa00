"""Axes: where a value lies, and which values are written beside it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600)
"""Seconds between ticks that people count in."""

LOGARITHMIC_FROM: Final = 40.0
"""Largest over smallest value from which an axis is logarithmic: less would be a line at the bottom."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A stretch of values on a stretch of pixels (`low` at `start`)."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False
    ticks: tuple[float, ...] = ()

    def __call__(self, value: float) -> float:
        """The pixel of a value; outside the stretch, its nearer end."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def time_scale(until: float, start: float, end: float, most: int = 12) -> Scale:
    """Seconds from 0 to `until`, with at most `most` ticks (but for runs of many hours)."""
    until = max(until, 1.0)
    step = next((step for step in _STEPS if until / step <= most), _STEPS[-1])
    ticks = tuple(float(number * step) for number in range(int(until / step) + 1))
    return Scale(0.0, until, start, end, ticks=ticks)


def value_scale(values: Iterable[float], start: float, end: float, *, top: float = 0.0) -> Scale:
    """From zero to a round number over the largest value; `top` at least."""
    largest = max((value for value in values if math.isfinite(value)), default=0.0)
    largest = max(largest, top) or 1.0
    magnitude = 10.0 ** math.floor(math.log10(largest))
    step = next(
        size * magnitude for size in (0.25, 0.5, 1, 2.5) if largest / (size * magnitude) <= 4
    )
    steps = math.ceil(round(largest / step, 6))
    ticks = tuple(step * number for number in range(steps + 1))
    return Scale(0.0, step * steps, start, end, ticks=ticks)


def latency_scale(values: Iterable[float], start: float, end: float) -> Scale:
    """Logarithmic where the values are far apart, else from zero."""
    real = [value for value in values if math.isfinite(value) and value > 0]
    if not real or max(real) / min(real) < LOGARITHMIC_FROM:
        return value_scale(real, start, end)
    low = 10.0 ** math.floor(math.log10(min(real)))
    low = 3 * low if 3 * low <= min(real) else low
    high = 10.0 ** math.ceil(math.log10(max(real)))
    high = 0.3 * high if 0.3 * high >= max(real) else high
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [10.0**decade for decade in decades]
    if len(ticks) < 5:
        ticks += [3 * tick for tick in ticks]
    inside = sorted(tick for tick in ticks if low * 0.999 <= tick <= high * 1.001)
    return Scale(low, high, start, end, logarithmic=True, ticks=tuple(inside))
