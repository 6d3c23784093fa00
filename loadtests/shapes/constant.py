"""Evenly, with seeded jitter: each arrival somewhere in a slot of its own."""

import itertools
import random
from collections.abc import Iterator

from loadtests.shapes.shape import Shape


def times(rate: float, draw: random.Random) -> Iterator[float]:
    """One arrival in each slot of 1/rate seconds, so that the rate is exact and nothing beats in time."""
    for slot in itertools.count():
        yield (slot + draw.random()) / rate


SHAPE = Shape("constant", "evenly, each arrival at a random point of a slot of its own", times)
