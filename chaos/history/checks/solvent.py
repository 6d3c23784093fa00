"""Check 2: no account goes below its overdraft, at no moment.

Judged on every read during the run, on the balances after it, and on the balance that each entry of
this run left behind (so a dip that lasted for no read is seen too). That last part takes the
overdraft as it is now: change overdrafts between runs, not during one.
"""

from chaos.history.case import Case
from chaos.history.verdict import Check, Findings


def run(case: Case, findings: Findings) -> None:
    for read in case.reads:
        sample = read.answer.sample
        for account_id in sample.overdrawn if sample else ():
            findings.violated(f"{read}: account {account_id} is below its overdraft")
    limits: dict[str, int] = {}
    for account in case.state.accounts:
        if account.overdraft is None:
            continue
        findings.saw()
        limits[account.id] = -account.overdraft
        if account.balance - account.held < -account.overdraft:
            findings.violated(
                f"account {account.id}: balance {account.balance} − held {account.held}"
                f" is below −{account.overdraft}"
            )
    recent = {posting.id for posting in case.recent_postings}
    for entry in case.state.entries:
        limit = limits.get(entry.account)
        if limit is not None and entry.balance_after < limit and entry.transfer in recent:
            findings.violated(
                f"account {entry.account}: transfer {entry.transfer} left {entry.balance_after},"
                f" below {limit}"
            )


CHECK = Check(
    number=2,
    name="solvent",
    law="balance − held ≥ −overdraft",
    counts="accounts with a limit",
    run=run,
)
