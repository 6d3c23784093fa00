"""The tests see what they claim to see: every hand-made mutant is killed by the tests named for it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.resilience.mutants.catalogue import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]


class Hunt:
    """One run over all mutants, which goes on while tests look at what became of each."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", "tests.resilience.mutants.hunt"),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._outcomes: dict[str, str] = {}

    def outcome(self, name: str) -> str:
        """What became of a mutant; waits until it is known."""
        assert self._process.stdout is not None
        while name not in self._outcomes:
            line = self._process.stdout.readline()
            assert line, "the hunt ended early"
            told = json.loads(line)
            self._outcomes[told["name"]] = told["outcome"]
        return self._outcomes[name]

    def close(self) -> None:
        """End the hunt, where it is."""
        self._process.terminate()
        self._process.communicate()


@pytest.fixture(scope="session")
def hunt() -> Iterator[Hunt]:
    """The hunt, once for all mutants."""
    if not hasattr(os, "fork"):
        pytest.skip("mutants are hunted in forked processes, which this system does not have")
    running = Hunt()
    yield running
    running.close()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_is_killed(mutant: Mutant, hunt: Hunt) -> None:
    """The tests named for it fail on the mutant (and pass without it, as the suite shows)."""
    assert hunt.outcome(mutant.name) == "killed", mutant.breaks
