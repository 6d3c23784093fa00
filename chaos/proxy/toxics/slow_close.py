"""slow_close: data passes, and the end of the stream comes `delay` milliseconds late."""

from random import Random
from typing import ClassVar

from chaos.proxy.toxics.toxic import Delaying, Milliseconds, Piece, Stage, Toxic


class SlowClose(Toxic, frozen=True):
    kind: ClassVar[str] = "slow_close"

    delay: Milliseconds = 0

    def stage(self, now: float, rng: Random) -> Stage["SlowClose"]:
        return SlowCloseStage(self, now, rng)


class SlowCloseStage(Delaying[SlowClose]):
    def plan(self, head: Piece, size: int) -> tuple[float, int]:
        return head.at + (0 if head.mark is None else self.toxic.delay / 1000), size
