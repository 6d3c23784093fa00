"""One direction of one connection: its toxics in a row, a state machine over pieces and a clock. No I/O."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from chaos.proxy.dose import Dose
from chaos.proxy.limits import PIECES_AT_ONCE
from chaos.proxy.toxics.toxic import NEVER, Piece, Stage

Generator = Callable[[str], Random]
"""Makes the generator of one toxic on one connection, by the toxic's name."""


@dataclass(slots=True)
class _Slot:
    """A toxic's place in the row; without a stage when the draw spared this connection."""

    dose: Dose
    draw: float
    rng: Random
    stage: Stage[Any] | None = None


class Pipe:
    """What is pushed comes out of `pop` when every toxic has let it pass, complete or as they left it.

    Args:
        generator: source of randomness per toxic.
        bound: bytes that a toxic may hold before the one in front of it stops handing on.
    """

    __slots__ = ("_bound", "_generator", "_out", "_slots", "_stages")

    def __init__(self, generator: Generator, bound: int) -> None:
        self._generator = generator
        self._bound = bound
        self._slots: list[_Slot] = []
        self._stages: list[Stage[Any]] = []
        self._out: deque[Piece] = deque()

    @property
    def idle(self) -> bool:
        """Nothing holds anything up: data may go past the pipe."""
        return not self._stages and not self._out

    @property
    def held(self) -> int:
        """Bytes that wait, with what holding them costs."""
        return sum(stage.held for stage in self._stages) + sum(piece.cost for piece in self._out)

    @property
    def affected_by(self) -> list[Dose]:
        """The toxics at work here."""
        return [slot.dose for slot in self._slots if slot.stage is not None]

    def push(self, piece: Piece) -> None:
        """Take the next piece in; nothing follows a mark."""
        self._into(0)(piece)

    def pop(self, now: float) -> Piece | None:
        """The next piece that is due at the far end; after a mark there is nothing more to come."""
        for index, stage in enumerate(self._stages):
            put = self._into(index + 1)
            for _ in range(PIECES_AT_ONCE):
                if self._blocked(index):
                    break
                piece = stage.pop(now)
                if piece is None:
                    break
                put(piece)
        return self._out.popleft() if self._out else None

    def wake(self) -> float | None:
        """When to `pop` again if nothing else happens; a time that is past when something is due."""
        if self._out:
            return 0.0
        # What waits for room behind it has nothing to do until that one has moved.
        free = (stage for index, stage in enumerate(self._stages) if not self._blocked(index))
        best = min((when for stage in free if (when := stage.wake()) is not None), default=NEVER)
        return None if best == NEVER else best

    def add(self, dose: Dose, now: float) -> bool:
        """Put a toxic at the end of the row. Returns whether the draw fell on this connection."""
        rng = self._generator(dose.name)
        slot = _Slot(dose, rng.random(), rng)
        self._slots.append(slot)
        return self._settle(slot, now)

    def alter(self, dose: Dose, now: float) -> bool:
        """Go by the attributes and toxicity that `dose` has now. Returns whether it is newly affected."""
        slot = next(slot for slot in self._slots if slot.dose is dose)
        if slot.stage is not None and dose.affects(slot.draw):
            slot.stage.alter(dose.toxic, now)
            return False
        return self._settle(slot, now)

    def remove(self, dose: Dose, now: float) -> None:
        """Take a toxic away; what it holds goes on at once."""
        slot = next(slot for slot in self._slots if slot.dose is dose)
        self._release(slot, now)
        self._slots.remove(slot)

    def _settle(self, slot: _Slot, now: float) -> bool:
        if not slot.dose.affects(slot.draw):
            self._release(slot, now)
            return False
        slot.stage = slot.dose.toxic.stage(now, slot.rng)
        self._stages = [each.stage for each in self._slots if each.stage is not None]
        return True

    def _release(self, slot: _Slot, now: float) -> None:
        stage, slot.stage = slot.stage, None
        if stage is None:
            return
        put = self._into(self._stages.index(stage) + 1)
        for piece in stage.drain(now):
            put(piece)
        self._stages.remove(stage)

    def _into(self, index: int) -> Callable[[Piece], None]:
        return self._stages[index].push if index < len(self._stages) else self._out.append

    def _blocked(self, index: int) -> bool:
        """Whether a stage has to wait, because what comes after it has enough."""
        if index + 1 == len(self._stages):
            return bool(self._out)
        return self._stages[index + 1].held >= self._bound
