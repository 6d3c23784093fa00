"""Check 11: a transfer is reversed at most once, and by its exact mirror.

Only postings count: a refused reversal moved nothing.
"""

from collections import defaultdict

from chaos.history.case import Case
from chaos.history.events import Status
from chaos.history.state import POSTED, PostingRow
from chaos.history.verdict import Check, Findings


def run(case: Case, findings: Findings) -> None:
    reversals: defaultdict[str, list[PostingRow]] = defaultdict(list)
    for posting in case.state.postings:
        if posting.reverses is not None and posting.status == POSTED:
            reversals[posting.reverses].append(posting)
    for original_id, found in reversals.items():
        findings.saw()
        if len(found) > 1:
            ids = ", ".join(posting.id for posting in found[:4])
            findings.violated(f"transfer {original_id} was reversed {len(found)} times: {ids}")
        problem = _problem(case, case.postings.get(original_id), found[0])
        if problem:
            findings.violated(f"reversal {found[0].id} of {original_id}: {problem}")
    for row in case.state.transactions:
        if row.status is Status.REVERSED and row.id not in reversals:
            findings.violated(f"transaction {row.id} is REVERSED, but the ledger has no reversal")


def _problem(case: Case, original: PostingRow | None, reversal: PostingRow) -> str | None:
    if original is None or original.status != POSTED:
        return "the original was never posted"
    if original.reverses is not None:
        return "the original is a reversal itself"
    mirror = (original.credit, original.debit, original.amount, original.currency)
    if (reversal.debit, reversal.credit, reversal.amount, reversal.currency) != mirror:
        return "it is not the mirror of the original"
    row = case.transactions.get(original.id)
    if row is not None and row.status is not Status.REVERSED:
        return f"the original is still {row.status}"
    return None


CHECK = Check(
    number=11,
    name="one-reversal",
    law="at most one reversal",
    counts="reversed transfers",
    run=run,
)
