"""The tests see what they claim to see: every hand-made mutant is killed by the tests named for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.resilience.mutants.catalogue import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def outcomes() -> dict[str, str]:
    """What became of each mutant, in one run over all of them."""
    if not hasattr(os, "fork"):
        pytest.skip("mutants are hunted in forked processes, which this system does not have")
    hunt = subprocess.run(
        (sys.executable, "-m", "tests.resilience.mutants.hunt"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    told = [json.loads(line) for line in hunt.stdout.splitlines()]
    return {result["name"]: result["outcome"] for result in told}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_is_killed(mutant: Mutant, outcomes: dict[str, str]) -> None:
    """The tests named for it fail on the mutant (and pass without it, as the suite shows)."""
    assert outcomes[mutant.name] == "killed", mutant.breaks
