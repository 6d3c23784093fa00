"""Check 8: outbox + delivered = transfers, and each consumer's effect happens once.

Every settled transaction has exactly one event of its kind, and none of a kind that is not true of
it. The event lies in the outbox, or every consumer has it in its inbox; a consumer that has processed
it shows its effect, once per recipient. An inbox may forget the content of what it has processed (the
row's type is then empty): the effect stands for it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
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

_Fact = tuple[str, str]
"""(transfer, event type): what an event tells."""


class _Post:
    """Where the events are: by what they tell."""

    def __init__(self, case: Case) -> None:
        self.consumers = case.state.consumers
        self.waiting = _by_fact(case.state.outbox)
        self.arrived = _by_fact(case.state.inbox)
        self.effects: Counter[tuple[str, str, str, str]] = Counter(
            (effect.transfer, effect.type, effect.consumer, effect.recipient)
            for effect in case.state.effects
        )
        self.acted = {(transfer, kind, who) for transfer, kind, who, _ in self.effects}

    def tells(self, transfer: str, kind: str) -> bool:
        """Whether the event waits, has arrived, or has left an effect."""
        fact = (transfer, kind)
        return (
            fact in self.waiting
            or fact in self.arrived
            or any((*fact, consumer) in self.acted for consumer in self.consumers)
        )


def run(case: Case, findings: Findings) -> None:
    if not case.state.consumers:
        return
    post = _Post(case)
    for row in case.recent:
        owed = EVENTS_OF[row.status]
        findings.saw(len(owed))
        for kind in owed:
            for problem in _problems(post, row, kind):
                findings.violated(f"transaction {row.id} is {row.status}; {problem}")
        for kind in KINDS.difference(owed):
            if post.tells(row.id, kind):
                findings.violated(f"transaction {row.id} is {row.status}; an event says {kind}")
    for (transfer, kind, consumer, recipient), count in post.effects.items():
        if count > 1:
            findings.violated(
                f"{consumer} told {recipient} {count} times of {kind} of transaction {transfer}"
            )


def _problems(post: _Post, row: TransactionRow, kind: str) -> Iterable[str]:
    """Yield what is wrong with one event that a transaction owes."""
    fact = (row.id, kind)
    waiting, arrived = post.waiting.get(fact, []), post.arrived.get(fact, [])
    if not post.tells(row.id, kind):
        yield f"its {kind} is neither in the outbox nor delivered"
        return
    ids = {message.id for message in (*waiting, *arrived)}
    if len(ids) > 1:
        yield f"it has {len(ids)} events {kind}"
    if waiting:
        return
    for consumer in post.consumers:
        mine = [message for message in arrived if message.consumer == consumer]
        acted = (*fact, consumer) in post.acted
        if not mine and not acted:
            yield f"its {kind} never reached {consumer}"
        elif not acted:
            done = all(message.done for message in mine)
            yield f"{consumer} {'took' if done else 'has not processed'} its {kind}, without effect"


def _by_fact(messages: Iterable[MessageRow]) -> dict[_Fact, list[MessageRow]]:
    found: defaultdict[_Fact, list[MessageRow]] = defaultdict(list)
    for message in messages:
        found[(message.transfer, message.type)].append(message)
    return dict(found)


CHECK = Check(
    number=8,
    name="delivered",
    law="outbox + delivered = transfers, each consumer effect once",
    counts="events owed",
    run=run,
)
