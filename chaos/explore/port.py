"""The port between the exploration and what is explored: a real platform, or a model of one in tests."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from chaos.explore.answer import Answer
from chaos.explore.calls import FaultSet, Injected
from chaos.explore.effects import Fact
from chaos.explore.operations import Operation, Scene
from chassis.faults.contract import SeenCall


class PlatformError(Exception):
    """The platform could not be asked or set up, which says nothing about what it does under faults.

    The message says what was wanted, of whom, and what came instead.
    """


@dataclass(frozen=True, slots=True)
class Unrest:
    """What disturbs experiments; both numbers only grow.

    Attributes:
        policies: changes of breakers, retries that a budget refused, calls that were turned away.
        caches: calls of the cache of profiles that failed. A change is told to it at once if it answers in
            time, and a little later if it does not; until then the old profile is served, within its bounds.
    """

    policies: float = 0.0
    caches: float = 0.0


class Platform(Protocol):
    """What an exploration needs. Everything raises `PlatformError` when it cannot be had."""

    async def stage(self, operation: Operation) -> Scene:
        """People who are new to the platform, with a little history, everything about them at rest."""
        ...

    async def renew(self, operation: Operation, scene: Scene) -> None:
        """Give the scene what each run needs anew: key, words, and a session or payment of its own."""
        ...

    async def change(self, operation: Operation, scene: Scene) -> None:
        """Change what the operation would answer, so that a copy of it is no longer the truth."""
        ...

    async def ask(self, operation: Operation, scene: Scene, correlation: str) -> Answer:
        """Send the operation once, without retries of our own. Never raises for what comes back."""
        ...

    async def calls(self, correlation: str) -> Mapping[str, Sequence[SeenCall]]:
        """What each service was asked under a correlation id."""
        ...

    def faults(
        self, faults: FaultSet, correlation: str
    ) -> AbstractAsyncContextManager[Mapping[Injected, int]]:
        """The faults while the block runs, for calls under that correlation id alone.

        Afterwards the mapping says how often each was met; it is empty before.
        """
        ...

    def down(self, service: str) -> AbstractAsyncContextManager[Any]:
        """The whole service while the block runs; it is well again, and so are its callers, after it."""
        ...

    async def fact(self, operation: Operation, scene: Scene, answer: Answer) -> Fact:
        """What became of a mutation, once it came to rest or did not for too long."""
        ...

    async def amend(self, met: Mapping[Injected, int]) -> None:
        """Make up for failed calls with good ones, so that breakers and budgets forget them."""
        ...

    async def unrest(self) -> Unrest:
        """How often policies changed their mind so far. Waits until all breakers are closed."""
        ...
