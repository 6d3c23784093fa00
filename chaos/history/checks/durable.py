"""Check 5: every outcome that was acknowledged still exists, unchanged.

The one check that sees acknowledged work vanish whole: with `synchronous_commit=off` and a kill,
the books of the survivors still balance, and every other check stays green. An acknowledged PENDING
must still be there in some status, COMPLETED must be COMPLETED or since REVERSED, FAILED must be
FAILED; a refused request must have moved nothing.
"""

from typing import Final

from chaos.history.case import Case, Kind, Operation
from chaos.history.events import Op, Status
from chaos.history.state import POSTED, TransactionRow
from chaos.history.verdict import Check, Findings

MAY_BECOME: Final = {
    Status.PENDING: frozenset(Status),
    Status.COMPLETED: frozenset({Status.COMPLETED, Status.REVERSED}),
    Status.FAILED: frozenset({Status.FAILED}),
    Status.REVERSED: frozenset({Status.REVERSED}),
}


def run(case: Case, findings: Findings) -> None:
    for transfer, operations in case.answered.items():
        findings.saw()
        for operation in operations:
            problem = _problem(case, transfer, operation)
            if problem:
                status = operation.answer.status
                findings.violated(f"{operation} was told {status} as {transfer}; {problem}")
                break
    for owner, operations in case.by_owner.items():
        asked = [operation for operation in operations if operation.moves_money]
        if asked and all(_refused(operation) for operation in asked):
            findings.saw()
            for row in case.rows_by_owner.get(owner, []):
                if row.status is not Status.FAILED:
                    findings.violated(
                        f"{asked[0]} was refused every time; transaction {row.id} is {row.status}"
                    )


def _problem(case: Case, transfer: str, operation: Operation) -> str | None:
    row = case.transactions.get(transfer)
    if row is None:
        return "it is gone"
    status = operation.answer.status
    if status is not None and row.status not in MAY_BECOME[status]:
        return f"it is {row.status}"
    if not _owned(case, operation, row):
        return f"it belongs to key {row.key} of user {row.user}"
    if status in {Status.COMPLETED, Status.REVERSED}:
        posting = case.postings.get(transfer)
        if posting is None or posting.status != POSTED:
            return "it is gone from the ledger"
    return None


def _owned(case: Case, operation: Operation, row: TransactionRow) -> bool:
    """Whether the row is this client's, or the one reversal that somebody else asked for first."""
    if operation.owner == (row.user, row.key):
        return True
    return row.reverses is not None and any(
        asked.op is Op.REVERSE and asked.request.target == row.reverses
        for asked in case.by_owner[operation.owner]
    )


def _refused(operation: Operation) -> bool:
    return operation.kind is Kind.FAIL and operation.answer.transfer is None


CHECK = Check(
    number=5,
    name="durable",
    law="every acknowledged outcome still exists, unchanged",
    counts="acknowledged outcomes",
    run=run,
)
