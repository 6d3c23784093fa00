"""limit_data: the connection is closed once `bytes` bytes have passed."""

from collections import deque
from collections.abc import Iterator
from random import Random
from typing import ClassVar

from chaos.proxy.toxics.toxic import Count, Mark, Piece, Stage, Toxic


class LimitData(Toxic, frozen=True):
    kind: ClassVar[str] = "limit_data"

    bytes: Count = 0

    def stage(self, now: float, rng: Random) -> Stage["LimitData"]:
        return LimitDataStage(self, now, rng)


class LimitDataStage(Stage[LimitData]):
    """Counts per connection; other attributes do not start the count again."""

    def __init__(self, toxic: LimitData, now: float, rng: Random) -> None:
        super().__init__(toxic, now, rng)
        self._passed = 0
        self._over = False
        self._due: deque[Piece] = deque()

    def push(self, piece: Piece) -> None:
        if self._over:
            return
        if piece.mark is not None:
            self._over = True
            self._put(piece)
            return
        left = max(0, self.toxic.bytes - self._passed)
        data = piece.data[:left]
        if data:
            self._passed += len(data)
            self._put(Piece(piece.at, data))
        if len(data) >= left:
            self._over = True
            self._put(Piece(piece.at, mark=Mark.CLOSE))

    def _put(self, piece: Piece) -> None:
        self._due.append(piece)
        self.held += piece.cost

    def wake(self) -> float | None:
        return self._due[0].at if self._due else None

    def pop(self, now: float) -> Piece | None:
        if not self._due or self._due[0].at > now:
            return None
        piece = self._due.popleft()
        self.held -= piece.cost
        return piece

    def drain(self, now: float) -> Iterator[Piece]:
        while self._due:
            piece = self._due.popleft()
            yield Piece(now, piece.data, piece.mark)
        self.held = 0
