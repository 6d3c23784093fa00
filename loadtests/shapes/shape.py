"""What a shape of load is: intended start times that depend on nothing that the platform does."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Times = Callable[[float, random.Random], Iterator[float]]
"""`times(rate, draw)`: endless, never falling seconds from the beginning, `rate` a second on average."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One way for people to arrive."""

    name: str
    text: str
    """In a sentence, for `python -m loadtests list`."""
    times: Times
