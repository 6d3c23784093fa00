"""The turnstile: payments side by side, and one that is alone."""

import asyncio

from chaos.explore.wire.turnstile import Turnstile
from tests.waiting import eventually


async def test_whoever_is_alone_is_alone() -> None:
    """While one is alone nobody else is inside, whoever came first."""
    turnstile, inside, most, alone_with = Turnstile(), 0, 0, []

    async def together() -> None:
        nonlocal inside, most
        async with turnstile.together():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    async def alone() -> None:
        async with turnstile.alone():
            alone_with.append(inside)
            await asyncio.sleep(0)
            alone_with.append(inside)

    async with asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(alone() if number % 8 == 3 else together())

    assert alone_with == [0] * 10
    assert most > 1


async def test_who_wants_to_be_alone_does_not_starve() -> None:
    """Those who come after do not pass before one who waits to be alone."""
    turnstile, order = Turnstile(), []
    entered, leave = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with turnstile.together():
            entered.set()
            await leave.wait()
        order.append("first")

    async def alone() -> None:
        async with turnstile.alone():
            order.append("alone")

    async def late() -> None:
        async with turnstile.together():
            order.append("late")

    async with asyncio.TaskGroup() as group:
        group.create_task(first())
        await entered.wait()
        group.create_task(alone())
        await eventually(turnstile._gate.locked, why="one waits to be alone")
        group.create_task(late())
        leave.set()

    assert order == ["first", "alone", "late"]
