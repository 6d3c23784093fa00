"""Check 4: an account's balance is what its entries add up to, step by step.

Accounts start at zero. Where the ledger tells the order of entries they are replayed in it; where
it does not, the steps `balance before → balance after` must still chain from zero to the balance:
as the edges of a graph they must form one path (Euler), which is what some order of them would be.
"""

from collections import Counter, defaultdict

from chaos.history.case import Case
from chaos.history.state import AccountRow, EntryRow
from chaos.history.verdict import Check, Findings


def run(case: Case, findings: Findings) -> None:
    for account in case.state.accounts:
        entries = case.entries_of.get(account.id, [])
        findings.saw(len(entries))
        problem = _problem(account, entries)
        if problem:
            findings.violated(f"account {account.id}: {problem}")
    for account_id in case.entries_of.keys() - {account.id for account in case.state.accounts}:
        findings.violated(f"entries name account {account_id}, which does not exist")


def _problem(account: AccountRow, entries: list[EntryRow]) -> str | None:
    total = sum(entry.amount for entry in entries)
    if total != account.balance:
        return f"balance is {account.balance}, its {len(entries)} entries add up to {total}"
    if all(entry.order is not None for entry in entries):
        return _replayed(entries)
    return _chained(entries)


def _replayed(entries: list[EntryRow]) -> str | None:
    balance = 0
    for entry in sorted(entries, key=lambda entry: entry.order or 0):
        balance += entry.amount
        if entry.balance_after != balance:
            return (
                f"transfer {entry.transfer} left {entry.balance_after};"
                f" replay of the entries gives {balance}"
            )
    return None


def _chained(entries: list[EntryRow]) -> str | None:
    """Return why the steps form no path from 0 to the final balance, if they do not."""
    surplus: Counter[int] = Counter()
    neighbours: defaultdict[int, list[int]] = defaultdict(list)
    for entry in entries:
        before, after = entry.balance_after - entry.amount, entry.balance_after
        surplus[before] += 1
        surplus[after] -= 1
        neighbours[before].append(after)
        neighbours[after].append(before)
    surplus[0] -= 1
    surplus[sum(entry.amount for entry in entries)] += 1
    broken = sorted(balance for balance, count in surplus.items() if count)
    if broken:
        return f"resulting balances of its entries do not chain (at {broken[:4]})"
    reached, frontier = {0}, [0]
    while frontier:
        for balance in neighbours[frontier.pop()]:
            if balance not in reached:
                reached.add(balance)
                frontier.append(balance)
    apart = [balance for balance in neighbours if balance not in reached]
    if entries and apart:
        return f"resulting balances {sorted(apart)[:4]} are not reached from 0"
    return None


CHECK = Check(
    number=4,
    name="replay",
    law="the balance equals the replay of the entries",
    counts="entries",
    run=run,
)
