"""Many callers, few batches."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from services.transactions.coalescer import Backlogged, Coalescer, Stopped
from tests.waiting import eventually


class Batches:
    """Runs batches when told, and remembers them."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.running = 0
        self.most = 0
        self.open = asyncio.Event()
        self.open.set()

    async def run(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.seen.append(list(items))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.open.wait()
            return [ValueError(str(item)) if item < 0 else item * 10 for item in items]
        finally:
            self.running -= 1


def coalescer(batches: Batches, **options: Any) -> Coalescer[int, int]:
    options = {"batch_limit": 4, "in_flight": 2, "backlog_limit": 8} | options
    return Coalescer(batches.run, **options)


async def test_one_item_starts_at_once() -> None:
    """A single item does not wait for others."""
    batches = Batches()
    assert await coalescer(batches).offer(3).wait(10) == 30
    assert batches.seen == [[3]]


async def test_items_of_one_turn_share_a_batch() -> None:
    """What arrives in one turn of the loop is one batch, up to the limit, in order."""
    batches = Batches()
    work = coalescer(batches, in_flight=1)
    tickets = [work.offer(number) for number in range(6)]
    assert [await ticket.wait(10) for ticket in tickets] == [0, 10, 20, 30, 40, 50]
    assert batches.seen == [[0, 1, 2, 3], [4, 5]]


async def test_in_flight_is_bounded() -> None:
    """Never more batches at once than allowed; what waits goes next."""
    batches = Batches()
    batches.open.clear()
    work = coalescer(batches, batch_limit=1)
    tickets = [work.offer(number) for number in range(6)]
    await eventually(lambda: batches.running == 2)
    batches.open.set()
    await asyncio.gather(*(ticket.wait(10) for ticket in tickets))
    assert batches.most == 2
    assert len(batches.seen) == 6


async def test_few_items_join_the_next_batch() -> None:
    """Below `join`, items wait for the running batch to end instead of starting another."""
    batches = Batches()
    batches.open.clear()
    work = coalescer(batches, join=3)
    first = work.offer(1)
    await eventually(lambda: batches.running == 1)
    second = [work.offer(2), work.offer(3)]
    await asyncio.sleep(0)
    assert batches.running == 1
    third = work.offer(4)
    await eventually(lambda: batches.running == 2)
    batches.open.set()
    await asyncio.gather(*(ticket.wait(10) for ticket in (first, *second, third)))
    assert batches.seen == [[1], [2, 3, 4]]


async def test_backlog_is_bounded() -> None:
    """When too many wait, the next is refused, and was not taken."""
    batches = Batches()
    work = coalescer(batches)
    tickets = [work.offer(number) for number in range(8)]
    with pytest.raises(Backlogged):
        work.offer(9)
    assert len([await ticket.wait(10) for ticket in tickets]) == 8
    assert all(9 not in batch for batch in batches.seen)


async def test_a_bad_item_fails_alone() -> None:
    """An exception as an item's result reaches only its caller."""
    work = coalescer(Batches())
    good, bad = work.offer(1), work.offer(-1)
    assert await good.wait(10) == 10
    with pytest.raises(ValueError, match="-1"):
        await bad.wait(10)


async def test_a_broken_batch_fails_for_all() -> None:
    """An exception of the batch, or a wrong number of results, reaches every caller."""

    async def broken(items: Sequence[int]) -> Sequence[int]:
        if items[0] == 0:
            raise KeyError
        return []

    work: Coalescer[int, int] = Coalescer(broken, batch_limit=4, in_flight=1, backlog_limit=4)
    for number, error in ((0, KeyError), (1, RuntimeError)):
        ticket = work.offer(number)
        with pytest.raises(error):
            await ticket.wait(10)


async def test_a_caller_that_leaves_does_not_stop_the_work() -> None:
    """Timing out or being cancelled leaves the item in its batch."""
    batches = Batches()
    batches.open.clear()
    work = coalescer(batches)
    ticket = work.offer(7)
    with pytest.raises(TimeoutError):
        await ticket.wait(0.01)
    waiter = asyncio.create_task(ticket.wait(10))
    await eventually(lambda: batches.running == 1)
    waiter.cancel()
    await asyncio.wait({waiter})
    batches.open.set()
    assert await ticket.wait(10) == 70


async def test_withdraw_before_the_start_only() -> None:
    """An item can be taken back until its batch starts; then it has perhaps had its effect."""
    batches = Batches()
    batches.open.clear()
    work = coalescer(batches, in_flight=1)
    started = work.offer(1)
    await eventually(lambda: batches.running == 1)
    waiting = work.offer(2)
    assert not work.withdraw(started)
    assert work.withdraw(waiting)
    batches.open.set()
    await work.drain()
    assert batches.seen == [[1]]


async def test_stopped_batch_tells_its_callers() -> None:
    """When a batch is cancelled its callers learn that the outcome is not known."""
    batches = Batches()
    batches.open.clear()
    work = coalescer(batches)
    ticket = work.offer(1)
    await eventually(lambda: batches.running == 1)
    for task in asyncio.all_tasks():
        if "_do" in repr(task.get_coro()):
            task.cancel()
    with pytest.raises(Stopped):
        await ticket.wait(10)


@pytest.mark.parametrize(
    "options", [{"in_flight": 0}, {"join": 0}, {"batch_limit": 9}, {"join": 5}]
)
async def test_impossible_bounds(options: dict[str, int]) -> None:
    """Bounds that contradict each other are refused."""
    with pytest.raises(ValueError, match="need"):
        coalescer(Batches(), **options)
