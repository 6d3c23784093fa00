"""A history and a snapshot, joined and indexed once, for every check to read.

`pair` turns events into operations: an invoke and what came of it. An invoke that nothing answered
(its process died, or the history ends) counts as `info`.
"""

import enum
from collections import defaultdict
from functools import cached_property
from typing import Final

import msgspec

from chaos.history.events import (
    MONEY_OPS,
    Answer,
    Event,
    Fail,
    History,
    HistoryError,
    Info,
    Invoke,
    Ok,
    Op,
    Request,
)
from chaos.history.state import (
    HOLD_OPEN,
    EntryRow,
    HoldRow,
    PostingRow,
    ServerState,
    TransactionRow,
)

NEVER: Final = 2**63 - 1
"""When an operation completed that nobody saw complete."""


class Kind(enum.StrEnum):
    """How an operation ended, as its client saw it."""

    OK = "ok"
    FAIL = "fail"
    INFO = "info"


class Operation(msgspec.Struct, frozen=True, gc=False):
    """One invoke and its completion."""

    op: Op
    process: int
    key: str
    request: Request
    invoked: int
    completed: int
    kind: Kind
    answer: Answer
    overlapped: bool = False
    """For a read: whether a money operation was open at some moment of it."""

    @property
    def owner(self) -> tuple[str, str]:
        """The scope of an idempotency key: (user, key)."""
        return (self.request.user, self.key)

    @property
    def moves_money(self) -> bool:
        """Whether it asks for money to move, rather than for a look."""
        return self.op in MONEY_OPS

    def __str__(self) -> str:
        return f"{self.op} {self.key or '(no key)'} at {self.invoked / 1e9:.6f} s"


def pair(history: History) -> tuple[Operation, ...]:
    """Join each invoke with its completion. Raise `HistoryError` when the events do not fit."""
    return _Pairing(history).run()


class _Pairing:
    """The state of one pass over the events."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._open: dict[int, Invoke] = {}
        self._money_open = 0
        self._money_begun = 0
        self._reads: dict[int, tuple[int, int]] = {}
        self._operations: list[Operation] = []

    def run(self) -> tuple[Operation, ...]:
        for number, event in enumerate(self._history.events, start=2):
            if isinstance(event, Invoke):
                self._begin(number, event)
            else:
                self._end(number, event)
        for invoke in self._open.values():
            self._keep(invoke, NEVER, Kind.INFO, Answer(detail="nothing answered"))
        return tuple(self._operations)

    def _begin(self, number: int, invoke: Invoke) -> None:
        before = self._open.get(invoke.process)
        if before is not None:
            raise self._error(number, f"process {invoke.process} still has {before.op} open")
        self._open[invoke.process] = invoke
        if invoke.op in MONEY_OPS:
            self._money_open += 1
            self._money_begun += 1
        elif invoke.op is Op.READ:
            self._reads[invoke.process] = (self._money_open, self._money_begun)

    def _end(self, number: int, event: Ok | Fail | Info) -> None:
        invoke = self._open.pop(event.process, None)
        if invoke is None:
            raise self._error(number, f"process {event.process} completes what it never invoked")
        if (invoke.op, invoke.key) != (event.op, event.key):
            asked, told = f"{invoke.op} {invoke.key}", f"{event.op} {event.key}"
            raise self._error(number, f"process {event.process} asked {asked}, completes {told}")
        if event.time < invoke.time:
            raise self._error(number, "completes before it was invoked; the clock went back")
        if invoke.op in MONEY_OPS:
            self._money_open -= 1
        self._keep(invoke, event.time, _kind(event), event.value)

    def _keep(self, invoke: Invoke, completed: int, kind: Kind, answer: Answer) -> None:
        open_at_start, begun_before = self._reads.pop(invoke.process, (0, self._money_begun))
        self._operations.append(
            Operation(
                invoke.op,
                invoke.process,
                invoke.key,
                invoke.value,
                invoke.time,
                completed,
                kind,
                answer,
                open_at_start > 0 or self._money_begun > begun_before,
            )
        )

    def _error(self, line: int, reason: str) -> HistoryError:
        return HistoryError(self._history.path, line, reason)


def _kind(event: Event) -> Kind:
    match event:
        case Ok():
            return Kind.OK
        case Fail():
            return Kind.FAIL
        case _:
            return Kind.INFO


class Case:
    """The evidence: operations of the clients and rows of the servers, by every name they go by."""

    def __init__(self, history: History, state: ServerState) -> None:
        self.history = history
        self.state = state
        self.operations = pair(history)

    @cached_property
    def reads(self) -> list[Operation]:
        """The auditor's samples that were answered."""
        return [
            operation
            for operation in self.operations
            if operation.op is Op.READ and operation.answer.sample is not None
        ]

    @cached_property
    def by_owner(self) -> dict[tuple[str, str], list[Operation]]:
        """Operations by (user, key), in the order in which they ended."""
        found: defaultdict[tuple[str, str], list[Operation]] = defaultdict(list)
        for operation in self.operations:
            if operation.op is not Op.READ:
                found[operation.owner].append(operation)
        return dict(found)

    @cached_property
    def answered(self) -> dict[str, list[Operation]]:
        """Operations by the transfer that their answer names; stale answers left out."""
        found: defaultdict[str, list[Operation]] = defaultdict(list)
        for operation in self.operations:
            answer = operation.answer
            if answer.transfer is not None and not answer.stale:
                found[answer.transfer].append(operation)
        return dict(found)

    @cached_property
    def transactions(self) -> dict[str, TransactionRow]:
        """Transaction rows by id."""
        return {row.id: row for row in self.state.transactions}

    @cached_property
    def recent(self) -> list[TransactionRow]:
        """Transaction rows of this run: at or after the baseline."""
        since = self.history.header.baseline.transactions
        return [row for row in self.state.transactions if row.created >= since]

    @cached_property
    def rows_by_owner(self) -> dict[tuple[str, str], list[TransactionRow]]:
        """Transaction rows by (user, key)."""
        found: defaultdict[tuple[str, str], list[TransactionRow]] = defaultdict(list)
        for row in self.state.transactions:
            found[(row.user, row.key)].append(row)
        return dict(found)

    @cached_property
    def postings(self) -> dict[str, PostingRow]:
        """The ledger's records by transfer id."""
        return {row.id: row for row in self.state.postings}

    @cached_property
    def recent_postings(self) -> list[PostingRow]:
        """The ledger's records of this run: at or after the baseline."""
        since = self.history.header.baseline.ledger
        return [row for row in self.state.postings if row.created >= since]

    @cached_property
    def legs(self) -> dict[str, list[EntryRow]]:
        """Entries by transfer id."""
        found: defaultdict[str, list[EntryRow]] = defaultdict(list)
        for entry in self.state.entries:
            found[entry.transfer].append(entry)
        return dict(found)

    @cached_property
    def entries_of(self) -> dict[str, list[EntryRow]]:
        """Entries by account id."""
        found: defaultdict[str, list[EntryRow]] = defaultdict(list)
        for entry in self.state.entries:
            found[entry.account].append(entry)
        return dict(found)

    @cached_property
    def system_accounts(self) -> frozenset[str]:
        """Accounts without a limit: they stand for the outside world."""
        return frozenset(row.id for row in self.state.accounts if row.overdraft is None)

    @cached_property
    def open_holds(self) -> list[HoldRow]:
        """Holds that are neither captured nor voided nor expired."""
        return [hold for hold in self.state.holds if hold.status == HOLD_OPEN]
