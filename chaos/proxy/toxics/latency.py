"""latency: everything arrives later, by `latency` ± `jitter` milliseconds."""

from random import Random
from typing import ClassVar

from chaos.proxy.toxics.toxic import Delaying, Milliseconds, Piece, Stage, Toxic


class Latency(Toxic, frozen=True):
    """Counted from each piece's arrival, so that data sent in a row is late once and not in turn."""

    kind: ClassVar[str] = "latency"

    latency: Milliseconds = 0
    jitter: Milliseconds = 0

    def stage(self, now: float, rng: Random) -> Stage["Latency"]:
        return LatencyStage(self, now, rng)


class LatencyStage(Delaying[Latency]):
    def plan(self, head: Piece, size: int) -> tuple[float, int]:
        delay: float = self.toxic.latency
        if self.toxic.jitter:
            delay += self.rng.uniform(-self.toxic.jitter, self.toxic.jitter)
        return head.at + max(0.0, delay) / 1000, size
