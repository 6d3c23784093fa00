"""bandwidth: at most `rate` KB/s (1,000 bytes) pass; 0 lets nothing pass."""

from random import Random
from typing import ClassVar

from chaos.proxy.toxics.toxic import NEVER, Count, Delaying, Piece, Stage, Toxic

SLICE_MILLISECONDS = 100
"""Data goes on in parts that take at most this long, as Toxiproxy's does: a trickle, not one late block."""


class Bandwidth(Toxic, frozen=True):
    kind: ClassVar[str] = "bandwidth"

    rate: Count = 0

    def stage(self, now: float, rng: Random) -> Stage["Bandwidth"]:
        return BandwidthStage(self, now, rng)


class BandwidthStage(Delaying[Bandwidth]):
    """A line that is busy until the bytes before are through. Idle time is not saved up for a burst."""

    _free = 0.0

    def plan(self, head: Piece, size: int) -> tuple[float, int]:
        if head.mark is not None:
            return head.at, size
        rate = self.toxic.rate  # KB/s is bytes per millisecond
        if rate == 0:
            return NEVER, size
        part = min(size, rate * SLICE_MILLISECONDS)
        return max(self._free, head.at) + part / rate / 1000, part

    def passed(self, when: float) -> None:
        self._free = when
