"""reset_peer: `timeout` milliseconds after the first data the connection is reset (RST) on both sides."""

from collections.abc import Iterator
from random import Random
from typing import ClassVar

from chaos.proxy.toxics.toxic import Mark, Milliseconds, Piece, Stage, Toxic


class ResetPeer(Toxic, frozen=True):
    kind: ClassVar[str] = "reset_peer"

    timeout: Milliseconds = 0

    def stage(self, now: float, rng: Random) -> Stage["ResetPeer"]:
        return ResetPeerStage(self, now, rng)


class ResetPeerStage(Stage[ResetPeer]):
    """As in Toxiproxy, an idle connection is left alone until it is used, like a stale one in a pool."""

    _met: float | None = None
    _over = False

    def push(self, piece: Piece) -> None:
        if self._met is None:
            self._met = piece.at

    def wake(self) -> float | None:
        if self._over or self._met is None:
            return None
        return self._met + self.toxic.timeout / 1000

    def pop(self, now: float) -> Piece | None:
        when = self.wake()
        if when is None or when > now:
            return None
        self._over = True
        return Piece(when, mark=Mark.RESET)

    def drain(self, now: float) -> Iterator[Piece]:
        # What it has swallowed is missing, so that the reset cannot be taken back, only hastened.
        if self._met is not None and not self._over:
            self._over = True
            yield Piece(now, mark=Mark.RESET)
