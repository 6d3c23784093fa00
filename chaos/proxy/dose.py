"""A toxic as it was applied to a proxy: with a name, a stream, a toxicity, and perhaps a lease."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from chaos.proxy.clock import Clock, Timer
from chaos.proxy.toxics.toxic import Toxic


class Stream(enum.StrEnum):
    """A direction, by where it leads: upstream is what the client sends."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"


class Lease:
    """A time after which `end` is called, whether or not whoever asked for it still lives."""

    def __init__(self, seconds: float, clock: Clock, end: Callable[[], object]) -> None:
        self.seconds = seconds
        self._clock = clock
        self._ends = clock.now() + seconds
        self._timer: Timer = clock.call_at(self._ends, end)

    @property
    def left(self) -> float:
        """Seconds until it ends."""
        return max(0.0, self._ends - self._clock.now())

    def cancel(self) -> None:
        """Give it up: what it was for has ended already."""
        self._timer.cancel()


@dataclass(slots=True, eq=False)
class Dose:
    """One toxic of one proxy. Its attributes, toxicity and lease may change; the rest may not."""

    name: str
    stream: Stream
    toxic: Toxic
    toxicity: float = 1.0
    lease: Lease | None = None
    met: int = 0
    """Connections that it was done to."""
    experiment: str = ""
    """Who asked for it, for metrics; empty when nobody said."""

    def affects(self, draw: float) -> bool:
        """Whether a connection that drew `draw`, in [0, 1), is affected.

        A connection draws once and keeps it: raising the toxicity adds connections, and swaps none.
        """
        return draw < self.toxicity
