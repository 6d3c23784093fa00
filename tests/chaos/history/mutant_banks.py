"""Banks that each break one promise, and the check that must notice.

`MUTANTS` is the table: a mutant, and exactly the checks that turn red on it. Most break one law and
keep all others, so that a check proves itself alone.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from chaos.history.client import Command
from chaos.history.events import Answer, Op, Status
from chaos.history.state import POSTED, REFUSED, EffectRow, HoldRow, MessageRow, TransactionRow
from tests.chaos.history.model_bank import CONSUMER, EXTERNAL, ModelBank, name


class CommitsLater(ModelBank):
    """Acknowledges before the commit is on disk (`synchronous_commit=off`), and is then killed."""

    tail = 10

    def settle(self) -> None:
        super().settle()
        for transfer in list(self.postings)[-self.tail :][::-1]:
            self.forget(transfer)

    def forget(self, transfer: str) -> None:
        """Undo a transfer as if it had never been: the survivors' books still balance."""
        row = self.rows.pop(transfer)
        if row.status is Status.COMPLETED and row.reverses is not None:
            self.set_status(row.reverses, Status.COMPLETED)
            self.unsay(row.reverses, "transaction.reversed")
        self.postings.pop(transfer)
        self.unpost(transfer)
        for kind in ("transaction.completed", "transaction.failed", "transaction.reversed"):
            self.unsay(transfer, kind)

    def unpost(self, transfer: str) -> None:
        kept = [entry for entry in self.entries if entry.transfer != transfer]
        self.entries.clear()
        for account in self.accounts.values():
            account.balance = 0
        for entry in kept:
            account = self.accounts[entry.account]
            account.balance += entry.amount
            self.entries.append(msgspec.structs.replace(entry, balance_after=account.balance))

    def unsay(self, transfer: str, kind: str) -> None:
        self.inbox.pop((CONSUMER, name("message", transfer, kind)), None)
        self.effects = [e for e in self.effects if (e.transfer, e.type) != (transfer, kind)]


class LosesTheLedgersTail(CommitsLater):
    """Only the ledger commits late: the transactions service still says COMPLETED."""

    def forget(self, transfer: str) -> None:
        row = self.rows[transfer]
        if row.status is Status.COMPLETED and row.reverses is None:
            self.postings.pop(transfer)
            self.unpost(transfer)


class ForgetsKeys(ModelBank):
    """Does not look the idempotency key up: every send is a new transfer."""

    def accept(self, command: Command) -> str:
        if command.op is not Op.REVERSE:
            self.keys.pop((command.party.user, command.key), None)
        return super().accept(command)

    def id_for(self, command: Command) -> str:
        if command.op is Op.REVERSE:
            return super().id_for(command)
        return name("transfer", str(len(self.rows)))


class SplitsLegs(ModelBank):
    """Debits in one transaction and credits in the next."""

    def post(self, transfer: str, debit: str, credit: str) -> None:
        row = self.rows[transfer]
        if not self.may_post(row, debit):
            super().post(transfer, debit, credit)
            return
        self.record(row, debit, credit, POSTED)
        self.move(row, debit, 1, -row.amount)
        self.todo.append(lambda: self.move(row, credit, 2, row.amount))
        self.todo.append(lambda: self.finish(transfer, True))


class PostsOneLeg(ModelBank):
    """Dies between debit and credit, once, and never looks back."""

    def move(self, row: TransactionRow, account_id: str, leg: int, amount: int) -> None:
        if leg == 1 or len(self.entries) < 60 or len(self.entries) > 70:
            super().move(row, account_id, leg, amount)


class MovesMoneyOnFailure(ModelBank):
    """Posts both legs and then reports the transfer as failed."""

    def finish(self, transfer: str, posted: bool) -> None:
        row = self.rows[transfer]
        if posted and row.type == "TRANSFER" and len(self.rows) % 5 == 0:
            self.postings[transfer] = msgspec.structs.replace(
                self.postings[transfer], status=REFUSED
            )
            posted = False
        super().finish(transfer, posted)


class Overdraws(ModelBank):
    """Does not look at the balance."""

    def may_post(self, row: TransactionRow, debit: str) -> bool:
        return True


class Drifts(ModelBank):
    """Changes two balances without an entry; the total stays right."""

    def settle(self) -> None:
        super().settle()
        self.accounts[EXTERNAL].balance -= 7
        next(a for a in self.accounts.values() if a.overdraft == 0).balance += 7


class MiscountsBalances(ModelBank):
    """Writes a wrong resulting balance into an entry."""

    def settle(self) -> None:
        super().settle()
        middle = len(self.entries) // 2
        entry = self.entries[middle]
        self.entries[middle] = msgspec.structs.replace(entry, balance_after=entry.balance_after + 1)


class FallsBackToPending(ModelBank):
    """Answers from a copy that lags behind what was said before."""

    def answer(self, user: str, key: str) -> Answer:
        answer = super().answer(user, key)
        if answer.transfer is not None and self.random.random() < 0.3:
            return Answer(transfer=answer.transfer, status=Status.PENDING)
        return answer


class LosesSightOfKeys(ModelBank):
    """Finds nothing under a key that it has acknowledged."""

    def look_up(self, user: str, key: str) -> Answer:
        return Answer()


class ChangesItsMind(ModelBank):
    """Carries a transfer out that clients were told had failed."""

    def settle(self) -> None:
        super().settle()
        for row in [row for row in self.rows.values() if row.status is Status.FAILED]:
            posting = self.postings[row.id]
            if row.type == "REVERSAL":
                continue
            self.accounts[posting.debit].overdraft = 1_000_000
            self.inbox.pop((CONSUMER, name("message", row.id, "transaction.failed")))
            self.effects = [effect for effect in self.effects if effect.transfer != row.id]
            self.post(row.id, posting.debit, posting.credit)
        super().settle()


class Forges(ModelBank):
    """Has a whole, coherent transfer that nobody asked for."""

    def settle(self) -> None:
        super().settle()
        self.forge("forged")
        super().settle()

    def forge(self, transfer: str) -> None:
        account = next(k for k, a in self.accounts.items() if a.overdraft == 0)
        self.rows[transfer] = TransactionRow(
            transfer, "nobody", "no-key", "DEPOSIT", Status.PENDING, 5, "BRL"
        )
        self.post(transfer, EXTERNAL, account)


class PostsForNobody(Forges):
    """The ledger has a posting that no transaction stands for."""

    def forge(self, transfer: str) -> None:
        super().forge(transfer)
        self.todo.clear()
        self.rows.pop(transfer)


class MovesAnotherAmount(ModelBank):
    """Moves one centavo more than it was asked to, and writes that down everywhere."""

    def begin(self, transfer: str, command: Command) -> None:
        if command.op is Op.TRANSFER:
            more = msgspec.structs.replace(command.request, amount=command.request.amount + 1)
            command = Command(command.op, command.party, command.key, more, command.receiver)
        super().begin(transfer, command)


class PaysSomeoneElse(ModelBank):
    """Credits another account than the one asked for."""

    def post(self, transfer: str, debit: str, credit: str) -> None:
        if self.rows[transfer].type == "TRANSFER" and len(self.entries) > 50:
            credit = next(k for k in self.accounts if k not in {debit, credit, EXTERNAL})
        super().post(transfer, debit, credit)


class LosesOutboxRows(ModelBank):
    """Commits the status, and the event in another transaction that is sometimes lost."""

    def emit(self, transfer: str, kind: str) -> None:
        if self.random.random() > 0.1:
            super().emit(transfer, kind)


class AcksBeforeCommit(ModelBank):
    """The consumer acknowledges a message, and sometimes dies before it has processed it."""

    def consume(self) -> None:
        if self.random.random() < 0.1:
            message = self.broker.pop(0)
            # Redeliveries die with the first: the broker holds it as acknowledged.
            self.outbox = [m for m in self.outbox if m.id != message.id]
            self.broker = [m for m in self.broker if m.id != message.id]
        else:
            super().consume()


class TakesWithoutEffect(ModelBank):
    """Commits the inbox row as done, and the effect in another transaction that is lost."""

    def notify(self, message: MessageRow) -> None:
        if self.random.random() > 0.1:
            super().notify(message)


class ConsumesTwice(ModelBank):
    """Has no inbox: a redelivered message takes effect again."""

    def consume(self) -> None:
        message = self.broker.pop(0)
        self.take(message)
        self.notify(message)


class SaysTheOpposite(ModelBank):
    """Tells consumers that a completed transfer has failed as well."""

    def notify(self, message: MessageRow) -> None:
        super().notify(message)
        if message.type == "transaction.completed" and len(self.effects) % 7 == 0:
            user = self.rows[message.transfer].user
            self.effects.append(EffectRow(CONSUMER, "transaction.failed", message.transfer, user))


class LeavesPending(ModelBank):
    """Has no recovery: a posting that was lost on its way stays PENDING."""

    def begin(self, transfer: str, command: Command) -> None:
        super().begin(transfer, command)
        if command.op is Op.TRANSFER and self.random.random() < 0.1:
            self.todo.pop()


class LeaksHolds(ModelBank):
    """Ends a hold without giving back what it held."""

    def settle(self) -> None:
        super().settle()
        account_id, account = max(
            ((k, a) for k, a in self.accounts.items() if a.overdraft == 0),
            key=lambda item: item[1].balance,
        )
        account.held = 5
        self.holds.append(HoldRow("hold", account_id, 5, self.hold_status()))

    def hold_status(self) -> str:
        return "VOIDED"


class KeepsHolds(LeaksHolds):
    """Never ends a hold; what it holds is at least counted right."""

    def hold_status(self) -> str:
        return "HELD"


class ReversesTwice(ModelBank):
    """Lets every request for a reversal through, not only the first."""

    def id_for(self, command: Command) -> str:
        if command.op is Op.REVERSE:
            return name("reversal", command.key)
        return super().id_for(command)

    def emit(self, transfer: str, kind: str) -> None:
        if all((m.transfer, m.type) != (transfer, kind) for m in self.emitted()):
            super().emit(transfer, kind)

    def emitted(self) -> list[MessageRow]:
        return [*self.outbox, *self.broker, *self.inbox.values()]


class ReversesTheWrongWay(ModelBank):
    """A reversal moves the money the same way once more."""

    def post(self, transfer: str, debit: str, credit: str) -> None:
        if self.rows[transfer].reverses is not None:
            debit, credit = credit, debit
        super().post(transfer, debit, credit)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A broken bank, and exactly the checks that must turn red on it."""

    bank: type[ModelBank]
    red: frozenset[str]


def _mutant(bank: type[ModelBank], *red: str) -> Mutant:
    return Mutant(bank, frozenset(red))


MUTANTS: Final = (
    _mutant(SplitsLegs, "conserved"),
    _mutant(Overdraws, "solvent"),
    _mutant(MovesMoneyOnFailure, "two-legs"),
    _mutant(PostsOneLeg, "conserved", "two-legs"),
    _mutant(Drifts, "replay"),
    _mutant(MiscountsBalances, "replay"),
    _mutant(CommitsLater, "durable"),
    _mutant(ChangesItsMind, "durable"),
    _mutant(LosesTheLedgersTail, "durable", "two-legs"),
    _mutant(ForgetsKeys, "same-answer"),
    _mutant(FallsBackToPending, "same-answer"),
    _mutant(LosesSightOfKeys, "same-answer"),
    _mutant(Forges, "sent"),
    _mutant(PostsForNobody, "sent"),
    _mutant(MovesAnotherAmount, "sent"),
    _mutant(PaysSomeoneElse, "sent"),
    _mutant(LosesOutboxRows, "delivered"),
    _mutant(AcksBeforeCommit, "delivered"),
    _mutant(TakesWithoutEffect, "delivered"),
    _mutant(ConsumesTwice, "delivered"),
    _mutant(SaysTheOpposite, "delivered"),
    _mutant(LeavesPending, "settled"),
    _mutant(KeepsHolds, "settled"),
    _mutant(LeaksHolds, "held"),
    _mutant(ReversesTwice, "one-reversal"),
    _mutant(ReversesTheWrongWay, "one-reversal"),
)
