"""A ledger in memory that keeps the real one's rules, and fails as a test tells it to."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import Enum, auto
from uuid import UUID

from chassis import codes
from chassis.context import Call
from services.ledger.contract import (
    FailureReason,
    Posted,
    Posting,
    PostingKind,
    PostingResult,
    PostingStatus,
    account_id_of,
    external_account,
)

OVERDRAFT_OF_THE_WORLD = 10**18


class Fault(Enum):
    """What happens to one call."""

    NONE = auto()
    REFUSED = auto()
    """The connection is refused: nothing is done, and the caller knows."""
    LOST_BEFORE = auto()
    """Nothing is done, but the caller cannot know."""
    LOST_AFTER = auto()
    """All is done, and the answer is lost."""
    LATE = auto()
    """The caller gives up; the request arrives when `deliver_late` is called."""
    ITEMS_UNKNOWN = auto()
    """The answer comes and says of each posting that its outcome is unknown; nothing is done."""
    SURPRISE = auto()
    """An exception that nobody expects, after all is done."""


class ScriptedLedger:
    """Implements the posting port.

    Attributes:
        balances: by account; accounts that are not here do not exist.
        book: the outcome of every id.
        moved: how often money moved per id: more than once is a bug of the ledger or of this class.
        calls: the postings of each call, in order.
        script: faults of the coming calls; none when empty.
        gate: while unset, calls wait for it before they are carried out.
    """

    def __init__(self) -> None:
        self.balances: dict[UUID, int] = {external_account("BRL"): OVERDRAFT_OF_THE_WORLD}
        self.book: dict[UUID, Posted] = {}
        self.postings: dict[UUID, Posting] = {}
        self.moved: Counter[UUID] = Counter()
        self.calls: list[list[Posting]] = []
        self.script: deque[Fault] = deque()
        self.gate = asyncio.Event()
        self.gate.set()
        self.late: list[Posting] = []
        self.on_call: Callable[[], None] = lambda: None

    def open(self, user_id: UUID, balance: int = 0) -> UUID:
        """An account for the user."""
        account = account_id_of(user_id)
        self.balances[account] = balance
        return account

    def balance(self, user_id: UUID) -> int:
        return self.balances[account_id_of(user_id)]

    def sent(self, kind: PostingKind) -> int:
        """How many postings of that kind have been sent."""
        return sum(posting.kind is kind for call in self.calls for posting in call)

    async def post(self, call: Call, postings: Sequence[Posting]) -> Sequence[PostingResult]:
        self.calls.append(list(postings))
        self.on_call()
        fault = self.script.popleft() if self.script else Fault.NONE
        try:
            async with asyncio.timeout(call.deadline.remaining()):
                await self.gate.wait()
        except TimeoutError:
            raise codes.OUTCOME_UNKNOWN.error(service="ledger") from None
        await asyncio.sleep(0)  # a request on its way …
        results = self._carry_out(fault, postings)
        await asyncio.sleep(0)  # … and an answer
        return results

    def _carry_out(self, fault: Fault, postings: Sequence[Posting]) -> Sequence[PostingResult]:
        if fault is Fault.REFUSED:
            raise codes.UNAVAILABLE.error(service="ledger")
        if fault is Fault.LOST_BEFORE:
            raise codes.OUTCOME_UNKNOWN.error(service="ledger")
        if fault is Fault.LATE:
            self.late.extend(postings)
            raise codes.OUTCOME_UNKNOWN.error(service="ledger")
        if fault is Fault.ITEMS_UNKNOWN:
            return [
                PostingResult(transfer_id=item.transfer_id, posted=None, error="OUTCOME_UNKNOWN")
                for item in postings
            ]
        results = [self.decide(posting) for posting in postings]
        if fault is Fault.LOST_AFTER:
            raise codes.OUTCOME_UNKNOWN.error(service="ledger")
        if fault is Fault.SURPRISE:
            raise ZeroDivisionError
        return results

    def refuse(self, transfer_id: UUID) -> None:
        """Deny that this id was ever posted."""
        self.book[transfer_id] = self._refuse(
            self.postings[transfer_id], FailureReason.INSUFFICIENT_FUNDS
        )

    def deliver_late(self) -> None:
        """The requests that were under way for so long arrive."""
        late, self.late = self.late, []
        for posting in late:
            self.decide(posting)

    def decide(self, posting: Posting) -> PostingResult:
        """Carry one posting out, by the ledger's rules."""
        known = self.book.get(posting.transfer_id)
        if known is None:
            reason = self._impediment(posting)
            known = self._post(posting) if reason is None else self._refuse(posting, reason)
            self.book[posting.transfer_id] = known
            self.postings[posting.transfer_id] = posting
        elif not _same(self.postings[posting.transfer_id], posting):
            return PostingResult(
                transfer_id=posting.transfer_id, posted=None, error="TRANSFER_MISMATCH"
            )
        return PostingResult(transfer_id=posting.transfer_id, posted=known)

    def _impediment(self, posting: Posting) -> FailureReason | None:
        if posting.kind is PostingKind.TOMBSTONE:
            return FailureReason.TRANSFER_ABANDONED
        if posting.kind is PostingKind.REVERSAL:
            original = self.book.get(posting.reverses) if posting.reverses else None
            if original is None or original.status is not PostingStatus.POSTED:
                return FailureReason.NOT_REVERSIBLE
        if posting.debit not in self.balances or posting.credit not in self.balances:
            return FailureReason.ACCOUNT_NOT_FOUND
        if self.balances[posting.debit] < posting.amount:
            return FailureReason.INSUFFICIENT_FUNDS
        return None

    def _post(self, posting: Posting) -> Posted:
        self.moved[posting.transfer_id] += 1
        self.balances[posting.debit] -= posting.amount
        self.balances[posting.credit] += posting.amount
        return Posted(
            transfer_id=posting.transfer_id,
            status=PostingStatus.POSTED,
            reason=None,
            debit_balance=self.balances[posting.debit],
            credit_balance=self.balances[posting.credit],
            posted_at=datetime.now(UTC),
        )

    def _refuse(self, posting: Posting, reason: FailureReason) -> Posted:
        return Posted(
            transfer_id=posting.transfer_id,
            status=PostingStatus.FAILED,
            reason=reason,
            debit_balance=None,
            credit_balance=None,
            posted_at=datetime.now(UTC),
        )


def _same(known: Posting, posting: Posting) -> bool:
    fields = (known.debit, known.credit, known.amount, known.currency)
    same = fields == (posting.debit, posting.credit, posting.amount, posting.currency)
    if PostingKind.TOMBSTONE in (known.kind, posting.kind):
        return same
    return same and (known.kind, known.reverses) == (posting.kind, posting.reverses)
