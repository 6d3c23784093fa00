"""Sending pending transactions to the ledger and writing down what it says.

The one place where outcomes are made: requests and the recovery worker both come through here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

from chassis import codes, logs
from chassis.context import Call, new_correlation_id
from chassis.errors import CodedError
from chassis.tracing import span
from services.ledger.contract import PostingResult
from services.transactions.contract import SERVICE, TransactionStatus
from services.transactions.leases import Due, Leases
from services.transactions.ledger_port import POSTING_SECONDS, LedgerPort, posting_of
from services.transactions.machine import Answer, Contradiction, Unknown, read_answer
from services.transactions.measures import Measures
from services.transactions.rows import Row
from services.transactions.settlement import Settled, Settlement

_MALFORMED: Final = frozenset(
    {codes.INVALID_INPUT.name, codes.BAD_REQUEST.name, codes.PAYLOAD_TOO_LARGE.name}
)
"""Refusals of a whole request that one bad posting in it can cause."""

_log = logs.get("posting")


class Poster:
    """Posts and settles.

    Args:
        ledger: where postings go.
        settlement: writes definite answers.
        leases: takes back what stays unknown.
        read: what a result of the ledger means.
        seconds: longest wait for the ledger's answer to one batch.
    """

    def __init__(
        self,
        ledger: LedgerPort,
        settlement: Settlement,
        leases: Leases,
        measures: Measures,
        *,
        read: Callable[[PostingResult], Answer] = read_answer,
        seconds: float = POSTING_SECONDS,
    ) -> None:
        self._ledger = ledger
        self._settlement = settlement
        self._leases = leases
        self._measures = measures
        self._read = read
        self._seconds = seconds

    async def post(self, batch: Sequence[Due]) -> Sequence[Row]:
        """Each transaction as it is known afterwards, in order: settled, or still PENDING.

        Never raises for want of a definite answer: that is what PENDING means.
        """
        with span("post transactions", causes=[item.row.traceparent for item in batch]) as posting:
            posting.tell("baluarte.batch", len(batch))
            return await self._post(batch, posting.traceparent)

    async def _post(self, batch: Sequence[Due], traceparent: str | None) -> Sequence[Row]:
        answers = await self._ask(batch, traceparent)
        unknown = [item for item in batch if isinstance(answers[item.row.id], Unknown)]
        if unknown:
            await self._release(unknown, answers)
        settled = await self._settle(answers)
        self._tell(settled)
        known = settled.by_id()
        return [known.get(item.row.id, item.row) for item in batch]

    async def _ask(self, batch: Sequence[Due], traceparent: str | None) -> dict[UUID, Answer]:
        """The ledger's answers; whatever is not clearly an answer is unknown."""
        first = batch[0].row.correlation_id
        correlation_id = first if len(batch) == 1 else new_correlation_id()
        call = Call.background(
            SERVICE,
            correlation_id=correlation_id,
            seconds=self._seconds,
            traceparent=traceparent,
        )
        postings = [posting_of(item.row, given_up=item.given_up) for item in batch]
        answers: dict[UUID, Answer] = {
            posting.transfer_id: Unknown(codes.OUTCOME_UNKNOWN.name) for posting in postings
        }
        try:
            results = await self._ledger.post(call, postings)
        except CodedError as error:
            if error.code in _MALFORMED and len(batch) > 1:
                return await self._ask_halves(batch, traceparent)
            return dict.fromkeys(answers, Unknown(error.code))
        except Exception as error:  # noqa: BLE001 - a surprise is no answer
            _log.error("ledger call failed", count=len(batch), exc_info=error)
            return answers
        for result in results:
            if result.transfer_id in answers:
                answers[result.transfer_id] = self._read(result)
        return answers

    async def _ask_halves(
        self, batch: Sequence[Due], traceparent: str | None
    ) -> dict[UUID, Answer]:
        """Ask again in two parts: one posting that the ledger cannot read must not stop the others."""
        middle = len(batch) // 2
        first = await self._ask(batch[:middle], traceparent)
        return first | await self._ask(batch[middle:], traceparent)

    async def _settle(self, answers: Mapping[UUID, Answer]) -> Settled:
        """Write the definite answers; what cannot be written stays PENDING and is asked again."""
        try:
            return await self._settlement.settle(answers)
        except Contradiction as error:
            if len(answers) == 1:
                self._measures.contradictions.inc()
                _log.error("ledger contradicts", transactionId=next(iter(answers)), exc_info=error)
                return Settled([], [])
        except CodedError as error:
            _log.warning("not settled", count=len(answers), code=error.code)
            return Settled([], [])
        singles = [await self._settle({id_: answer}) for id_, answer in answers.items()]
        return Settled(
            [row for single in singles for row in single.changed],
            [row for single in singles for row in single.others],
        )

    async def _release(self, unknown: Sequence[Due], answers: Mapping[UUID, Answer]) -> None:
        for item in unknown:
            answer = answers[item.row.id]
            code = answer.code if isinstance(answer, Unknown) else ""
            if code == codes.TRANSFER_MISMATCH.name:
                self._measures.contradictions.inc()
                _log.error(
                    "ledger holds another posting under this id",
                    transactionId=item.row.id,
                    correlationId=item.row.correlation_id,
                    code=code,
                )
        sample = answers[unknown[0].row.id]
        _log.warning(
            "outcome unknown; will be sent again",
            count=len(unknown),
            transactionId=unknown[0].row.id,
            correlationId=unknown[0].row.correlation_id,
            code=sample.code if isinstance(sample, Unknown) else None,
        )
        try:
            await self._leases.release(unknown)
        except CodedError as error:
            # The leases run out by themselves.
            _log.warning("not released", count=len(unknown), code=error.code)

    def _tell(self, settled: Settled) -> None:
        for row in settled.changed:
            if row.status is TransactionStatus.REVERSED:
                continue  # told with its reversal
            self._measures.settled(row)
            _log.info(
                "transaction settled",
                transactionId=row.id,
                correlationId=row.correlation_id,
                type=row.type.value,
                outcome=row.status.value,
                reason=row.failure_reason,
                currency=row.currency,
                duration=_seconds(row),
            )


def _seconds(row: Row) -> float | None:
    if row.processed_at is None:
        return None
    return (row.processed_at - row.created_at).total_seconds()
