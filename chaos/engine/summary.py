"""The record's tables and figures, made of the evidence. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import msgspec

from chaos.evidence import EVERYWHERE, Evidence, Metrics, Span, When, kept
from chaos.expectations.amplification import amplification
from chaos.expectations.goodput import rate
from chaos.owners.proxies import DOWN
from chaos.record import AppliedFault, Figures, Outcome, Phase, Seen

MAX_ROWS: Final = 200
"""Of the table of what clients saw: phases × steps × outcomes × codes stay far below."""

_DEGRADED: Final = frozenset({Outcome.STALE, Outcome.PARTIAL, Outcome.QUEUED})
_BAD: Final = ("connect_error", "timeout", "server_error")
_ATTEMPTS: Final = "downstream_call_duration_seconds_count"
_REJECTIONS: Final = "downstream_rejections_total"


def clients_saw(evidence: Evidence, phases: Sequence[Phase]) -> tuple[Seen, ...]:
    """How often which answer was given, by phase."""
    counts: dict[tuple[str, str, Outcome, str], int] = defaultdict(int)
    examples: dict[tuple[str, str, Outcome, str], str] = {}
    for sample in evidence.samples:
        phase = next((p.name for p in phases if p.start <= sample.intended < p.end), None)
        if phase is None:
            continue
        for code in sample.codes or ("",):
            key = (phase, sample.step, sample.outcome, code)
            counts[key] += 1
            if sample.message:
                examples.setdefault(key, sample.message)
    rows = [
        Seen(phase=phase, step=step, outcome=outcome, code=code, count=count)
        for (phase, step, outcome, code), count in counts.items()
    ]
    return tuple(
        msgspec.structs.replace(
            row, example=examples.get((row.phase, row.step, row.outcome, row.code), "")
        )
        for row in rows[:MAX_ROWS]
    )


def figures(evidence: Evidence, faults_at: float | None) -> Figures:
    """The numbers of the run's head."""
    during = evidence.of(When.DURING)
    now, before = (
        rate(evidence, When.DURING, EVERYWHERE),
        rate(evidence, When.BASELINE, EVERYWHERE),
    )
    degraded = [sample for sample in during if sample.outcome in _DEGRADED]
    marked = [s for s in degraded if s.outcome is not Outcome.PARTIAL or s.codes]
    reverted = evidence.reverted_at
    return Figures(
        availability=kept(during) / len(during) if during else None,
        goodput=now / before if now is not None and before else None,
        time_to_mitigate=_mitigated(evidence, faults_at),
        time_to_recover=_since(evidence.recovered_at, reverted),
        retry_amplification=_amplification(evidence),
        correct_degradation=len(marked) / len(degraded) if degraded else None,
        unsettled=None if evidence.settled_at is None else 0,
        drain_seconds=_since(evidence.drained_at, reverted),
    )


def with_met(
    faults: Sequence[AppliedFault], metrics: Metrics, span: Span | None
) -> tuple[AppliedFault, ...]:
    """The faults; to what their owner counts comes what callers noticed of an edge that is down.

    A proxy counts connections that it cut; those that it refuses it never sees.
    """
    if span is None:
        return tuple(faults)
    return tuple(
        msgspec.structs.replace(fault, met=_sum(fault.met, _noticed(fault, metrics)))
        if fault.kind == DOWN
        else fault
        for fault in faults
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return (one or 0) + (other or 0) if one is not None or other is not None else None


def _noticed(fault: AppliedFault, metrics: Metrics) -> int | None:
    """Calls of an edge's source that came to nothing while it was down."""
    source, _, target = fault.target.partition("-")
    service = target.partition("-")[0]
    end = (fault.end if fault.end is not None else fault.start) + 1.0
    found = [
        metrics.increase(source, _ATTEMPTS, {"service": service, "outcome": bad}, fault.start, end)
        for bad in _BAD
    ]
    found.append(metrics.increase(source, _REJECTIONS, {"service": service}, fault.start, end))
    known = [count for count in found if count is not None]
    return int(sum(known)) if known else None


def _mitigated(evidence: Evidence, faults_at: float | None) -> float | None:
    """Until the first breaker opened or the first stand-in was served."""
    if faults_at is None:
        return None
    moments = [one.at for one in evidence.transitions if one.state == "open" and one.at > faults_at]
    moments += [s.ended for s in evidence.of(When.DURING) if s.outcome in _DEGRADED]
    return _since(min(moments, default=None), faults_at)


def _amplification(evidence: Evidence) -> float | None:
    span = evidence.spans.get(When.DURING)
    if span is None:
        return None
    services = evidence.metrics.labels_of("gateway", _ATTEMPTS, "service")
    found = [amplification(evidence.metrics, "gateway", one, span) for one in services]
    calls = [one for one in found if one is not None]
    total = sum(count for _, _, count in calls)
    return sum(attempts for _, attempts, _ in calls) / total if total else None


def _since(moment: float | None, start: float | None) -> float | None:
    return None if moment is None or start is None else max(0.0, moment - start)
