"""One experiment: an operation under a set of faults, made so that its outcome is due to them alone.

What makes it so:

- Faults are for calls under the run's correlation id, so that nobody else meets them.
- *With a copy*: the same person asked before, and then the truth was changed; a copy that is passed off as
  current differs from what a healthy platform says right after. *Without*: the people are new.
- Breakers and retry budgets remember. Good calls follow on bad ones, and a run during which a policy changed
  its mind (a breaker moved, a retry was refused) does not count: it is made again.
- Neither does a run in which a call failed that no fault was on, or a failed one in which the cache of
  profiles was late, so that an old name was current for it: a busy machine is no finding.
- A fault that no call met proves nothing: the run is made again, and told as not met if that does not help.
"""

import dataclasses
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from graphql import OperationDefinitionNode

from chaos.explore.answer import Answer
from chaos.explore.calls import CallKey, FaultSet, Injected, Trace, trace_of
from chaos.explore.declared import Declared, only_operation
from chaos.explore.effects import Claim, claim, lies
from chaos.explore.judge import Judgement, Result, judge
from chaos.explore.kinds import KINDS
from chaos.explore.operations import OPERATIONS, Effect, Operation, Scene
from chaos.explore.port import Platform

TRIES: Final = 4
"""Runs of one experiment until one counts: what disturbs it is others' retries, which seconds mend."""


LASTING: Final = frozenset({Effect.MONEY, Effect.REGISTRATION})
"""Effects that stay to be seen until the end, whatever other runs did since."""


class Copy(StrEnum):
    """Whether the gateway has a copy of what is asked."""

    KEPT = "kept"
    NONE = "none"


class BaselineNotMet(Exception):
    """An operation is not answered in full without any fault, so that nothing can be said of faults."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """An operation, the faults, and what came of it."""

    operation: str
    copy: Copy
    faults: FaultSet
    answer: Answer
    judgement: Judgement
    trace: Trace
    unmet: tuple[Injected, ...] = ()
    """Faults that no call met."""
    down: str = ""
    """The service that was down meanwhile, in place of faults."""
    scene: Scene | None = dataclasses.field(default=None, repr=False)
    """For a second look when all is over."""

    @property
    def failed(self) -> bool:
        return self.judgement.result is Result.VIOLATION


class Laboratory:
    """Makes experiments on one platform."""

    def __init__(self, platform: Platform, declared: Declared) -> None:
        self._platform = platform
        self._declared = declared
        self._scenes: dict[str, Scene] = {}
        self._documents: dict[str, OperationDefinitionNode] = {}

    async def run(self, operation: Operation, copy: Copy, faults: FaultSet) -> Experiment:
        """Run until a run counts.

        Raises:
            BaselineNotMet: the operation is not answered in full without faults.
            PlatformError: something that is needed for it cannot be had.
        """
        experiment: Experiment | None = None
        for _ in range(TRIES):
            before = await self._platform.unrest()
            experiment, met = await self._once(operation, copy, faults)
            after = await self._platform.unrest()
            disturbed = after.policies != before.policies or (
                experiment.failed and after.caches != before.caches
            )
            await self._platform.amend(met)
            surprises = experiment.trace.surprises([fault.call for fault in faults])
            if not (disturbed or surprises or experiment.unmet):
                return experiment
        assert experiment is not None  # noqa: S101 - there is at least one try
        return experiment

    async def prepared(self, operation: Operation, copy: Copy) -> Scene:
        """A scene in which the operation can be asked: with a copy of what was true before, or without."""
        key = operation.name
        scene = self._scenes.get(key) if copy is Copy.KEPT else None
        if scene is None:
            scene = await self._platform.stage(operation)
            if copy is Copy.KEPT:
                self._scenes[key] = scene
        await self._platform.renew(operation, scene)
        if operation.copies and copy is Copy.KEPT:
            await self.truth(operation, scene)
            await self._platform.change(operation, scene)
        return scene

    async def truth(self, operation: Operation, scene: Scene) -> Answer:
        """What a healthy platform answers. Raises `BaselineNotMet`."""
        for left in reversed(range(TRIES)):
            answer = await self._platform.ask(operation, scene, new_correlation())
            try:
                self.require_full(operation, answer)
            except BaselineNotMet:
                if not left:
                    raise
            else:
                return answer
        raise AssertionError("unreachable")

    def require_full(self, operation: Operation, answer: Answer) -> None:
        """Raise `BaselineNotMet` unless the answer is full."""
        judgement = judge(self._declared, self._document(operation), answer)
        if judgement.result is not Result.FULL:
            what = judgement.violations or [f"{name}: {it}" for name, it in judgement.fields]
            codes = f" ({', '.join(judgement.codes)})" if judgement.codes else ""
            raise BaselineNotMet(f"{operation.name} without faults: {'; '.join(what)}{codes}")

    async def judged(self, operation: Operation, scene: Scene, answer: Answer) -> Judgement:
        """The judgement of an answer, on a platform that is well again."""
        document = self._document(operation)
        if operation.reads:
            truth = await self.truth(operation, scene)
            return judge(self._declared, document, answer, truth.body)
        judgement = judge(self._declared, document, answer)
        if operation.effect is Effect.NOTHING:
            return judgement
        fact = await self._platform.fact(operation, scene, answer)
        return judgement.but(lies(claim(answer, operation.name), fact))

    async def second_look(self, experiment: Experiment) -> Experiment:
        """Look again, when all is over, at what was said not to have happened: late requests come true."""
        operation, scene = OPERATIONS[experiment.operation], experiment.scene
        if operation.effect not in LASTING or scene is None or experiment.failed:
            return experiment
        if claim(experiment.answer, operation.name) is not Claim.NOT_DONE:
            return experiment
        fact = await self._platform.fact(operation, scene, experiment.answer)
        wrong = [f"{lie}, later" for lie in lies(Claim.NOT_DONE, fact)]
        return dataclasses.replace(experiment, judgement=experiment.judgement.but(wrong))

    async def _once(
        self, operation: Operation, copy: Copy, faults: FaultSet
    ) -> tuple[Experiment, Mapping[Injected, int]]:
        scene = await self.prepared(operation, copy)
        correlation = new_correlation()
        async with self._platform.faults(faults, correlation) as met:
            answer = await self._platform.ask(operation, scene, correlation)
        if not faults:
            self.require_full(operation, answer)
        seen = await self._platform.calls(correlation)
        trace = trace_of(seen, learned(operation, faults), until=answer.ended)
        judgement = await self.judged(operation, scene, answer)
        unmet = tuple(fault for fault in faults if not met.get(fault))
        kept = dataclasses.replace(scene)
        experiment = Experiment(
            operation.name, copy, faults, answer, judgement, trace, unmet, scene=kept
        )
        return experiment, met

    def _document(self, operation: Operation) -> OperationDefinitionNode:
        found = self._documents.get(operation.name)
        if found is None:
            found = self._documents[operation.name] = only_operation(operation.document)
        return found


def learned(operation: Operation, faults: FaultSet) -> dict[CallKey, str]:
    """What the callers of the faulted calls learn."""
    return {fault.call: KINDS[fault.kind].outcome(reads=operation.reads) for fault in faults}


def new_correlation() -> str:
    """A correlation id that nothing else has, and that says in the logs where it comes from."""
    return f"explore-{secrets.token_hex(10)}"
