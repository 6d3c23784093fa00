"""The money checks against banks that keep their promises, and banks that break one."""

import asyncio
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaos.history.checker import Report
from chaos.history.checks import REGISTRY
from chaos.history.driver import DriveConfig
from chaos.history.verdict import Verdict
from chaos.history.workload import Mix
from tests.chaos.history.model_bank import ModelBank, Weather, live
from tests.chaos.history.mutant_banks import MUTANTS, Mutant

SEEDS = range(4)


def judged(bank: ModelBank, config: DriveConfig, weather: Weather | None = None) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.jsonl"
        return asyncio.run(live(bank, path, config, weather))[1]


def config(seed: int, **changes: object) -> DriveConfig:
    values: dict[str, object] = {
        "operations": 120,
        "in_flight": 6,
        "customers": 4,
        "seed": seed,
        "funds": 1_000,
        "max_amount": 400,
        "mix": Mix(transfer=0.7, deposit=0.08, withdraw=0.07, reverse=0.15),
        "repeat": 0.2,
        "max_attempts": 6,
    }
    return DriveConfig(**(values | changes))  # type: ignore[arg-type]


chances = st.floats(0.0, 0.3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    operations=st.integers(1, 60),
    in_flight=st.integers(1, 12),
    customers=st.integers(2, 6),
    weather=st.builds(Weather, chances, chances, chances, chances),
    ordered=st.booleans(),
    forgetful=st.booleans(),
)
def test_a_correct_bank_is_never_accused(
    seed: int,
    operations: int,
    in_flight: int,
    customers: int,
    weather: Weather,
    ordered: bool,
    forgetful: bool,
) -> None:
    """Whatever is lost, repeated or overlapped, no check turns red on a correct bank."""
    bank = ModelBank(random.Random(seed), ordered=ordered, forgetful_inbox=forgetful)

    report = judged(
        bank,
        config(seed, operations=operations, in_flight=in_flight, customers=customers),
        weather,
    )

    assert not report.violated, report.text()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_correct_bank_under_load_is_proved_by_every_check(seed: int) -> None:
    """On a workload of all kinds every check finds something to look at, and is valid."""
    report = judged(ModelBank(random.Random(seed)), config(seed))

    report.raise_if_invalid()
    assert report.verdict is Verdict.VALID


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.bank.__name__)
def test_a_mutant_turns_red_in_exactly_its_check(mutant: Mutant, seed: int) -> None:
    """Each broken promise is noticed by the check that is meant for it, and by no other."""
    report = judged(mutant.bank(random.Random(seed)), config(seed))

    assert report.violated == mutant.red, report.text()
    for name in mutant.red:
        assert report[name].evidence, "a red check shows evidence"


def test_every_check_has_a_mutant_of_its_own() -> None:
    """No check is trusted that has not caught something alone."""
    alone = {name for mutant in MUTANTS if len(mutant.red) == 1 for name in mutant.red}

    assert alone == set(REGISTRY)


def test_the_checks_are_the_eleven_in_order() -> None:
    """The registry holds the checks 1 to 11, in that order, each with a law."""
    assert [check.number for check in REGISTRY.values()] == list(range(1, 12))
    assert all(check.law and check.counts for check in REGISTRY.values())
