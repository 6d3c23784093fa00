"""Judgements of a moment while a run lasts: is it time to abort, is it well again? Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chaos.evidence import FEW, KEPT_PROMISES, kept, latency, quantile
from chaos.expectations.availability import Availability
from chaos.record import Outcome, Sample
from chaos.scenarios.scenario import Abort, Scenario

WELL_SECONDS: Final = 2.0
"""So long must answers be as in the baseline to be called so."""

_FULL: Final = frozenset({Outcome.FRESH, Outcome.QUEUED})
_TOLERANCE: Final = 0.05  # of shares: one odd answer in twenty is not an outage
_SLOWER: Final = 3.0  # times the baseline's p95: a busy machine's usual spread
_ANYWAY: Final = 0.25  # seconds: below this nobody waits, whatever the baseline was


def ended_between(samples: Sequence[Sample], start: float, end: float) -> list[Sample]:
    """Answers that came in a stretch."""
    return [sample for sample in samples if start < sample.ended <= end]


def must_abort(abort: Abort, samples: Sequence[Sample], now: float, since: float) -> str | None:
    """Why the run must stop now, or None.

    Args:
        since: when the faults began; what was before is not their harm.
    """
    start = now - abort.for_
    if start < since:
        return None
    recent = ended_between(samples, start, now)
    if len(recent) < FEW:
        return None
    errors = 1 - kept(recent) / len(recent)
    if errors < abort.errors:
        return None
    return (
        f"{errors:.0%} of {len(recent)} answers kept no promise for {abort.for_:g} s "
        f"(limit {abort.errors:.0%})"
    )


@dataclass(frozen=True, slots=True)
class Usual:
    """What the baseline was like."""

    full: float
    """Share of answers that were fresh or queued."""
    kept: float
    p95: float

    @classmethod
    def of(cls, samples: Sequence[Sample], scenario: Scenario) -> "Usual":
        """Of the baseline's answers; the hypothesis' availability is wanted at least."""
        count = max(1, len(samples))
        hoped = [
            one.what.at_least for one in scenario.hypothesis if isinstance(one.what, Availability)
        ]
        good = kept(samples) / count
        return cls(
            full=sum(sample.outcome in _FULL for sample in samples) / count,
            kept=min([good, *hoped]),
            p95=quantile([latency(sample) for sample in samples], 0.95) or 0.0,
        )


def is_well(usual: Usual, recent: Sequence[Sample]) -> bool:
    """Whether answers of the last `WELL_SECONDS` are as they used to be."""
    if len(recent) < FEW:
        return False
    full = sum(sample.outcome in _FULL for sample in recent) / len(recent)
    good = sum(sample.outcome in KEPT_PROMISES for sample in recent) / len(recent)
    slow = quantile([latency(sample) for sample in recent], 0.95) or 0.0
    return (
        good >= usual.kept - _TOLERANCE
        and full >= usual.full - _TOLERANCE
        and slow <= max(_ANYWAY, _SLOWER * usual.p95)
    )
