"""A correct bank in memory, worked in small steps, so that clients and faults fall in between.

It is the checker's counterpart: whatever this bank does, every check must stay green. The banks in
`mutant_banks` each break one promise of it.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_URL, uuid5

import msgspec

from chaos.history.case import Kind
from chaos.history.checker import Report, check
from chaos.history.client import Command, Outcome, Parties, Party, SampleError
from chaos.history.driver import DriveConfig, Run, drive
from chaos.history.events import Answer, Op, Sample, Status, read_history
from chaos.history.state import (
    POSTED,
    REFUSED,
    AccountRow,
    EffectRow,
    EntryRow,
    HoldRow,
    MessageRow,
    PostingRow,
    ServerState,
    TransactionRow,
)

EXTERNAL: Final = "external"
CONSUMER: Final = "notifications"
TYPES: Final = {
    Op.TRANSFER: "TRANSFER",
    Op.DEPOSIT: "DEPOSIT",
    Op.WITHDRAW: "WITHDRAWAL",
    Op.REVERSE: "REVERSAL",
}


def name(*parts: str) -> str:
    """A deterministic id."""
    return str(uuid5(NAMESPACE_URL, "/".join(parts)))


@dataclass(slots=True)
class Account:
    balance: int = 0
    held: int = 0
    overdraft: int | None = 0


@dataclass(slots=True)
class ModelBank:
    """Accepts, posts, finishes, relays and consumes: each a step of its own.

    `ordered`: whether entries tell their order. `forgetful_inbox`: whether a processed message keeps
    its content.
    """

    random: random.Random
    ordered: bool = True
    forgetful_inbox: bool = False
    accounts: dict[str, Account] = field(default_factory=dict)
    rows: dict[str, TransactionRow] = field(default_factory=dict)
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    postings: dict[str, PostingRow] = field(default_factory=dict)
    entries: list[EntryRow] = field(default_factory=list)
    holds: list[HoldRow] = field(default_factory=list)
    outbox: list[MessageRow] = field(default_factory=list)
    broker: list[MessageRow] = field(default_factory=list)
    inbox: dict[tuple[str, str], MessageRow] = field(default_factory=dict)
    effects: list[EffectRow] = field(default_factory=list)
    todo: deque[Callable[[], None]] = field(default_factory=deque)

    def open_accounts(self, count: int) -> Parties:
        """Open `count` customers' accounts and the system's own."""
        self.accounts[EXTERNAL] = Account(overdraft=None)
        people = [Party(name("user", str(n)), name("account", str(n))) for n in range(count)]
        self.accounts.update((party.account, Account()) for party in people)
        return Parties(tuple(people), Party(name("staff"), name("staff-account")))

    # Clients.

    def accept(self, command: Command) -> str:
        """Take a command over as PENDING, once per (user, key). Return the transfer's id."""
        owner = (command.party.user, command.key)
        known = self.keys.get(owner)
        if known is not None:
            return known
        transfer = self.id_for(command)
        self.keys[owner] = transfer
        if transfer not in self.rows:
            self.begin(transfer, self.as_booked(command))
        return transfer

    def as_booked(self, command: Command) -> Command:
        """A reversal moves what the books say of its original, whatever the client says."""
        if command.op is not Op.REVERSE:
            return command
        booked = self.postings[str(command.request.target)]
        request = msgspec.structs.replace(
            command.request, debit=booked.credit, credit=booked.debit, amount=booked.amount
        )
        return replace(command, request=request)

    def id_for(self, command: Command) -> str:
        if command.op is Op.REVERSE:
            return name("reversal", str(command.request.target))
        return name("transfer", command.party.user, command.key)

    def begin(self, transfer: str, command: Command) -> None:
        request = command.request
        debit, credit = request.debit or EXTERNAL, request.credit or EXTERNAL
        self.rows[transfer] = TransactionRow(
            id=transfer,
            user=command.party.user,
            key=command.key,
            type=TYPES[command.op],
            status=Status.PENDING,
            amount=request.amount,
            currency=request.currency,
            reverses=request.target,
        )
        self.todo.append(lambda: self.post(transfer, debit, credit))

    def answer(self, user: str, key: str) -> Answer:
        """What the platform says of a key now."""
        transfer = self.keys.get((user, key))
        if transfer is None:
            return Answer()
        return Answer(transfer=transfer, status=self.rows[transfer].status)

    def look_up(self, user: str, key: str) -> Answer:
        """What `transaction(idempotencyKey:)` says."""
        return self.answer(user, key)

    # The ledger.

    def post(self, transfer: str, debit: str, credit: str) -> None:
        """Post both legs at once, or refuse for ever."""
        row = self.rows[transfer]
        posted = self.may_post(row, debit)
        self.record(row, debit, credit, POSTED if posted else REFUSED)
        if posted:
            self.move(row, debit, 1, -row.amount)
            self.move(row, credit, 2, row.amount)
        self.todo.append(lambda: self.finish(transfer, posted))

    def may_post(self, row: TransactionRow, debit: str) -> bool:
        account = self.accounts[debit]
        if account.overdraft is None:
            return True
        return account.balance - account.held + account.overdraft >= row.amount

    def record(self, row: TransactionRow, debit: str, credit: str, status: str) -> None:
        self.postings[row.id] = PostingRow(
            row.id, status, debit, credit, row.amount, row.currency, row.reverses
        )

    def move(self, row: TransactionRow, account_id: str, leg: int, amount: int) -> None:
        account = self.accounts[account_id]
        account.balance += amount
        order = len(self.entries) if self.ordered else None
        self.entries.append(EntryRow(row.id, leg, account_id, amount, account.balance, order))

    # The transactions service.

    def finish(self, transfer: str, posted: bool) -> None:
        """Write the ledger's answer down, with its event in the outbox."""
        row = self.rows[transfer]
        self.set_status(transfer, Status.COMPLETED if posted else Status.FAILED)
        self.emit(transfer, "transaction.completed" if posted else "transaction.failed")
        if posted and row.reverses is not None:
            self.set_status(row.reverses, Status.REVERSED)
            self.emit(row.reverses, "transaction.reversed")

    def set_status(self, transfer: str, status: Status) -> None:
        self.rows[transfer] = msgspec.structs.replace(self.rows[transfer], status=status)

    def emit(self, transfer: str, kind: str) -> None:
        self.outbox.append(MessageRow(name("message", transfer, kind), kind, transfer))

    # Messages.

    def relay(self) -> None:
        """Publish the oldest outbox row; sometimes twice, when the first confirm is lost."""
        message = self.outbox[0]
        self.broker.append(message)
        if self.random.random() < 0.9:
            self.outbox.pop(0)

    def consume(self) -> None:
        """Process a message, its inbox row and its effect in one transaction."""
        message = self.broker.pop(0)
        if (CONSUMER, message.id) not in self.inbox:
            self.take(message)
            self.notify(message)

    def take(self, message: MessageRow) -> None:
        kept = "" if self.forgetful_inbox else message.type
        self.inbox[(CONSUMER, message.id)] = MessageRow(
            message.id, kept, message.transfer, CONSUMER, done=True
        )

    def notify(self, message: MessageRow) -> None:
        row = self.rows[message.transfer]
        if row.type != "REVERSAL":  # the event of what it takes back tells both sides
            self.effects.append(EffectRow(CONSUMER, message.type, message.transfer, row.user))

    # Time.

    def step(self) -> bool:
        """Do one thing that is there to be done. Return whether there was one."""
        choices: list[Callable[[], None]] = []
        if self.todo:
            choices.append(lambda: self.todo.popleft()())
        if self.outbox:
            choices.append(self.relay)
        if self.broker:
            choices.append(self.consume)
        if choices:
            self.random.choice(choices)()
        return bool(choices)

    def settle(self) -> None:
        """Work until there is nothing left to do."""
        while self.step():
            pass

    # The auditor.

    def sample(self) -> Sample:
        overdrawn = tuple(
            account_id
            for account_id, account in self.accounts.items()
            if account.overdraft is not None and account.balance - account.held < -account.overdraft
        )
        total = sum(account.balance for account in self.accounts.values())
        return Sample({"BRL": total}, len(self.accounts), overdrawn)

    def state(self) -> ServerState:
        return ServerState(
            accounts=tuple(
                AccountRow(account_id, "BRL", account.balance, account.held, account.overdraft)
                for account_id, account in self.accounts.items()
            ),
            entries=tuple(self.entries),
            postings=tuple(self.postings.values()),
            holds=tuple(self.holds),
            transactions=tuple(self.rows.values()),
            outbox=tuple(self.outbox),
            inbox=tuple(self.inbox.values()),
            effects=tuple(self.effects),
            consumers=(CONSUMER,),
        )


@dataclass(frozen=True, slots=True)
class Weather:
    """Probabilities of what goes wrong between a client and the bank."""

    lose_request: float = 0.05
    lose_answer: float = 0.1
    refuse: float = 0.05
    lose_sample: float = 0.02


LOST: Final = Outcome(Kind.INFO, Answer(code="TIMEOUT"), retry=True)


@dataclass(slots=True)
class ModelClient:
    """Brings the bank and the driver together, and loses some of what goes between them."""

    bank: ModelBank
    weather: Weather = field(default_factory=Weather)

    async def enrol(self, customers: int) -> Parties:
        return self.bank.open_accounts(customers)

    async def perform(self, command: Command) -> Outcome:
        await self.elapse()
        chance = self.bank.random.random
        if chance() < self.weather.refuse:
            return Outcome(Kind.FAIL, Answer(code="RATE_LIMITED"), retry=True)
        if chance() < self.weather.lose_request:
            return LOST
        self.bank.accept(command)
        await self.elapse()
        return self.heard(self.bank.answer(command.party.user, command.key))

    async def find(self, party: Party, key: str) -> Outcome:
        await self.elapse()
        return self.heard(self.bank.look_up(party.user, key))

    async def sample(self) -> Sample:
        if self.bank.random.random() < self.weather.lose_sample:
            raise SampleError("the database is away")
        return self.bank.sample()

    async def elapse(self, _seconds: float = 0.0) -> None:
        """Let others run, and the bank do some of its work."""
        for _ in range(self.bank.random.randint(1, 4)):
            await asyncio.sleep(0)
            self.bank.step()

    def heard(self, answer: Answer) -> Outcome:
        if self.bank.random.random() < self.weather.lose_answer:
            return LOST
        kind = Kind.FAIL if answer.status is Status.FAILED else Kind.OK
        return Outcome(kind, answer)


SMALL: Final = DriveConfig(
    operations=60,
    in_flight=6,
    customers=4,
    funds=1_000,
    max_amount=400,
    repeat=0.2,
    max_attempts=6,
)


async def live(
    bank: ModelBank, path: Path, config: DriveConfig = SMALL, weather: Weather | None = None
) -> tuple[Run, Report]:
    """Drive a bank, let it come to rest, and judge it."""
    client = ModelClient(bank, weather or Weather())
    run = await drive(config, client, path, sampler=client, sleep=client.elapse)
    bank.settle()
    return run, check(read_history(path), bank.state())
