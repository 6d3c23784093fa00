"""Ordering transactions and reversing them.

Ordering is two steps that each serve many requests at once: *intake* commits the PENDING row with its
idempotency key, *posting* sends it to the ledger and settles it. A request waits for both as long as
its deadline allows; what it leaves behind goes on without it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol
from uuid import UUID

from chassis import codes, logs
from chassis.context import Call, UserIdentity
from chassis.errors import CodedError
from resilience.deadline import Deadline
from services.ledger.contract import POSTING_LIMIT
from services.transactions.coalescer import Backlogged, Coalescer, Stopped, Ticket
from services.transactions.contract import (
    Create,
    Reverse,
    TransactionAnswer,
)
from services.transactions.intake import Begun, Outcome, Replayed, Taken
from services.transactions.leases import Due
from services.transactions.measures import Measures
from services.transactions.requests import DemoRail, draft_of
from services.transactions.rows import Draft, Row
from services.transactions.views import signed_in, view

ANSWER_MARGIN: Final = 0.05
"""Seconds before the deadline at which a request is answered with what is known by then."""

INTAKE_IN_FLIGHT: Final = 2
"""Batches of new transactions being committed: one fills while the other's commit is on its way."""

POSTING_IN_FLIGHT: Final = 4
"""Batches at the ledger or being settled: its group commit joins them; each takes a connection here."""

JOIN: Final = 16
"""Waiting items that are worth a further batch; fewer wait for a running one to end."""

BACKLOG: Final = 4_096
"""Requests that may wait at each step: beyond that they would only wait to be refused."""

_log = logs.get("transfers")


class TakesTransactions(Protocol):
    """The part of `Intake` that this module needs."""

    async def take(self, drafts: Sequence[Draft]) -> Sequence[Outcome]: ...

    async def take_reversal(
        self,
        request: Reverse,
        staff_id: UUID,
        *,
        correlation_id: str,
        traceparent: str | None = None,
    ) -> Taken: ...


PostBatch = Callable[[Sequence[Due]], Awaitable[Sequence[Row]]]

_Posting = Ticket[Due, Row]
_Accepted = tuple[Taken, _Posting | None]


class Transfers:
    """Orders transactions."""

    def __init__(
        self,
        intake: TakesTransactions,
        post: PostBatch,
        measures: Measures,
        *,
        rail: DemoRail,
    ) -> None:
        self._taker = intake
        self._measures = measures
        self._rail = rail
        self._intake: Coalescer[Draft, _Accepted] = Coalescer(
            self._accept,
            batch_limit=POSTING_LIMIT,
            in_flight=INTAKE_IN_FLIGHT,
            backlog_limit=BACKLOG,
            join=JOIN,
        )
        self._posting: Coalescer[Due, Row] = Coalescer(
            post,
            batch_limit=POSTING_LIMIT,
            in_flight=POSTING_IN_FLIGHT,
            backlog_limit=BACKLOG,
            join=JOIN,
        )

    async def create(self, call: Call, request: Create) -> TransactionAnswer:
        """Transfer, deposit or withdraw.

        Raises:
            CodedError: the request is refused, nothing was done (OVERLOADED, UNAVAILABLE,
                DEADLINE_EXCEEDED), or it may have been committed (OUTCOME_UNKNOWN).
        """
        user = signed_in(call)
        draft = draft_of(
            request,
            user.id,
            self._rail,
            correlation_id=call.correlation_id,
            traceparent=call.traceparent,
        )
        waiting = call.deadline.earlier(ANSWER_MARGIN)
        if waiting.expired:
            raise codes.DEADLINE_EXCEEDED.error()
        try:
            ticket = self._intake.offer(draft)
        except Backlogged:
            raise codes.OVERLOADED.error() from None
        try:
            taken, posting = await ticket.wait(waiting.remaining())
        except TimeoutError:
            if self._intake.withdraw(ticket):
                raise codes.DEADLINE_EXCEEDED.error() from None
            raise codes.OUTCOME_UNKNOWN.error() from None
        except Stopped:
            raise codes.OUTCOME_UNKNOWN.error() from None
        except CodedError as error:
            self._count_conflict(error)
            raise
        return await self._answer(user, taken, posting, waiting)

    async def reverse(self, call: Call, request: Reverse) -> TransactionAnswer:
        """Take a completed transaction back; for staff. Attempted once: a reversal that fails is final.

        Raises:
            CodedError: FORBIDDEN, TRANSACTION_NOT_FOUND, NOT_REVERSIBLE, and as `create`.
        """
        user = signed_in(call)
        if not user.is_staff:
            raise codes.FORBIDDEN.error("Only staff reverses transactions.")
        waiting = call.deadline.earlier(ANSWER_MARGIN)
        try:
            taken = await self._taker.take_reversal(
                request,
                user.id,
                correlation_id=call.correlation_id,
                traceparent=call.traceparent,
            )
        except CodedError as error:
            self._count_conflict(error)
            raise
        return await self._answer(user, taken, self._send(taken), waiting)

    async def drain(self) -> None:
        """Wait until all that was begun here is answered; for shutdown."""
        await self._intake.drain()
        await self._posting.drain()

    async def _accept(self, drafts: Sequence[Draft]) -> Sequence[_Accepted | Exception]:
        """Commit a batch, and hand what is new on at once, whether or not its request still waits."""
        outcomes = await self._taker.take(drafts)
        return [
            outcome if isinstance(outcome, CodedError) else (outcome, self._send(outcome))
            for outcome in outcomes
        ]

    def _send(self, taken: Taken) -> _Posting | None:
        if isinstance(taken, Replayed):
            self._measures.replays.inc()
            return None
        self._measures.accepted.inc()
        try:
            return self._posting.offer(Due(taken.row))
        except Backlogged:
            return None  # the recovery worker sends it

    async def _answer(
        self, user: UserIdentity, taken: Taken, posting: _Posting | None, waiting: Deadline
    ) -> TransactionAnswer:
        row = taken.row
        if posting is not None:
            try:
                row = await posting.wait(waiting.remaining())
            except TimeoutError:
                pass  # it is committed as PENDING, and goes on
            except Exception as error:  # noqa: BLE001 - whatever happened there, PENDING is true
                _log.error("posting failed", transactionId=row.id, exc_info=error)
        if row.pending and isinstance(taken, Begun):
            self._measures.answered_pending()
        return TransactionAnswer(transaction=view(row, user), replayed=isinstance(taken, Replayed))

    def _count_conflict(self, error: CodedError) -> None:
        if error.code == codes.IDEMPOTENCY_CONFLICT.name:
            self._measures.conflicts.inc()
