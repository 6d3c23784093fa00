"""The book of a run: what was asked and told goes into the history, and the keys whose fate is open are kept.

For the driver, and for any other load that wants its money judged. It does no I/O but the writer's.
"""

import random
from collections import Counter
from dataclasses import dataclass
from typing import Final

from chaos.history.case import Kind
from chaos.history.client import Outcome, Party
from chaos.history.events import HistoryWriter, Op, Request, Status

NOT_SEEN: Final = 6
"""Times that the platform says "not seen yet" of a key before nobody asks any more: with the pauses in
between some seconds, in which a request that was still on its way has arrived or died."""
FINAL: Final = frozenset({Status.COMPLETED, Status.FAILED, Status.REVERSED})


class Book:
    """Writes down what clients ask and are told, and knows the keys that nobody has the last word of.

    Attributes:
        open: the party of every key whose fate is open.
    """

    def __init__(self, writer: HistoryWriter) -> None:
        self._writer = writer
        self._not_seen: Counter[str] = Counter()
        self.open: dict[str, Party] = {}

    def ask(self, process: int, op: Op, key: str, request: Request) -> None:
        """Write that `process` is about to send this. Call it before the request leaves."""
        self._writer.invoke(process, op, key, request)

    def told(self, process: int, op: Op, key: str, party: Party, outcome: Outcome) -> None:
        """Write what came of it, and whether the key's fate is still open."""
        write = {
            Kind.OK: self._writer.ok,
            Kind.FAIL: self._writer.fail,
            Kind.INFO: self._writer.info,
        }[outcome.kind]
        write(process, op, key, outcome.answer)
        if op is Op.FIND and outcome.kind is Kind.OK and outcome.answer.transfer is None:
            self._not_seen[key] += 1
        if outcome.kind is Kind.INFO or outcome.answer.status is Status.PENDING:
            self.open[key] = party
        elif outcome.answer.status in FINAL and not outcome.answer.stale:
            self.open.pop(key, None)

    def to_look_up(self) -> list[tuple[str, Party]]:
        """The open keys that are still worth a question."""
        return [item for item in self.open.items() if self._not_seen[item[0]] < NOT_SEEN]


@dataclass(frozen=True, slots=True)
class FullJitter:
    """Pauses between attempts: uniform below a ceiling that doubles, in seconds."""

    base: float
    cap: float

    def __post_init__(self) -> None:
        if not 0 < self.base <= self.cap:
            raise ValueError("backoff_base must be positive and at most backoff_cap")

    def pause(self, attempt: int, asked: float | None, draw: random.Random) -> float:
        """Seconds after attempt number `attempt` (from 0), but never fewer than the platform asked for."""
        ceiling = min(self.cap, self.base * 2**attempt)
        return max(asked or 0.0, draw.uniform(0.0, ceiling))
