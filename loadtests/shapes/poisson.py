"""As strangers do: independent arrivals, exponential gaps."""

import random
from collections.abc import Iterator

from loadtests.shapes.shape import Shape


def times(rate: float, draw: random.Random) -> Iterator[float]:
    """A Poisson process."""
    at = 0.0
    while True:
        at += draw.expovariate(rate)
        yield at


SHAPE = Shape(
    "poisson", "a Poisson process: independent arrivals, with the clusters of real life", times
)
