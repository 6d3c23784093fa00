"""All pipelines of a process, by name, from one set of options that can be replaced at runtime.

A dependency may have a breaker (and everything else) per endpoint or key: `pipeline("users",
"profile")` has the options of `users` and a state of its own. Those are held in a bounded registry,
since keys may come from outside.
"""

import logging
import random
from collections.abc import Mapping

from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.copies import SharedCopies
from resilience.events import SILENT, Emitter
from resilience.pipeline import Pipeline, PipelineOptions
from resilience.policy_file import InvalidPolicyFileError, PolicyFile
from resilience.registry import Registry
from resilience.verdict import Classifier, classify

__all__ = ["PolicySet"]

logger = logging.getLogger("resilience")

#: Pipelines per endpoint or key that are held at a time; each takes some ten kilobytes.
MAXIMUM_SCOPED = 1_000


class PolicySet:
    """Makes pipelines on demand, and reconfigures all of them together."""

    def __init__(
        self,
        options: Mapping[str, PipelineOptions],
        *,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
        events: Emitter = SILENT,
        classifiers: Mapping[str, Classifier] | None = None,
        shared_copies: SharedCopies | None = None,
        maximum_scoped: int = MAXIMUM_SCOPED,
    ) -> None:
        self._options = dict(options)
        self._clock = clock
        self._rng = rng
        self._events = events
        self._classifiers = dict(classifiers or {})
        self._shared_copies = shared_copies
        self._whole: dict[str, Pipeline] = {}
        self._scoped: Registry[tuple[str, str], Pipeline] = Registry(
            self._make_scoped, maximum=maximum_scoped, idle=_idle
        )

    def pipeline(self, source: str, scope: str | None = None) -> Pipeline:
        """The pipeline of a dependency, or of one endpoint or key of it.

        Hold on to the former; ask anew for the latter, so that it counts as used.
        """
        if scope is not None:
            return self._scoped.get((source, scope))
        if source not in self._whole:
            self._whole[source] = self._make(source)
        return self._whole[source]

    def reconfigure(self, options: Mapping[str, PipelineOptions]) -> None:
        """Replace all options. A dependency that is used and no longer named keeps its own."""
        for source in self._whole.keys() - options.keys():
            logger.warning("%s is no longer in the policies: it keeps those that it has", source)
        self._options.update(options)
        for source, pipeline in self._whole.items():
            pipeline.reconfigure(self._options[source])
        for (source, _), pipeline in self._scoped.items():
            pipeline.reconfigure(self._options[source])

    async def watch(self, file: PolicyFile, every_seconds: float = 1.0) -> None:
        """Follow a policy file for ever. A file with errors is logged and changes nothing."""
        while True:
            await self._clock.sleep(every_seconds)
            self.follow(file)

    def follow(self, file: PolicyFile) -> bool:
        """Apply the file if it changed; whether it was applied."""
        try:
            if not file.changed():
                return False
            self.reconfigure(file.read())
        except (OSError, UnicodeDecodeError, InvalidPolicyFileError) as error:
            logger.error("the policies stay as they are: %s", error)
            return False
        return True

    async def aclose(self) -> None:
        """End what runs behind calls, in every pipeline."""
        for pipeline in (*self._whole.values(), *self._scoped):
            await pipeline.aclose()

    def _make(self, source: str, label: str | None = None) -> Pipeline:
        if source not in self._options:
            known = ", ".join(sorted(self._options)) or "none"
            raise LookupError(f"no policies are named {source!r}; there are {known}")
        return Pipeline(
            label or source,
            self._options[source],
            clock=self._clock,
            rng=self._rng,
            events=self._events,
            classifier=self._classifiers.get(source, classify),
            shared_copies=self._shared_copies,
        )

    def _make_scoped(self, key: tuple[str, str]) -> Pipeline:
        source, scope = key
        return self._make(source, f"{source}/{scope}")


def _idle(pipeline: Pipeline) -> bool:
    return pipeline.idle
