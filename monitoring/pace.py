"""One factor for all durations, so that tests run in seconds what production runs in hours."""

from dataclasses import dataclass
from typing import Final

_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))


def text(seconds: float) -> str:
    """A duration as Prometheus and Alertmanager write it: `90s`, `1h`, `250ms`.

    Raises:
        ValueError: it is below a millisecond.
    """
    milliseconds = round(seconds * 1000)
    if milliseconds <= 0:
        raise ValueError(f"{seconds} s is below what Prometheus can measure")
    for unit, size in _UNITS:
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the rules run.

    Attributes:
        speed: every duration is divided by it; 1 is production's.
    """

    speed: float = 1.0

    def __post_init__(self) -> None:
        if self.speed <= 0:
            raise ValueError("the speed must be positive")

    def seconds(self, nominal: float) -> float:
        return nominal / self.speed

    def text(self, nominal: float) -> str:
        """A nominal number of seconds, as the server is told it."""
        return text(self.seconds(nominal))

    def number(self, nominal: float) -> str:
        """A nominal number of seconds as a number in an expression."""
        return f"{self.seconds(nominal):g}"


NORMAL: Final = Pace()
