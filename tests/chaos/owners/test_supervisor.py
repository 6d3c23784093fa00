"""The supervisor as an owner of faults."""

from pathlib import Path

import pytest

from chaos.owners import Code, OwnerError, PartFault
from tests.chaos.owners.grounds import a_supervisor, crew_of


async def test_a_pause_is_placed_renewed_and_taken_back(tmp_path: Path) -> None:
    """With an id, a lease that starts anew, and its end told once; then there is no such fault."""
    async with a_supervisor(tmp_path, "one") as url, crew_of(supervisor=url) as found:
        owner = found.supervisor
        placed = await owner.inject(PartFault(part="one", type="pause", lease_seconds=5))
        assert (placed.owner, placed.target, placed.type) == ("supervisor", "one", "pause")
        assert placed.met == 1
        assert placed.remaining is not None
        assert placed.remaining <= 5
        renewed = await owner.renew(placed.id, 60)
        assert renewed is not None
        assert renewed.remaining is not None
        assert renewed.remaining > 50
        assert [one.id for one in await owner.list()] == [placed.id]
        reverted = await owner.revert(placed.id)
        assert reverted is not None
        assert reverted.id == placed.id
        assert await owner.revert(placed.id) is None
        assert await owner.renew(placed.id, 60) is None
        assert await owner.look(placed.id) is None


async def test_the_supervisor_is_told_whose_fault_it_is(tmp_path: Path) -> None:
    """It says so again, as a plain label, for as long as the fault lasts."""
    async with a_supervisor(tmp_path, "one") as url, crew_of(supervisor=url) as found:
        order = PartFault(part="one", type="pause", lease_seconds=5, experiment="a run/of mine.0")
        placed = await found.supervisor.inject(order)
        assert placed.about == {"experiment": "a-run-of-mine.0"}
        assert await found.supervisor.renew(placed.id, 60) is not None
        (listed,) = await found.supervisor.list()
        assert listed.about == placed.about


async def test_what_nobody_counts_is_not_said_to_be_met(tmp_path: Path) -> None:
    """A slow start meets a part only when it starts; a kill has met it when it is told."""
    async with a_supervisor(tmp_path, "one") as url, crew_of(supervisor=url) as found:
        late = PartFault(part="one", type="slow_start", lease_seconds=5, delay=0.2)
        placed = await found.supervisor.inject(late)
        assert placed.met is None
        assert placed.about == {"delay": 0.2}
        assert (await found.supervisor.inject(PartFault(part="one", type="kill"))).met == 1
        assert [one.id for one in await found.supervisor.revert_all()] == [placed.id]


async def test_a_refusal_comes_with_the_owners_own_words(tmp_path: Path) -> None:
    """Its code, and the choice that it names; a lease that is too long is none."""
    async with a_supervisor(tmp_path, "one") as url, crew_of(supervisor=url) as found:
        with pytest.raises(OwnerError, match="choose among one") as refused:
            await found.supervisor.inject(PartFault(part="two", type="kill"))
        assert (refused.value.code, refused.value.refusal) == (Code.REFUSED, "PART_UNKNOWN")
        placed = await found.supervisor.inject(
            PartFault(part="one", type="slow_start", lease_seconds=5, delay=1)
        )
        with pytest.raises(OwnerError) as refused:
            await found.supervisor.renew(placed.id, 601)
        assert refused.value.refusal == "FAULT_SECONDS_INVALID"
