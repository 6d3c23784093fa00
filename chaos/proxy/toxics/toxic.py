"""What a toxic is: attributes, and a state machine over pieces of a stream and a clock. No I/O.

A `Toxic` holds what the API calls attributes. For each connection that it touches it makes a `Stage`: pieces
are pushed in, and popped when they are due. A stage never reads a clock; it is told the time.
"""

import enum
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import msgspec

from chaos.proxy.limits import MAX_MILLISECONDS, PIECE_COST

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=MAX_MILLISECONDS)]
Microseconds = Annotated[int, msgspec.Meta(ge=0, le=MAX_MILLISECONDS * 1000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]

NEVER = float("inf")


class Mark(enum.Enum):
    """What a stream may end with; nothing follows it."""

    END = "the sender has sent everything (FIN)"
    CLOSE = "a toxic closes the connection"
    RESET = "the connection is torn (RST)"


@dataclass(slots=True, frozen=True)
class Piece:
    """Bytes, or the mark that ends the stream.

    Attributes:
        at: when it came in, or was due to leave the toxic before: delays count from here, so that neither
            late timers nor a queue add to them.
    """

    at: float
    data: bytes = b""
    mark: Mark | None = None

    @property
    def cost(self) -> int:
        return len(self.data) + PIECE_COST


class Toxic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The attributes of one kind of toxic, validated. Subclasses are registered by `kind`."""

    kind: ClassVar[str]

    def stage(self, now: float, rng: Random) -> "Stage[Any]":
        """Start on a connection, at `now`."""
        raise NotImplementedError


ToxicT = TypeVar("ToxicT", bound=Toxic)


class Stage(ABC, Generic[ToxicT]):
    """A toxic at work on one direction of one connection."""

    held: int = 0
    """Bytes that wait here, with what holding them costs."""

    def __init__(self, toxic: ToxicT, now: float, rng: Random) -> None:
        self.toxic = toxic
        self.since = now
        self.rng = rng

    @abstractmethod
    def push(self, piece: Piece) -> None:
        """Take what comes next."""

    @abstractmethod
    def pop(self, now: float) -> Piece | None:
        """Let go of the next piece that is due."""

    @abstractmethod
    def wake(self) -> float | None:
        """When `pop` has something, if nothing else happens."""

    def alter(self, toxic: ToxicT, now: float) -> None:
        """Go on with other attributes."""
        self.toxic = toxic
        self.since = now

    @abstractmethod
    def drain(self, now: float) -> Iterator[Piece]:
        """Hand on what waits, because the toxic is taken away."""


class Delaying(Stage[ToxicT]):
    """A stage that loses nothing and keeps the order: it only says when, and how much at once."""

    def __init__(self, toxic: ToxicT, now: float, rng: Random) -> None:
        super().__init__(toxic, now, rng)
        self._queue: deque[Piece] = deque()
        self._offset = 0
        self._next: tuple[float, int] | None = None
        self._last = now

    @abstractmethod
    def plan(self, head: Piece, size: int) -> tuple[float, int]:
        """When the head of the queue may go on, and how many of the `size` bytes that are left of it.

        Whatever is planned, nothing overtakes what went before.
        """

    def passed(self, when: float) -> None:
        """Learn that what was planned has gone; the next plan may depend on it."""

    def push(self, piece: Piece) -> None:
        self._queue.append(piece)
        self.held += piece.cost

    def wake(self) -> float | None:
        if not self._queue:
            return None
        if self._next is None:
            head = self._queue[0]
            when, size = self.plan(head, len(head.data) - self._offset)
            self._next = max(self._last, when), size
        return self._next[0]

    def pop(self, now: float) -> Piece | None:
        when = self.wake()
        if when is None or when > now or self._next is None:
            return None
        head, size = self._queue[0], self._next[1]
        start, self._offset = self._offset, self._offset + size
        self._last, self._next = when, None
        if self._offset >= len(head.data):
            self._queue.popleft()
            self._offset = 0
            self.held -= head.cost
        self.passed(when)
        whole = size == len(head.data)
        return Piece(when, head.data if whole else head.data[start : start + size], head.mark)

    def alter(self, toxic: ToxicT, now: float) -> None:
        super().alter(toxic, now)
        self._next = None

    def drain(self, now: float) -> Iterator[Piece]:
        while self._queue:
            head = self._queue.popleft()
            yield Piece(now, head.data[self._offset :], head.mark)
            self._offset = 0
        self.held, self._next = 0, None
