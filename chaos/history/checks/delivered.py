"""Check 8: outbox + delivered = transfers, and each consumer's effect happens once.

Every settled transaction has exactly one event of its kind, and none of a kind that is not true of
it. The event waits in the outbox, or every consumer has it in its inbox; a consumer that has
processed it shows its effect, once per recipient. An inbox forgets the content of what it has
processed (the row's type is then empty), so such a row counts as whichever event has no other trace.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from chaos.history.case import Case
from chaos.history.events import Status
from chaos.history.state import MessageRow, TransactionRow
from chaos.history.verdict import Check, Findings

EVENTS_OF: Final = {
    Status.PENDING: (),
    Status.COMPLETED: ("transaction.completed",),
    Status.FAILED: ("transaction.failed",),
    Status.REVERSED: ("transaction.completed", "transaction.reversed"),
}
KINDS: Final = frozenset(kind for kinds in EVENTS_OF.values() for kind in kinds)

WITHOUT_EFFECT: Final = frozenset({"REVERSAL"})
"""Kinds of transaction whose events are delivered and need no effect: both sides of a reversal are
told by the event of the transaction that it takes back."""


class _Post:
    """Where the events are."""

    def __init__(self, case: Case) -> None:
        self.consumers = case.state.consumers
        self.outbox: defaultdict[str, list[MessageRow]] = defaultdict(list)
        for message in case.state.outbox:
            self.outbox[message.transfer].append(message)
        self.inbox: defaultdict[tuple[str, str], list[MessageRow]] = defaultdict(list)
        for message in case.state.inbox:
            self.inbox[(message.consumer, message.transfer)].append(message)
        self.effects: Counter[tuple[str, str, str, str]] = Counter(
            (effect.consumer, effect.transfer, effect.type, effect.recipient)
            for effect in case.state.effects
        )
        self.acted = {(consumer, transfer, kind) for consumer, transfer, kind, _ in self.effects}


def run(case: Case, findings: Findings) -> None:
    if not case.state.consumers:
        return
    post = _Post(case)
    for row in case.recent:
        owed = EVENTS_OF[row.status]
        findings.saw(len(owed))
        for consumer in post.consumers:
            for problem in _Delivery(post, row, owed, consumer).problems():
                findings.violated(f"transaction {row.id} is {row.status}; {problem}")
    for (consumer, transfer, kind, recipient), count in post.effects.items():
        if count > 1:
            findings.violated(
                f"{consumer} told {recipient} {count} times of {kind} of transaction {transfer}"
            )


class _Delivery:
    """The events of one transaction, on their way to one consumer."""

    def __init__(
        self, post: _Post, row: TransactionRow, owed: tuple[str, ...], consumer: str
    ) -> None:
        self._owed = owed
        self._consumer = consumer
        self._silent = row.type in WITHOUT_EFFECT
        self._acted = {kind for kind in KINDS if (consumer, row.id, kind) in post.acted}
        self._waiting = {message.id: message for message in post.outbox.get(row.id, ())}
        arrived = post.inbox.get((consumer, row.id), ())
        # A message in both has been published, and its outbox row is about to go.
        self._arrived = [message for message in arrived if message.id not in self._waiting]

    def problems(self) -> Iterator[str]:
        yield from self._too_many()
        told = {message.type for message in (*self._waiting.values(), *self._arrived)}
        # Rows without content, less those that stand behind an effect.
        forgotten = sum(1 for message in self._arrived if message.done and not message.type)
        forgotten -= len(self._acted - told)
        for kind in self._owed:
            if kind in self._acted:
                continue
            if kind in told:
                yield from self._unprocessed(kind)
            elif forgotten > 0:
                forgotten -= 1
                yield from self._without_effect(kind)
            else:
                yield f"its {kind} is neither in the outbox nor delivered to {self._consumer}"

    def _too_many(self) -> Iterator[str]:
        ids = self._waiting.keys() | {message.id for message in self._arrived}
        if len(ids) > len(self._owed):
            yield f"{len(ids)} events tell of it instead of {len(self._owed)}"
        told = {message.type for message in (*self._waiting.values(), *self._arrived)}
        for kind in sorted((told | self._acted) & KINDS - set(self._owed)):
            yield f"an event says {kind}"

    def _unprocessed(self, kind: str) -> Iterable[str]:
        """What is wrong with an event that is there and has had no effect."""
        if any(message.type == kind for message in self._waiting.values()):
            return ()
        if any(message.type == kind and not message.done for message in self._arrived):
            return (f"{self._consumer} has not processed its {kind}",)
        return self._without_effect(kind)

    def _without_effect(self, kind: str) -> Iterable[str]:
        return () if self._silent else (f"{self._consumer} took its {kind} without effect",)


CHECK = Check(
    number=8,
    name="delivered",
    law="outbox + delivered = transfers, each consumer effect once",
    counts="events owed",
    run=run,
)
