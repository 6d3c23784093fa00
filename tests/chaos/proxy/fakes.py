"""A clock that stands still until it is told to go on, and a pipe that is run on it."""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from chaos.proxy.dose import Dose, Stream
from chaos.proxy.limits import Limits
from chaos.proxy.pipe import Pipe
from chaos.proxy.toxics.toxic import Mark, Piece, Toxic


@dataclass(slots=True, order=True)
class FakeTimer:
    when: float
    number: int
    callback: Callable[[], object] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class FakeClock:
    """Satisfies `chaos.proxy.clock.Clock`."""

    def __init__(self, now: float = 100.0) -> None:
        self.time = now
        self._timers: list[FakeTimer] = []
        self._made = 0

    @property
    def waiting(self) -> int:
        """Timers that are set."""
        return sum(not timer.cancelled for timer in self._timers)

    def now(self) -> float:
        return self.time

    def call_at(self, when: float, callback: Callable[[], object]) -> FakeTimer:
        self._made += 1
        timer = FakeTimer(when, self._made, callback)
        heapq.heappush(self._timers, timer)
        return timer

    def advance(self, seconds: float) -> None:
        """Let time pass, and have everything happen that is due by then, in its order."""
        until = self.time + seconds
        while self._timers and self._timers[0].when <= until:
            timer = heapq.heappop(self._timers)
            self.time = max(self.time, timer.when)
            if not timer.cancelled:
                timer.callback()
        self.time = until


class Line:
    """A pipe with toxics on it, at second 0, and what came out of it when."""

    def __init__(
        self,
        *toxics: Toxic,
        bound: int = Limits().buffered_bytes,
        toxicity: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.pipe = Pipe(lambda name: Random(f"{seed}/{name}"), bound)
        self.doses = [
            Dose(f"{number}-{toxic.kind}", Stream.DOWNSTREAM, toxic, toxicity)
            for number, toxic in enumerate(toxics)
        ]
        self.now = 0.0
        self.out: list[Piece] = []
        self.times: list[float] = []
        for dose in self.doses:
            self.pipe.add(dose, self.now)

    def send(self, *what: bytes | Mark) -> None:
        for each in what:
            if isinstance(each, Mark):
                self.pipe.push(Piece(self.now, mark=each))
            else:
                self.pipe.push(Piece(self.now, each))
        self.run(self.now)

    def run(self, until: float) -> None:
        """Go on to second `until`, stopping wherever the pipe asks to be woken."""
        while True:
            while (piece := self.pipe.pop(self.now)) is not None:
                self.out.append(piece)
                self.times.append(self.now)
            wake = self.pipe.wake()
            if wake is None or wake > until:
                break
            self.now = max(self.now, wake)
        self.now = max(self.now, until)

    @property
    def arrived(self) -> list[tuple[float, bytes | Mark]]:
        """What came out, with its time, rounded to microseconds."""
        return [
            (round(when, 6), piece.data if piece.mark is None else piece.mark)
            for when, piece in zip(self.times, self.out, strict=True)
        ]

    @property
    def data(self) -> bytes:
        return b"".join(piece.data for piece in self.out)

    @property
    def marks(self) -> list[Mark]:
        return [piece.mark for piece in self.out if piece.mark is not None]


def chunks(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """`data` in parts of these sizes, the rest last."""
    parts, start = [], 0
    for size in sizes:
        parts.append(data[start : start + size])
        start += size
    return [part for part in (*parts, data[start:]) if part]
