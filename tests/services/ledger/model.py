"""What a ledger is, said a second time and as simply as possible: the model that the real one must match."""

from dataclasses import dataclass, field
from typing import Any

Outcome = tuple[str, str | None, int | None, int | None]
"""Status, reason, balance of the debited account, balance of the credited one."""


@dataclass
class ModelAccount:
    balance: int = 0
    held: int = 0
    overdraft: int | None = 0
    active: bool = True


@dataclass
class Known:
    kind: str
    debit: Any
    credit: Any
    amount: int
    reverses: Any
    outcome: Outcome


@dataclass
class ModelHold:
    debit: Any
    credit: Any
    amount: int
    status: str = "HELD"
    captured: int | None = None


@dataclass
class Model:
    """One step at a time; ids and accounts are whatever the test calls them."""

    accounts: dict[Any, ModelAccount]
    known: dict[Any, Known] = field(default_factory=dict)
    holds: dict[Any, ModelHold] = field(default_factory=dict)

    def available(self, account: Any) -> float:
        it = self.accounts[account]
        return float("inf") if it.overdraft is None else it.balance - it.held + it.overdraft

    def post(
        self, id_: Any, kind: str, debit: Any, credit: Any, amount: int, reverses: Any = None
    ) -> Outcome | str:
        """The outcome, or the code of an error."""
        if (old := self.known.get(id_)) is not None:
            return (
                old.outcome
                if self._same(old, kind, debit, credit, amount, reverses)
                else "MISMATCH"
            )
        if (hold := self.holds.get(id_)) is not None:
            same = (hold.debit, hold.credit, hold.amount) == (debit, credit, amount)
            if kind != "TOMBSTONE" or not same:
                return "MISMATCH"
            self._release(hold, "VOIDED")
        reason = self._refusal(kind, debit, credit, amount, reverses)
        if reason == "MISMATCH":
            return reason
        return self._record(id_, kind, debit, credit, amount, reverses, reason)

    def _same(
        self, old: Known, kind: str, debit: Any, credit: Any, amount: int, reverses: Any
    ) -> bool:
        if (old.debit, old.credit) != (debit, credit):
            return False
        if "TOMBSTONE" in (old.kind, kind):
            return old.amount == amount or old.kind == "HOLD"
        return (old.kind, old.amount, old.reverses) == (kind, amount, reverses)

    def _refusal(
        self, kind: str, debit: Any, credit: Any, amount: int, reverses: Any
    ) -> str | None:
        if kind == "TOMBSTONE":
            return "TRANSFER_ABANDONED"
        if kind == "REVERSAL":
            original = self.known.get(reverses)
            if original and (original.credit, original.debit, original.amount) != (
                debit,
                credit,
                amount,
            ):
                return "MISMATCH"
            if (
                original is None
                or original.outcome[0] == "FAILED"
                or original.kind == "REVERSAL"
                or any(
                    other.reverses == reverses and other.outcome[0] == "POSTED"
                    for other in self.known.values()
                )
            ):
                return "NOT_REVERSIBLE"
        return self._impediment(debit, credit, amount)

    def _impediment(self, debit: Any, credit: Any, amount: int) -> str | None:
        if debit not in self.accounts or credit not in self.accounts:
            return "ACCOUNT_NOT_FOUND"
        if not (self.accounts[debit].active and self.accounts[credit].active):
            return "ACCOUNT_INACTIVE"
        return "INSUFFICIENT_FUNDS" if self.available(debit) < amount else None

    def _record(
        self,
        id_: Any,
        kind: str,
        debit: Any,
        credit: Any,
        amount: int,
        reverses: Any,
        reason: str | None,
    ) -> Outcome:
        if reason is None:
            self.accounts[debit].balance -= amount
            self.accounts[credit].balance += amount
            after = self.accounts[debit].balance, self.accounts[credit].balance
            outcome: Outcome = ("POSTED", None, *after)
        else:
            outcome = ("FAILED", reason, None, None)
        self.known[id_] = Known(kind, debit, credit, amount, reverses, outcome)
        return outcome

    def hold(self, id_: Any, action: str, debit: Any, credit: Any, amount: int) -> tuple[str, ...]:
        """(status of the hold,), ("REJECTED", reason) or ("ERROR", code)."""
        hold = self.holds.get(id_)
        if hold is None:
            return self._without(id_, action, debit, credit, amount)
        fits = amount <= hold.amount if action == "CAPTURE" else amount == hold.amount
        if (hold.debit, hold.credit) != (debit, credit) or not fits:
            return ("ERROR", "TRANSFER_MISMATCH")
        if action == "CAPTURE":
            if hold.status == "CAPTURED" and hold.captured != amount:
                return ("ERROR", "TRANSFER_MISMATCH")
            if hold.status == "HELD":
                self._release(hold, "CAPTURED")
                hold.captured = amount
                self._record(id_, "HOLD", debit, credit, amount, None, None)
        elif action == "VOID" and hold.status == "HELD":
            self._release(hold, "VOIDED")
            self._record(id_, "HOLD", debit, credit, amount, None, "TRANSFER_ABANDONED")
        return (hold.status,)

    def _without(
        self, id_: Any, action: str, debit: Any, credit: Any, amount: int
    ) -> tuple[str, ...]:
        if (old := self.known.get(id_)) is not None:
            same = (
                old.outcome[0] == "FAILED"
                and old.kind in ("HOLD", "TOMBSTONE")
                and (old.debit, old.credit) == (debit, credit)
                and (action == "CAPTURE" or old.amount == amount)
            )
            reason = old.outcome[1]
            return ("REJECTED", str(reason)) if same else ("ERROR", "TRANSFER_MISMATCH")
        if action in ("CAPTURE", "EXPIRE"):
            return ("ERROR", "TRANSACTION_NOT_FOUND")
        reason = (
            "TRANSFER_ABANDONED" if action == "VOID" else self._impediment(debit, credit, amount)
        )
        if reason is not None:
            self._record(id_, "HOLD", debit, credit, amount, None, reason)
            return ("REJECTED", reason)
        self.holds[id_] = ModelHold(debit, credit, amount)
        self.accounts[debit].held += amount
        return ("HELD",)

    def _release(self, hold: ModelHold, status: str) -> None:
        self.accounts[hold.debit].held -= hold.amount
        hold.status = status
