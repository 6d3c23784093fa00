"""A herd: the rate multiplies for a moment, again and again."""

import random
from collections.abc import Iterator
from typing import Final

from loadtests.shapes.shape import Shape

PERIOD: Final = 20.0
"""Seconds from one spike to the next."""
BEFORE: Final = 8.0
"""Seconds of each period before its spike."""
LASTS: Final = 3.0
TIMES: Final = 4.0
"""How many times the quiet rate."""
_MEAN: Final = (PERIOD - LASTS + LASTS * TIMES) / PERIOD


def times(rate: float, draw: random.Random) -> Iterator[float]:
    """Slots with jitter whose width follows the momentary rate; `rate` is the average over a period."""
    quiet = rate / _MEAN
    begin = 0.0
    while True:
        in_spike = BEFORE <= begin % PERIOD < BEFORE + LASTS
        width = 1.0 / (quiet * TIMES if in_spike else quiet)
        yield begin + draw.random() * width
        begin += width


SHAPE = Shape(
    "spike",
    f"evenly, but {TIMES:g} times as many for {LASTS:g} s of every {PERIOD:g} s; the rate is the average",
    times,
)
