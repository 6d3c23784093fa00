"""A short exploration of a real platform: three operations, one fault at a time."""

from pathlib import Path

import pytest

from baluarte.sandbox import sandbox
from chaos import roster
from chaos.explore import committed
from chaos.explore.campaign import Plan
from chaos.explore.session import COUNTEREXAMPLES, MATRIX, PAGE, Session, run
from chaos.record import Verdict
from chaos.report.matrix_record import CellOutcome

OPERATIONS = ("account", "transfer", "refreshToken")
KINDS = ("error", "lose_answer")


@pytest.mark.timeout(420)
async def test_a_real_platform_does_what_it_declares(tmp_path: Path) -> None:
    """A read, a payment with a call behind its call, and a session, each met by two kinds of faults.

    Each fault was met, each answer is as declared, the money adds up, and the cells are the committed ones.
    """
    plan = Plan(OPERATIONS, depth=1, kinds=KINDS, down=False)
    said: list[str] = []
    async with sandbox("--chaos") as running:
        verdict = await run(roster.read(running.state), Session(plan, tmp_path), said.append)

    bad = ("NOT AS DECLARED", "NOT MET", "MONEY", "the platform")
    assert not [line for line in said if line.startswith(bad)], "\n".join(said)
    if committed.FILE.exists():
        assert verdict is Verdict.PASSED, "\n".join(said)
    matrix = committed.read(tmp_path / MATRIX)
    assert not (tmp_path / COUNTEREXAMPLES).exists()
    assert (tmp_path / PAGE).read_text().startswith("<!DOCTYPE html>")
    rows = [row.operation for row in matrix.rows]
    assert rows == ["account", "account, no copy", "transfer", "refreshToken"]
    nested = [place for place, it in enumerate(matrix.columns) if it.caller == "transactions"]
    assert {matrix.columns[place].fault for place in nested} == set(KINDS)
    paid = [it for it in matrix.cells if it.column in nested]
    assert len(paid) == len(KINDS)
    # One failed posting is sent again under the same id, while the person still waits.
    assert {it.outcome for it in paid} == {CellOutcome.FULL}
