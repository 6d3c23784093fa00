"""The whole exploration: every operation under every fault, as declared and as committed."""

import tempfile
from collections import Counter
from pathlib import Path

from baluarte.sandbox import sandbox
from chaos import roster
from chaos.explore import committed
from chaos.explore.campaign import Plan
from chaos.explore.session import MATRIX, Session, run
from chaos.record import Verdict
from chaos.report.matrix_record import Matrix
from tests.prove.ledger_of_proofs import Figures, Proof


async def _explore() -> Figures:
    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        async with sandbox("--chaos") as running:
            verdict = await run(roster.read(running.state), Session(Plan(), out), said.append)
        assert verdict is Verdict.PASSED, "\n".join(said)
        matrix = committed.read(out / MATRIX)
    return figures(matrix)


def figures(matrix: Matrix) -> Figures:
    """What the docs quote."""
    outcomes = Counter(cell.outcome.value for cell in matrix.cells)
    return {
        "runs": matrix.runs,
        "pruned": matrix.pruned,
        "cells": len(matrix.cells),
        "as declared": sum(cell.as_declared for cell in matrix.cells),
        **dict(sorted(outcomes.items())),
    }


PROOFS = (
    Proof(
        "exploration",
        "every GraphQL operation, under every kind of fault on every call that it makes, answers as declared",
        _explore,
        (
            "baluarte",
            "chaos/explore",
            "chaos/matrix",
            "chassis",
            "graphql_api",
            "resilience",
            "services",
        ),
    ),
)
