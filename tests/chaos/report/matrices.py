"""Matrices as exploration makes them, by a seeded draw."""

import random

from chaos.report.matrix_record import Cell, CellOutcome, Column, Matrix, Row

CALLS = (
    ("users", "gateway", "/profiles/batch"),
    ("ledger", "gateway", "/accounts/batch"),
    ("ledger", "transactions", "/postings"),
    ("users", "gateway", "/known"),
    ("transactions", "gateway", "/transfers"),
    ("notifications", "gateway", "/notifications/list"),
)
KINDS = ("error", "abort", "lose_answer", "truncate", "corrupt", "omission", "latency")
OPERATIONS = {
    "me": ("profile: STALE ≤ 3600 s",),
    "accounts": ("accounts: STALE ≤ 300 s", "balance: STALE ≤ 300 s"),
    "transactions": ("transactions: NULL",),
    "notifications": ("notifications: NULL",),
    "createTransfer": ("createTransfer: QUEUED",),
    "register": (),
}
CODES = {
    CellOutcome.NULL: ("UNAVAILABLE",),
    CellOutcome.ERROR: ("OUTCOME_UNKNOWN",),
}


def matrix(*, violations: int = 3, seed: int = 7) -> Matrix:
    """Six operations on six calls with seven kinds of faults, so many cells not as declared."""
    draw = random.Random(seed)
    columns = tuple(
        Column(service=service, caller=caller, route=route, fault=kind)
        for service, caller, route in CALLS
        for kind in KINDS
    )
    rows = tuple(
        Row(
            operation=name,
            kind="mutation" if name in {"createTransfer", "register"} else "query",
            declared=declared,
        )
        for name, declared in OPERATIONS.items()
    )
    outcomes = [one for one in CellOutcome if one is not CellOutcome.UNDECLARED]
    cells = []
    for row in range(len(rows)):
        reached = draw.sample(range(len(CALLS)), 3)
        for place, _ in enumerate(columns):
            if place // len(KINDS) in reached:
                outcome = draw.choice(outcomes)
                count = draw.choice((1, 1, 1, 4))
                cells.append(
                    Cell(
                        row=row,
                        column=place,
                        outcome=outcome,
                        codes=CODES.get(outcome, ()),
                        as_declared=True,
                        count=count,
                    )
                )
    for number, place in enumerate(draw.sample(range(len(cells)), violations)):
        old = cells[place]
        cells[place] = Cell(
            row=old.row,
            column=old.column,
            outcome=CellOutcome.UNDECLARED if number % 2 else CellOutcome.ERROR,
            as_declared=False,
            violations=1,
            detail="wanted NULL with a code, got an error without one",
            counterexample=f"counterexamples/{number}.json",
        )
    return Matrix(
        commit="f1ddce6",
        started="2026-01-14T11:02:00+00:00",
        seed=seed,
        command="baluarte chaos explore --seed 7",
        runs=214,
        pruned=38,
        depth=2,
        seconds=411.0,
        rows=rows,
        columns=columns,
        cells=tuple(cells),
    )
