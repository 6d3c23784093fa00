"""slicer: data arrives in slices of `average_size` ± `size_variation` bytes, `delay` microseconds apart."""

from random import Random
from typing import ClassVar

from chaos.proxy.toxics.toxic import Count, Delaying, Microseconds, Piece, Stage, Toxic


class Slicer(Toxic, frozen=True):
    kind: ClassVar[str] = "slicer"

    average_size: Count = 0
    size_variation: Count = 0
    delay: Microseconds = 0

    def __post_init__(self) -> None:
        if self.average_size < 1:
            raise ValueError("average_size must be at least 1")
        if self.size_variation >= self.average_size:
            raise ValueError("size_variation must be below average_size")

    def stage(self, now: float, rng: Random) -> Stage["Slicer"]:
        return SlicerStage(self, now, rng)


class SlicerStage(Delaying[Slicer]):
    """Slices are cut when they leave, so that a large piece never lies here as many small ones."""

    _free = 0.0

    def plan(self, head: Piece, size: int) -> tuple[float, int]:
        when = max(self._free, head.at)
        if head.mark is not None:
            return when, size
        average, variation = self.toxic.average_size, self.toxic.size_variation
        cut = self.rng.randint(average - variation, average + variation)
        return when, min(size, cut)

    def passed(self, when: float) -> None:
        self._free = when + self.toxic.delay / 1_000_000
