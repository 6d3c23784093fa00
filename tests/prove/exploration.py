"""The whole exploration in parts: every operation under every fault, as declared and as committed."""

import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from baluarte.sandbox import sandbox
from chaos import roster
from chaos.explore import committed
from chaos.explore.campaign import Plan
from chaos.explore.session import MATRIX, Session
from chaos.explore.session import run as explore
from chaos.record import Verdict
from chaos.report.matrix_record import Matrix
from tests.prove.ledger_of_proofs import Figures, Proof

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "people": (
        *("me", "user", "users", "updateProfile", "updateBankingDetails", "setUserActive"),
        "account",
    ),
    "payments": ("transaction", "transactions", "transfer", "deposit", "withdraw", "reverse"),
    "sessions": ("notifications", "register", "login", "refreshToken", "logout"),
}
"""Root fields that are explored together. Each part has a result of its own, so that one which fails, or is
interrupted, is all that is to be done again."""


def _exploring(operations: tuple[str, ...]) -> Callable[[], Awaitable[Figures]]:
    """The proof that these answer as declared and as committed."""

    async def run() -> Figures:
        said: list[str] = []

        def say(line: str) -> None:
            said.append(line)
            print(f"  {line}", flush=True)

        with tempfile.TemporaryDirectory() as folder:
            session = Session(Plan(operations), Path(folder))
            async with sandbox("--chaos") as running:
                verdict = await explore(roster.read(running.state), session, say)
            assert verdict is Verdict.PASSED, "\n".join(said)
            matrix = committed.read(Path(folder) / MATRIX)
        return figures(matrix)

    return run


def _words(operations: tuple[str, ...]) -> str:
    return f"{', '.join(operations[:-1])} and {operations[-1]}"


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


FOLDERS: Final = (
    "baluarte",
    "chaos/explore",
    "chaos/matrix",
    "chassis",
    "graphql_api",
    "resilience",
    "services",
)

PROOFS = tuple(
    Proof(
        f"exploration-{part}",
        f"{_words(operations)}: under every kind of fault on every call, answered as declared",
        _exploring(operations),
        FOLDERS,
    )
    for part, operations in PARTS.items()
)
