"""A failing set of faults made as small as it can be."""

from collections.abc import Awaitable, Callable

from chaos.explore.calls import FaultSet

Fails = Callable[[FaultSet], Awaitable[bool]]
"""Runs with a set of faults, and tells whether that failed."""


async def shrink(faults: FaultSet, fails: Fails) -> FaultSet:
    """Drop faults one by one while the rest still fails.

    The result fails, and none of its faults can be left out. It may be empty: then the operation fails by
    itself. Each try is a run; there are at most n·(n+1)/2 of them for n faults.
    """
    smallest = faults
    position = 0
    while position < len(smallest):
        without = smallest[:position] + smallest[position + 1 :]
        if await fails(without):
            smallest, position = without, 0
        else:
            position += 1
    return smallest
