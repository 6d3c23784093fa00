"""Money is safe when a part of the platform dies under load, and the checks would see it if it were not."""

from collections.abc import Mapping

import pytest

from tests.kill.campaign import Plan, campaign
from tests.mutants.catalogue import MUTANTS, Mutant, hunt

BY_NAME: Mapping[str, Mutant] = {mutant.name: mutant for mutant in MUTANTS}


@pytest.mark.timeout(600)
@pytest.mark.may_block  # the driver shares its two cores with the whole platform
@pytest.mark.parametrize(
    "plan",
    [Plan("ledger", operations=2_400), Plan("postgres", rabbitmq=True, operations=2_400)],
    ids=["ledger", "postgres-rabbitmq"],
)
async def test_no_money_is_lost_when_a_part_is_killed(plan: Plan) -> None:
    """2,000 transfers and what else customers do, 64 in flight, the part killed twice: all checks hold."""
    result = await campaign(plan)

    result.report.raise_if_invalid()
    assert result.kills == 2
    assert result.transfers >= 2_000
    assert plan.in_flight == 64


@pytest.mark.timeout(400)
@pytest.mark.may_block
@pytest.mark.parametrize("name", ["unsafe-commits", "no-idempotency", "ack-first"])
async def test_a_broken_platform_is_seen(name: str) -> None:
    """A platform that breaks the promise turns at least one of the checks red that are for it."""
    await hunt(BY_NAME[name])


def test_each_mutant_is_for_checks_that_exist() -> None:
    """The table of mutants names checks 1 to 11 and no name twice."""
    assert len(BY_NAME) == len(MUTANTS)
    for mutant in MUTANTS:
        assert mutant.seen_by <= set(range(1, 12))
        assert mutant.seen_by
