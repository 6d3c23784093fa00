"""The control arm: policy files in which exactly the named mechanisms are off."""

import tomllib
from pathlib import Path

import pytest

from baluarte.chaos import mechanisms
from baluarte.errors import BaluarteError
from chaos.scenarios import find, names
from resilience.policy_file import parse_policies

MUTANTS = Path(__file__).parents[2] / "mutants"


@pytest.mark.parametrize("mechanism", mechanisms.all_mechanisms())
def test_each_mechanism_can_be_turned_off(mechanism: str, tmp_path: Path) -> None:
    """The written file is valid, and differs from ours in that mechanism and what cannot be without it."""
    mechanisms.write_policies(tmp_path, [mechanism])

    process, downstream, policy = mechanism.split(".")
    (written,) = tmp_path.iterdir()
    assert written.name == f"{process}.toml"
    before = tomllib.loads(mechanisms.POLICY_FILES[process].read_text())
    after = tomllib.loads(written.read_text())
    parse_policies(written.read_text())
    if policy == mechanisms.SINGLE_FLIGHT:
        before[downstream][policy] = False
    elif policy == "budget":
        before[downstream][policy] |= {"ratio": 1.0, "minimum_per_second": 1e9, "burst": 1e9}
    else:
        before[downstream][policy]["enabled"] = False
    if policy == "bulkhead" and "shedding" in before[downstream]:
        before[downstream]["shedding"]["enabled"] = False
    assert after == before


def test_without_fault_tolerance_deadlines_stay() -> None:
    """`--ft off` turns off what heals and shields, and nothing that bounds the time."""
    off = mechanisms.fault_tolerance()

    assert "gateway.users.retry" in off
    assert "transactions.postgres.breaker" in off
    assert not [name for name in off if name.endswith((".deadline", ".timeout"))]


def test_what_is_off_already_is_no_mechanism() -> None:
    """Nothing can turn red when it is off."""
    assert "gateway.users.hedge" not in mechanisms.all_mechanisms()
    assert mechanisms.problems(["gateway.users.hedge"])


def test_wrong_names_are_refused_with_the_nearest() -> None:
    """And those that only the tests can turn off, with the way to do it."""
    with pytest.raises(BaluarteError, match=r"did you mean gateway\.users\.retry"):
        mechanisms.refuse_unknown(["gateway.users.rety"])
    with pytest.raises(BaluarteError, match="make prove"):
        mechanisms.refuse_unknown(["mutant:transactions_guess"])


@pytest.mark.parametrize("name", names())
def test_scenarios_guard_what_exists(name: str) -> None:
    """Every mechanism that a scenario guards is in a policy file, or a composition root in the tests."""
    for guard in find(name).guards:
        assert not mechanisms.problems([guard])
        if guard.startswith(mechanisms.MUTANT):
            assert (MUTANTS / f"{guard.removeprefix(mechanisms.MUTANT)}.py").is_file()
