"""The whole exploration: every operation searched, then each service down once, then the second look."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from chaos.explore.calls import FaultSet
from chaos.explore.declared import Declared
from chaos.explore.kinds import KINDS
from chaos.explore.laboratory import (
    BaselineNotMet,
    Copy,
    Experiment,
    Laboratory,
    new_correlation,
)
from chaos.explore.operations import OPERATIONS, Effect, Operation
from chaos.explore.port import Platform, PlatformError
from chaos.explore.search import Search
from chaos.explore.shrink import shrink

LANES: Final = 6
"""Operations that are explored side by side. Most of the time is waiting for timeouts."""

MOST_RUNS: Final = 2_000
"""Of one operation: a search that does not end is a defect of its own."""

Say = Callable[[str], None]
"""Tells the operator how it goes on."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to explore.

    Attributes:
        operations: names of root fields.
        depth: most faults at once.
        kinds: of faults.
        down: whether each service is down once, too.
        exhaustive: combine all calls and leave nothing out.
    """

    operations: tuple[str, ...] = tuple(OPERATIONS)
    depth: int = 2
    kinds: tuple[str, ...] = tuple(KINDS)
    down: bool = True
    lanes: int = LANES
    exhaustive: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A violation with the smallest set of faults that shows it."""

    experiment: Experiment
    smallest: FaultSet


@dataclass(frozen=True, slots=True)
class Exploration:
    """All that was found. Experiments stand in the order of the plan, not of their ends.

    `stopped`: why it ended before its end, if it did; what was found until then is there.
    """

    experiments: tuple[Experiment, ...]
    failures: tuple[Failure, ...] = ()
    pruned: int = 0
    stopped: str = ""

    @property
    def unmet(self) -> tuple[Experiment, ...]:
        """Single faults that no call met: nothing was learned."""
        return tuple(it for it in self.experiments if it.unmet and len(it.faults) == 1)


@dataclass
class _Found:
    experiments: list[Experiment] = field(default_factory=list)
    pruned: int = 0


async def explore(platform: Platform, declared: Declared, plan: Plan, say: Say) -> Exploration:
    """Explore.

    Raises:
        BaselineNotMet: an operation is not answered in full without faults.
        PlatformError: something that is needed cannot be had.
    """
    laboratory = Laboratory(platform, declared)
    operations = [OPERATIONS[name] for name in plan.operations]
    # Payments last, and among themselves: some must be alone, and would wait for everything else.
    payments = [it for it in operations if it.effect is Effect.MONEY]
    others = [it for it in operations if it.effect is not Effect.MONEY]
    found = await _side_by_side(laboratory, others, plan, say)
    found |= await _side_by_side(laboratory, payments, plan, say)
    experiments = [
        one
        for operation in operations
        for copy in copies(operation)
        for one in found[operation.name, copy].experiments
    ]
    pruned = sum(it.pruned for it in found.values())
    try:
        if plan.down:
            async for one in _outages(platform, laboratory, operations, experiments, say):
                experiments.append(one)  # noqa: PERF401 - what was found before an error stays
        looked = [await laboratory.second_look(one) for one in experiments]
        failures = await _shrunk(laboratory, looked, say)
    except (BaselineNotMet, PlatformError) as error:  # an hour's work must not be lost for that
        plain = tuple(Failure(it, it.faults) for it in experiments if it.failed)
        return Exploration(tuple(experiments), plain, pruned, str(error))
    return Exploration(tuple(looked), tuple(failures), pruned)


def copies(operation: Operation) -> tuple[Copy, ...]:
    """In which states an operation is explored."""
    return (Copy.KEPT, Copy.NONE) if operation.copies else (Copy.KEPT,)


async def _side_by_side(
    laboratory: Laboratory, operations: Sequence[Operation], plan: Plan, say: Say
) -> dict[tuple[str, Copy], _Found]:
    room = asyncio.Semaphore(plan.lanes)
    found: dict[tuple[str, Copy], _Found] = {}

    async def one(operation: Operation, copy: Copy) -> None:
        async with room:
            found[operation.name, copy] = await _searched(laboratory, operation, copy, plan)
        its = found[operation.name, copy].experiments
        failed = sum(it.failed for it in its)
        say(f"{words(operation.name, copy)}: {len(its)} runs, {failed} not as declared")
        for it in its:
            if it.failed:
                under = " and ".join(map(str, it.faults))
                say(f"  under {under}: {'; '.join(it.judgement.violations)}")

    try:
        async with asyncio.TaskGroup() as group:
            for operation in operations:
                for copy in copies(operation):
                    group.create_task(one(operation, copy))
    except ExceptionGroup as errors:  # what stopped the first one is what is told
        raise errors.exceptions[0] from None
    return found


async def _searched(laboratory: Laboratory, operation: Operation, copy: Copy, plan: Plan) -> _Found:
    search = Search(
        plan.kinds,
        lambda kind: KINDS[kind].outcome(reads=operation.reads),
        depth=plan.depth,
        combine=plan.exhaustive,
        prune=not plan.exhaustive,
    )
    found = _Found()
    while (faults := search.next()) is not None and len(found.experiments) < MOST_RUNS:
        experiment = await laboratory.run(operation, copy, faults)
        search.saw(faults, experiment.trace)
        found.experiments.append(experiment)
    found.pruned = search.pruned
    return found


async def _outages(
    platform: Platform,
    laboratory: Laboratory,
    operations: Sequence[Operation],
    experiments: Sequence[Experiment],
    say: Say,
) -> AsyncIterator[Experiment]:
    """Each service down once, under every operation that was seen to need it."""
    healthy = {(it.operation, it.copy): it for it in experiments if not it.faults}
    services = sorted({call.service for it in healthy.values() for call in it.trace})
    for service in services:
        needing = [
            (operation, copy)
            for operation in operations
            for copy in copies(operation)
            if any(call.service == service for call in healthy[operation.name, copy].trace)
        ]
        say(f"{service} down, under {len(needing)} operations")
        for one in await _outage(platform, laboratory, service, needing, healthy):
            yield one


async def _outage(
    platform: Platform,
    laboratory: Laboratory,
    service: str,
    needing: Sequence[tuple[Operation, Copy]],
    healthy: dict[tuple[str, Copy], Experiment],
) -> list[Experiment]:
    scenes = [await laboratory.prepared(operation, copy) for operation, copy in needing]
    async with platform.down(service):
        answers = [
            await platform.ask(operation, scene, new_correlation())
            for (operation, _), scene in zip(needing, scenes, strict=True)
        ]
    return [
        replace(
            healthy[operation.name, copy],
            answer=answer,
            judgement=await laboratory.judged(operation, scene, answer),
            down=service,
            scene=replace(scene),
        )
        for (operation, copy), scene, answer in zip(needing, scenes, answers, strict=True)
    ]


async def _shrunk(
    laboratory: Laboratory, experiments: Sequence[Experiment], say: Say
) -> list[Failure]:
    """The failures, with as few faults as show them. Of sets that shrink to the same, the first is kept."""
    failures: dict[tuple[str, Copy, str, frozenset[object]], Failure] = {}
    for experiment in experiments:
        if not experiment.failed:
            continue
        operation = OPERATIONS[experiment.operation]

        async def fails(
            faults: FaultSet, operation: Operation = operation, copy: Copy = experiment.copy
        ) -> bool:
            return (await laboratory.run(operation, copy, faults)).failed

        smallest = experiment.faults
        if len(smallest) > 1:
            say(f"making a failing set of {len(smallest)} faults of {operation.name} smaller")
            smallest = await shrink(smallest, fails)
        key = (experiment.operation, experiment.copy, experiment.down, frozenset(smallest))
        failures.setdefault(key, Failure(experiment, smallest))
    return list(failures.values())


def words(operation: str, copy: Copy) -> str:
    """An operation in one of its states, as a row of the matrix."""
    return operation if copy is Copy.KEPT else f"{operation}, no copy"
