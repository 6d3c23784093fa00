"""A process as an owner of faults."""

import pytest
from starlette.applications import Starlette

from chaos.owners import Code, OwnerError
from chassis.faults.contract import NewFault, Target
from tests import asgi
from tests.chaos.owners.grounds import a_process, crew_of

LATENCY = NewFault(
    type="latency",
    attributes={"seconds": 0.5},
    target=Target(percent=30),
    lease_seconds=5,
    experiment="e1",
)


async def test_a_fault_is_placed_renewed_and_taken_back() -> None:
    """With an id, a lease that starts anew, and its end told once; then there is no such fault."""
    async with a_process("users") as (url, _), crew_of(users=url) as found:
        owner = found.process("users")
        placed = await owner.inject(LATENCY)
        assert (placed.owner, placed.target, placed.met) == ("users", "users", 0)
        assert placed.about == {"seconds": 0.5, "percent": 30.0, "experiment": "e1"}
        assert placed.remaining is not None
        assert placed.remaining <= 5
        renewed = await owner.renew(placed.id, 60)
        assert renewed is not None
        assert renewed.remaining is not None
        assert renewed.remaining > 50
        looked = await owner.look(placed.id)
        assert looked is not None
        assert looked.id == placed.id
        reverted = await owner.revert(placed.id)
        assert reverted is not None
        assert reverted.id == placed.id
        assert await owner.revert(placed.id) is None
        assert await owner.renew(placed.id, 60) is None
        assert await owner.look(placed.id) is None


async def test_the_switch_ends_all_and_says_which() -> None:
    """The point has no fault afterwards."""
    async with a_process("users") as (url, point), crew_of(users=url) as found:
        ids = {(await found.process("users").inject(LATENCY)).id for _ in range(3)}
        assert {one.id for one in await found.process("users").list()} == ids
        assert {one.id for one in await found.process("users").revert_all()} == ids
        assert point.faults == ()


async def test_a_refusal_comes_with_the_processs_own_words() -> None:
    """Its code and the choice that it names."""
    async with a_process("users") as (url, _), crew_of(users=url) as found:
        with pytest.raises(OwnerError, match="lose_answer") as refused:
            await found.process("users").inject(NewFault(type="pain", lease_seconds=5))
        assert (refused.value.code, refused.value.refusal) == (Code.REFUSED, "FAULT_TYPE_UNKNOWN")


async def test_a_process_without_a_fault_point_has_no_faults() -> None:
    """There is no such route, so that nothing needs to be undone; but nothing can be injected either."""
    async with asgi.serving(Starlette()) as url, crew_of(users=url) as found:
        assert await found.process("users").list() == ()
        assert await found.process("users").revert_all() == ()
        with pytest.raises(OwnerError) as refused:
            await found.process("users").inject(LATENCY)
        assert refused.value.code is Code.REFUSED
