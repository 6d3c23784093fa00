"""What a run saw: the one value that expectations are judged by."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from chaos.evidence.metrics import Metrics
from chaos.record import AppliedFault, InvariantResult, Outcome, Sample, Transition

KEPT_PROMISES: Final = frozenset({Outcome.FRESH, Outcome.STALE, Outcome.PARTIAL, Outcome.QUEUED})
"""Answers by which the platform does what it declares."""

FEW: Final = 5
"""Fewer answers than this say nothing about a share or a quantile."""


class When(StrEnum):
    """The stretches that are judged."""

    BASELINE = "baseline"
    DURING = "during"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the run: seconds since its start."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Where:
    """Which answers; None is any."""

    step: str | None = None
    journey: str | None = None
    cohort: str | None = None

    def fits(self, sample: Sample) -> bool:
        return (
            self.step in {None, sample.step}
            and self.journey in {None, sample.journey}
            and self.cohort in {None, sample.cohort}
        )

    def words(self) -> str:
        """`of me`, for a sentence; empty for all."""
        said = [
            self.step and f"`{self.step}`",
            self.journey and f"the journey {self.journey}",
            self.cohort and f"the cohort {self.cohort}",
        ]
        told = [one for one in said if one]
        return f" of {' in '.join(told)}" if told else ""


EVERYWHERE: Final = Where()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All of it. Instants are seconds of the run; None is what did not happen."""

    samples: Sequence[Sample] = ()
    spans: Mapping[When, Span] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=Metrics)
    transitions: Sequence[Transition] = ()
    faults: Sequence[AppliedFault] = ()
    money: Sequence[InvariantResult] | None = None
    """None: the books could not be read; `money_problem` says why."""
    money_problem: str = "the books were not audited"
    reverted_at: float | None = None
    recovered_at: float | None = None
    settled_at: float | None = None
    """From when on no transfer was pending and nothing held."""
    drained_at: float | None = None
    """From when on nothing waited in outboxes and inboxes."""

    @property
    def fault_at(self) -> float | None:
        """When the first fault began."""
        return min((fault.start for fault in self.faults), default=None)

    def of(self, when: When, where: Where = EVERYWHERE, *, skip: float = 0.0) -> list[Sample]:
        """The answers to what was to be asked in a stretch, without its first `skip` seconds."""
        span = self.spans.get(when)
        if span is None:
            return []
        return [
            sample
            for sample in self.samples
            if span.start + skip <= sample.intended < span.end and where.fits(sample)
        ]


def kept(samples: Iterable[Sample]) -> int:
    """How many keep a promise."""
    return sum(sample.outcome in KEPT_PROMISES for sample in samples)


def latency(sample: Sample) -> float:
    """Seconds from when it was to be sent."""
    return sample.ended - sample.intended


def quantile(values: Sequence[float], q: float) -> float | None:
    """By nearest rank; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(q * len(ordered)) - 1))]
