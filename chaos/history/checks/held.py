"""Check 10: what each account holds back is the sum of its open holds."""

from collections import Counter

from chaos.history.case import Case
from chaos.history.verdict import Check, Findings


def run(case: Case, findings: Findings) -> None:
    open_holds: Counter[str] = Counter()
    for hold in case.open_holds:
        open_holds[hold.account] += hold.amount
    for account in case.state.accounts:
        findings.saw()
        expected = open_holds.pop(account.id, 0)
        if account.held != expected:
            findings.violated(
                f"account {account.id} holds back {account.held}, its open holds say {expected}"
            )
    for account_id, amount in open_holds.items():
        findings.violated(f"holds of {amount} name account {account_id}, which does not exist")


CHECK = Check(
    number=10,
    name="held",
    law="the sum of held equals the open holds",
    counts="accounts",
    run=run,
)
