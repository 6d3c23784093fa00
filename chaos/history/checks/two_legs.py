"""Check 3: a completed transfer has exactly two legs that match it; a failed one has none."""

from chaos.history.case import Case
from chaos.history.events import Status
from chaos.history.state import POSTED, EntryRow, PostingRow, TransactionRow
from chaos.history.verdict import Check, Findings


def run(case: Case, findings: Findings) -> None:
    for row in case.state.transactions:
        findings.saw()
        problem = _of_transaction(row, case.postings.get(row.id), case.legs.get(row.id, []))
        if problem:
            findings.violated(f"transaction {row.id} is {row.status}, but {problem}")
    for posting in case.state.postings:
        problem = _of_posting(posting, case.legs.get(posting.id, []))
        if problem:
            findings.violated(f"ledger transfer {posting.id} is {posting.status}, but {problem}")
    for transfer in case.legs.keys() - case.postings.keys():
        findings.violated(f"entries name transfer {transfer}, which the ledger has no record of")


def _of_transaction(
    row: TransactionRow, posting: PostingRow | None, legs: list[EntryRow]
) -> str | None:
    """Return what is wrong between a transaction and the ledger, if anything."""
    match row.status:
        case Status.COMPLETED | Status.REVERSED:
            if posting is None:
                return "the ledger has never heard of it"
            if posting.status != POSTED:
                return f"the ledger has it as {posting.status}"
            if (posting.amount, posting.currency) != (row.amount, row.currency):
                return (
                    f"the ledger moved {posting.amount} {posting.currency}"
                    f" instead of {row.amount} {row.currency}"
                )
        case Status.FAILED:
            if legs:
                return f"{len(legs)} of its legs stand in the ledger"
            if posting is not None and posting.status == POSTED:
                return "the ledger has it as posted"
        case Status.PENDING:
            pass  # check 9 says that nothing may still be pending
    return None


def _of_posting(posting: PostingRow, legs: list[EntryRow]) -> str | None:
    """Return what is wrong between a ledger transfer and its legs, if anything."""
    if posting.status != POSTED:
        return f"has {len(legs)} legs" if legs else None
    found = sorted((leg.account, leg.amount) for leg in legs)
    wanted = sorted([(posting.debit, -posting.amount), (posting.credit, posting.amount)])
    if found == wanted:
        return None
    if len(legs) != 2:
        return f"has {len(legs)} legs instead of 2"
    return f"its legs are {found} instead of {wanted}"


CHECK = Check(
    number=3,
    name="two-legs",
    law="COMPLETED has exactly two matching legs, FAILED none",
    counts="transactions",
    run=run,
)
