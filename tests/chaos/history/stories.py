"""Short histories and snapshots, told by hand."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from chaos.history.events import (
    Answer,
    Baseline,
    Event,
    Fail,
    History,
    Info,
    Invoke,
    Ok,
    Op,
    Request,
    Sample,
    Status,
    header,
)
from chaos.history.state import (
    POSTED,
    AccountRow,
    EffectRow,
    EntryRow,
    PostingRow,
    ServerState,
    TransactionRow,
)

ANA, BIA, OUTSIDE = "account-ana", "account-bia", "account-outside"
USER = "user-ana"
TRANSFER = Request(user=USER, debit=ANA, credit=BIA, amount=30, currency="BRL")
QUESTION = Request(user=USER)
CONSUMER = "notifications"


@dataclass(slots=True)
class Story:
    """Events in the order told, a second apart."""

    events: list[Event] = field(default_factory=list)
    baseline: Baseline = field(default_factory=Baseline)

    def asks(
        self,
        process: int = 0,
        op: Op = Op.TRANSFER,
        key: str = "key-1",
        request: Request = TRANSFER,
    ) -> "Story":
        self.events.append(Invoke(time=self._now(), process=process, op=op, key=key, value=request))
        return self

    def hears(
        self, process: int = 0, op: Op = Op.TRANSFER, key: str = "key-1", **answer: object
    ) -> "Story":
        value = Answer(**answer)  # type: ignore[arg-type]
        kind = Fail if value.status is Status.FAILED or value.code else Ok
        self.events.append(kind(time=self._now(), process=process, op=op, key=key, value=value))
        return self

    def loses(self, process: int = 0, op: Op = Op.TRANSFER, key: str = "key-1") -> "Story":
        self.events.append(Info(time=self._now(), process=process, op=op, key=key))
        return self

    def finds(self, process: int = 0, key: str = "key-1", **answer: object) -> "Story":
        self.asks(process, Op.FIND, key, QUESTION)
        value = Answer(**answer)  # type: ignore[arg-type]
        self.events.append(Ok(time=self._now(), process=process, op=Op.FIND, key=key, value=value))
        return self

    def reads(self, total: int = 0, overdrawn: Iterable[str] = ()) -> "Story":
        self.asks(99, Op.READ, "", Request())
        sample = Sample({"BRL": total}, 3, tuple(overdrawn))
        return self.hears(99, Op.READ, "", sample=sample)

    def told(self) -> History:
        return History(header(run="story", baseline=self.baseline), tuple(self.events))

    def _now(self) -> int:
        return len(self.events) * 1_000_000_000


def acknowledged(transfer: str = "t-1", key: str = "key-1") -> Story:
    """A transfer that was answered as COMPLETED."""
    return Story().asks(key=key).hears(key=key, transfer=transfer, status=Status.COMPLETED)


@dataclass(slots=True)
class Books:
    """A ledger and its transactions, kept consistent until a test says otherwise."""

    balances: dict[str, int] = field(default_factory=lambda: {ANA: 0, BIA: 0, OUTSIDE: 0})
    entries: list[EntryRow] = field(default_factory=list)
    postings: list[PostingRow] = field(default_factory=list)
    transactions: list[TransactionRow] = field(default_factory=list)
    effects: list[EffectRow] = field(default_factory=list)

    def posts(
        self,
        transfer: str = "t-1",
        key: str = "key-1",
        debit: str = ANA,
        credit: str = BIA,
        amount: int = 30,
        created: int = 0,
        status: Status = Status.COMPLETED,
        type_: str = "TRANSFER",
        reverses: str | None = None,
    ) -> "Books":
        for leg, (account, moved) in enumerate(((debit, -amount), (credit, amount)), start=1):
            self.balances[account] += moved
            order = len(self.entries)
            after = self.balances[account]
            self.entries.append(EntryRow(transfer, leg, account, moved, after, order))
        self.postings.append(
            PostingRow(transfer, POSTED, debit, credit, amount, "BRL", reverses, created)
        )
        self.transactions.append(
            TransactionRow(
                transfer,
                USER,
                key,
                type_,
                status,
                amount,
                "BRL",
                reverses=reverses,
                created=created,
            )
        )
        self.effects.append(EffectRow(CONSUMER, "transaction.completed", transfer, USER))
        return self

    def refuses(self, transfer: str = "t-1", key: str = "key-1") -> "Books":
        self.transactions.append(
            TransactionRow(transfer, USER, key, "TRANSFER", Status.FAILED, 30, "BRL")
        )
        self.effects.append(EffectRow(CONSUMER, "transaction.failed", transfer, USER))
        return self

    def state(self, **changes: object) -> ServerState:
        accounts = tuple(
            AccountRow(name, "BRL", balance, 0, None if name == OUTSIDE else 100)
            for name, balance in self.balances.items()
        )
        given: dict[str, object] = {
            "accounts": accounts,
            "entries": tuple(self.entries),
            "postings": tuple(self.postings),
            "transactions": tuple(self.transactions),
            "effects": tuple(self.effects),
            "consumers": (CONSUMER,),
        }
        return ServerState(**(given | changes))  # type: ignore[arg-type]
