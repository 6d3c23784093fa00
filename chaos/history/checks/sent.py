"""Check 7: there is no transfer that no client sent.

Every transaction of this run must answer a request of the history: same user and key, same kind,
accounts, amount and currency. Every record of the ledger must belong to such a transaction, or to
one that a client was told of.
"""

from typing import Final

from chaos.history.case import Case, Operation
from chaos.history.events import Op, Request
from chaos.history.state import PostingRow, TransactionRow
from chaos.history.verdict import Check, Findings

_TYPE: Final = {
    Op.TRANSFER: "TRANSFER",
    Op.DEPOSIT: "DEPOSIT",
    Op.WITHDRAW: "WITHDRAWAL",
    Op.REVERSE: "REVERSAL",
}


def run(case: Case, findings: Findings) -> None:
    for row in case.recent:
        findings.saw()
        problem = _problem(case, row)
        if problem:
            findings.violated(
                f"transaction {row.id} (key {row.key} of user {row.user}):"
                f" {row.type} of {row.amount} {row.currency}; {problem}"
            )
    for posting in case.recent_postings:
        if posting.id not in case.transactions and posting.id not in case.answered:
            findings.violated(
                f"ledger transfer {posting.id} of {posting.amount} {posting.currency}"
                " belongs to no transaction"
            )


def _problem(case: Case, row: TransactionRow) -> str | None:
    asked = [
        operation
        for operation in case.by_owner.get((row.user, row.key), [])
        if operation.moves_money
    ]
    if not asked:
        return "no client sent it"
    posting = case.postings.get(row.id)
    if any(_is_asked(case, operation, row, posting) for operation in asked):
        return None
    return f"its client asked for {_told(asked[0])}"


def _is_asked(
    case: Case, operation: Operation, row: TransactionRow, posting: PostingRow | None
) -> bool:
    request = operation.request
    if _TYPE[operation.op] != row.type:
        return False
    if operation.op is Op.REVERSE:
        return row.reverses == request.target
    if (request.amount, request.currency) != (row.amount, row.currency):
        return False
    return posting is None or _between(case, request, posting)


def _between(case: Case, request: Request, posting: PostingRow) -> bool:
    """Whether the posting moves between the accounts asked for."""
    return _matches(case, request.debit, posting.debit) and _matches(
        case, request.credit, posting.credit
    )


def _matches(case: Case, asked: str | None, posted: str) -> bool:
    return posted in case.system_accounts if asked is None else posted == asked


def _told(operation: Operation) -> str:
    request = operation.request
    return (
        f"{operation.op} of {request.amount} {request.currency}"
        f" from {request.debit or 'outside'} to {request.credit or 'outside'}"
    )


CHECK = Check(
    number=7,
    name="sent",
    law="no transfer that no client sent",
    counts="transactions of this run",
    run=run,
)
