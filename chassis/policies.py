"""A process' pipelines: one per downstream, from the policy file that names each number's reason.

    policies = Policies.open(settings, Path(__file__).with_name("policies.toml"))
    users = policies.pipeline("users")

The file beside a process' composition root holds its defaults; an operator's `<process>.toml` in
`BALUARTE_POLICIES_DIR` takes its place, and is followed at runtime: a file that is put there, changed or
taken away is heeded as a whole and loses no state, one with errors changes nothing and is told.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from chassis import database, logs
from chassis.hints import Hints
from chassis.metrics import Metrics
from chassis.periodic import Periodic
from chassis.policy_metrics import PolicyMetrics
from chassis.settings import Secret, Settings, SettingsError
from chassis.verdicts import judge
from chassis.workers import Worker
from resilience import SYSTEM_CLOCK, CircuitBreaker, Clock, Emitter, Pipeline, PipelineOptions
from resilience.copies import SharedCopies
from resilience.events import BreakerChanged, Event, TierFailed
from resilience.policy_file import InvalidPolicyFileError, PolicyFile
from resilience.policy_set import PolicySet
from resilience.verdict import Classifier

DATABASE: Final = "postgres"
"""The name of a process' own database in its policy file."""

WRITER: Final = "postgres-writer"
"""A session of its own with the same database, past its pool: the ledger's group commit."""

CACHE: Final = "valkey"

BUS: Final = "bus"

LOOK_EVERY: Final = 1.0
"""Seconds between two looks whether the policy file has changed."""

_log = logs.get("policies")


class Policies:
    """The policies of one process, its metrics about them, and its log lines.

    Args:
        options: of each downstream, by name.
        metrics: of the process.
        file: to be followed; None for policies that stay as they are.
        databases: downstreams that are guarded by units of work, whose errors are told apart from
            those of what runs within them.
        copies: where last-good copies are shared between replicas, if anywhere.
    """

    def __init__(
        self,
        options: Mapping[str, PipelineOptions],
        metrics: Metrics,
        *,
        file: PolicyFile | None = None,
        databases: Iterable[str] = (DATABASE, WRITER),
        copies: SharedCopies | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.metrics = metrics
        self._file = file
        self._clock = clock
        classifiers: dict[str, Classifier] = dict.fromkeys(options, judge)
        classifiers.update(dict.fromkeys(databases, database.judge))
        self._measures = PolicyMetrics(metrics, options)
        self._events = Emitter(self._measures.hook, log_event)
        self._used: dict[str, Pipeline] = {}
        self._hints: Hints | None = None
        self._set = PolicySet(
            options,
            clock=clock,
            events=self._events,
            classifiers=classifiers,
            shared_copies=copies,
        )

    @classmethod
    def open(
        cls,
        settings: Settings,
        default: Path,
        metrics: Metrics | None = None,
        *,
        copies: SharedCopies | None = None,
    ) -> "Policies":
        """The policies of the process whose settings these are.

        Args:
            default: the process' own file.

        Raises:
            SettingsError: the file cannot be used; every mistake with its line.
        """
        file = policy_file(settings, default)
        policies = cls(read(file), metrics or Metrics(), file=file, copies=copies)
        if settings.breaker_hints and settings.redis_url is not None:
            policies.hint_over(settings.redis_url, settings.service)
        return policies

    def pipeline(self, source: str) -> Pipeline:
        """The pipeline around a downstream. Raises LookupError: the file does not name it."""
        pipeline = self._used[source] = self._set.pipeline(source)
        self._measures.watch(pipeline)
        return pipeline

    def queued(self, source: str) -> None:
        """Count a mutation that was accepted to be carried out later, as `source` did not answer."""
        self._measures.queued(source)

    def hint_over(self, redis_url: Secret, service: str) -> None:
        """Have the replicas of `service` tell each other which breakers are open."""
        self._hints = Hints(redis_url, service, self._breakers, self._events)

    def _breakers(self) -> list[CircuitBreaker]:
        found = (pipeline.breaker for pipeline in self._used.values())
        return [breaker for breaker in found if breaker is not None]

    def workers(self) -> list[Worker]:
        """The process' background work for its policies: following the file, and hints if any."""
        following = Periodic("policies", self._follow, every=LOOK_EVERY, clock=self._clock)
        return [following] if self._hints is None else [following, self._hints]

    async def _follow(self) -> bool:
        if self._file is not None and self._set.follow(self._file):
            _log.info("policies changed", file=self._file.path.name)
        return False

    async def close(self) -> None:
        """End what runs behind calls."""
        await self._set.aclose()


def policy_file(settings: Settings, default: Path) -> PolicyFile:
    """The operator's file for this process while there is one, else `default`."""
    if settings.policies_dir is None:
        return PolicyFile(default)
    return _EitherFile(settings.policies_dir / f"{settings.service}.toml", default)


class _EitherFile(PolicyFile):
    """The operator's file while there is one, else the process' own.

    One that is put there later counts from then on, and taking it away brings the own one back.
    """

    __slots__ = ("_operators", "_own")

    def __init__(self, operators: Path, own: Path) -> None:
        super().__init__(own)
        self._operators = operators
        self._own = own
        self._choose()

    def read(self) -> dict[str, PipelineOptions]:
        self._choose()
        return super().read()

    def changed(self) -> bool:
        self._choose()
        return super().changed()

    def _choose(self) -> None:
        path = self._operators if self._operators.is_file() else self._own
        if path != self.path:
            self.path, self._seen = path, None


def read(file: PolicyFile) -> dict[str, PipelineOptions]:
    """What the file says. Raises: SettingsError: with every mistake and its line."""
    try:
        return file.read()
    except InvalidPolicyFileError as error:
        raise SettingsError([f"{file.path}: {problem}" for problem in error.problems]) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = f"{file.path} cannot be read ({type(error).__name__}); give a readable policy file"
        raise SettingsError([reason]) from None


def log_event(event: Event) -> None:
    """A log line for changes of state; what happens with each call of an outage is in the metrics."""
    tell = _TELL.get(type(event))
    if tell is not None:
        tell(event)


def _breaker_changed(event: BreakerChanged) -> None:
    _log.warning(
        "circuit breaker changed",
        dependency=event.source,
        before=event.before,
        after=event.after,
        reason=event.reason,
    )


def _tier_failed(event: TierFailed) -> None:
    _log.warning(
        "shared tier bypassed",
        dependency=event.source,
        operation=event.operation,
        error=type(event.error).__name__,
    )


_TELL: Final[Mapping[type, Callable[..., None]]] = {
    BreakerChanged: _breaker_changed,
    TierFailed: _tier_failed,
}
