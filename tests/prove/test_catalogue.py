"""The long tier leaves nothing out."""

from baluarte.supervisor.plan import DEFAULT_PORTS
from chaos.explore.operations import OPERATIONS
from tests.mutants.catalogue import MUTANTS
from tests.prove.catalogue import PROOFS
from tests.prove.exploration import PARTS

NAMES = [proof.name for proof in PROOFS]


BESIDE = {"proxies", "prometheus", "alertmanager"}
"""Parts that run only when they are asked for, and that hold nothing."""


def test_every_process_is_killed_on_both_buses() -> None:
    """A part that the platform gains is killed by `make prove` too, or this fails."""
    for bus in ("postgres", "rabbitmq"):
        for part in DEFAULT_PORTS.keys() - BESIDE:
            assert f"kill-{part}-bus-{bus}" in NAMES
    assert "kill-rabbitmq-bus-rabbitmq" in NAMES


def test_every_mutant_is_hunted() -> None:
    """Each mutant has its proof, and no name is there twice."""
    assert {f"mutant-{mutant.name}" for mutant in MUTANTS} <= set(NAMES)
    assert len(NAMES) == len(set(NAMES))


def test_every_operation_is_explored() -> None:
    """The parts of the exploration leave no root field out, and none is explored twice."""
    explored = [name for operations in PARTS.values() for name in operations]
    assert sorted(explored) == sorted(OPERATIONS)
