"""Ending an awaited call from outside: told apart from everybody else's cancellation."""

import asyncio

import pytest

from resilience.interruption import Interruption, running_task
from resilience.testing import settle


async def forever() -> None:
    """Wait for what never comes."""
    await asyncio.get_running_loop().create_future()


async def test_a_call_that_it_ended_is_its_own_doing() -> None:
    """It sees the cancellation, says so once, and leaves none behind."""
    task = running_task()
    interruption = Interruption(task)
    asyncio.get_running_loop().call_soon(interruption.fire)
    with pytest.raises(asyncio.CancelledError) as caught:
        await forever()
    assert interruption.fired
    assert interruption.settled(caught.value)
    assert task.cancelling() == 0
    assert not interruption.settled(caught.value)
    assert task.cancelling() == 0


async def test_it_fires_once_and_not_after_the_end() -> None:
    """Repeated, and after the call has ended, it does nothing."""
    task = running_task()
    late = Interruption(task)
    assert not late.fired
    assert not late.settled(None)
    late.fire()
    assert not late.fired
    assert task.cancelling() == 0
    twice = Interruption(task)
    asyncio.get_running_loop().call_soon(twice.fire)
    asyncio.get_running_loop().call_soon(twice.fire)
    with pytest.raises(asyncio.CancelledError) as caught:
        await forever()
    assert task.cancelling() == 1
    assert twice.settled(caught.value)


async def test_a_cancellation_from_outside_wins() -> None:
    """Both at once: the call was cancelled, and the outer cancellation is still pending."""
    outcome: list[bool] = []

    async def call() -> None:
        interruption = Interruption(running_task())
        asyncio.get_running_loop().call_soon(interruption.fire)
        try:
            await forever()
        except asyncio.CancelledError as error:
            outcome.append(interruption.settled(error))
            raise

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    await settle()
    assert outcome == [False]
    assert task.cancelled()


async def test_a_call_that_answered_or_failed_all_the_same_was_not_ended_by_it() -> None:
    """Who swallows the cancellation is taken at their word, and no cancellation is left behind."""
    for error in (None, ValueError("a bug")):
        interruption = Interruption(running_task())
        asyncio.get_running_loop().call_soon(interruption.fire)
        with pytest.raises(asyncio.CancelledError):
            await forever()
        assert not interruption.settled(error)
        assert running_task().cancelling() == 0


def test_without_a_task_there_is_nothing_to_end() -> None:
    """A callback of the loop is told so, in words."""
    told: list[str] = []

    async def main() -> None:
        def callback() -> None:
            try:
                running_task()
            except RuntimeError as error:
                told.append(str(error))

        asyncio.get_running_loop().call_soon(callback)
        await settle()

    asyncio.run(main())
    assert told == ["a policy that ends calls must be awaited within a task"]
