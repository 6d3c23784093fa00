"""Check 1: the total is conserved on every concurrent read.

Deposits and withdrawals move against a system account, so the balances of every currency add up to
zero at every moment, and a reader needs to know nothing else. Reads that overlapped no operation of
a client are judged too, but they are no evidence about concurrency and are not counted.
"""

from chaos.history.case import Case
from chaos.history.verdict import Check, Findings


def run(case: Case, findings: Findings) -> None:
    for read in case.reads:
        sample = read.answer.sample
        if sample is None or sample.accounts == 0:
            continue
        if read.overlapped:
            findings.saw()
        for currency, total in sample.totals.items():
            if total != 0:
                findings.violated(f"{read}: {currency} balances add up to {total}, not 0")
    totals: dict[str, int] = {}
    for account in case.state.accounts:
        totals[account.currency] = totals.get(account.currency, 0) + account.balance
    for currency, total in totals.items():
        if total != 0:
            findings.violated(f"after the run {currency} balances add up to {total}, not 0")


CHECK = Check(
    number=1,
    name="conserved",
    law="the total is zero per currency on every concurrent read",
    counts="concurrent reads",
    run=run,
)
