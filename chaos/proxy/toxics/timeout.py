"""timeout: data is dropped, and after `timeout` milliseconds the connection is closed; 0 never closes it."""

from collections.abc import Iterator
from random import Random
from typing import ClassVar

from chaos.proxy.toxics.toxic import Mark, Milliseconds, Piece, Stage, Toxic


class Timeout(Toxic, frozen=True):
    kind: ClassVar[str] = "timeout"

    timeout: Milliseconds = 0

    def stage(self, now: float, rng: Random) -> Stage["Timeout"]:
        return TimeoutStage(self, now, rng)


class TimeoutStage(Stage[Timeout]):
    """Counts from when it met the connection, so that a talkative sender does not put the end off."""

    _last: Piece | None = None
    _over = False

    def push(self, piece: Piece) -> None:
        if piece.mark is not None and self._last is None:
            self._last = piece

    def wake(self) -> float | None:
        if self._over:
            return None
        if self._last is not None:
            return self._last.at
        return self.since + self.toxic.timeout / 1000 if self.toxic.timeout else None

    def pop(self, now: float) -> Piece | None:
        when = self.wake()
        if when is None or when > now:
            return None
        self._over = True
        return self._last or Piece(when, mark=Mark.CLOSE)

    def drain(self, now: float) -> Iterator[Piece]:
        # Bytes are missing: a connection that went on would hand over a stream with a hole.
        if not self._over:
            self._over = True
            yield self._last or Piece(now, mark=Mark.CLOSE)
