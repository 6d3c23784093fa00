"""What calls carry: inherited by tasks, restored after blocks, deadlines only shortened."""

import asyncio

from resilience.context import (
    Priority,
    call_context,
    current_deadline,
    current_idempotency_key,
    current_priority,
)
from resilience.deadline import Deadline
from resilience.testing import FakeClock


async def carried() -> tuple[Deadline | None, Priority, str | None]:
    return current_deadline(), current_priority(), current_idempotency_key()


async def test_nothing_is_carried_unless_somebody_says_so() -> None:
    """No deadline, no key, and the priority of what nobody thought about."""
    assert await carried() == (None, Priority.NORMAL, None)


async def test_tasks_inherit_and_blocks_restore(clock: FakeClock) -> None:
    """What a block sets reaches its tasks and ends with the block."""
    deadline = Deadline.after(1.0, clock)
    with call_context(deadline=deadline, priority=Priority.HIGH, idempotency_key="k"):
        assert await asyncio.create_task(carried()) == (deadline, Priority.HIGH, "k")
        with call_context(priority=Priority.LOW):
            assert await carried() == (deadline, Priority.LOW, "k")
    assert await carried() == (None, Priority.NORMAL, None)


async def test_a_block_can_only_shorten_the_deadline(clock: FakeClock) -> None:
    """A later deadline is ignored; an earlier one holds within the block."""
    outer, later, earlier = (Deadline.after(seconds, clock) for seconds in (1.0, 2.0, 0.5))
    with call_context(deadline=outer):
        with call_context(deadline=later):
            assert current_deadline() == outer
        with call_context(deadline=earlier):
            assert current_deadline() == earlier
        assert current_deadline() == outer
