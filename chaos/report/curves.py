"""The curves of the timeline: their names, how they come from samples, and how long ones are made short.

Latency, outcomes and staleness are drawn at the time when the open model wanted the request sent, so that
they line up with what was wrong then; goodput is drawn when the answers came.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from chaos.record import Curve, Outcome, Sample

LATENCY_P50: Final = "latency_p50"
LATENCY_P95: Final = "latency_p95"
STALE_SHARE: Final = "stale_share"
STALE_AGE: Final = "stale_age"
GOODPUT: Final = "goodput"
RATES: Final[dict[Outcome, str]] = {outcome: f"rate_{outcome}" for outcome in Outcome}
"""Answers a second, by outcome; stacked in this order, kept promises below."""

KNOWN: Final = frozenset(
    {LATENCY_P50, LATENCY_P95, STALE_SHARE, STALE_AGE, GOODPUT, *RATES.values()}
)
"""Names with a chart of their own. Any other curve is drawn by unit, below."""

KEPT: Final = frozenset({Outcome.FRESH, Outcome.STALE, Outcome.PARTIAL, Outcome.QUEUED})
"""Outcomes that keep a promise of the platform."""

MAX_POINTS: Final = 600
"""Of a curve in a report: more than a screen has room for, and a page stays under two megabytes."""

MAX_SAMPLES: Final = 500_000
"""Read from a run's folder: half an hour at 250 requests a second."""


def curves_of(samples: Iterable[Sample], *, step: float = 1.0) -> tuple[Curve, ...]:
    """The timeline's curves from the load's samples, one point for each `step` seconds.

    A step without a request is a gap in latency and staleness, and zero in rates and goodput.
    """
    wanted: defaultdict[int, list[Sample]] = defaultdict(list)
    kept: defaultdict[int, int] = defaultdict(int)
    for sample in samples:
        wanted[math.floor(sample.intended / step)].append(sample)
        if sample.outcome in KEPT:
            kept[math.floor(sample.ended / step)] += 1
    if not wanted:
        return ()
    steps = range(min(wanted), max(wanted) + 1)

    def curve(name: str, unit: str, label: str, value: Callable[[int], float | None]) -> Curve:
        points = tuple(((at + 0.5) * step, value(at)) for at in steps)
        return Curve(name=name, unit=unit, label=label, points=points)

    def latency(share: float) -> Callable[[int], float | None]:
        return lambda at: _quantile([one.ended - one.intended for one in wanted[at]], share)

    def rate(outcome: Outcome) -> Callable[[int], float]:
        return lambda at: sum(one.outcome is outcome for one in wanted[at]) / step

    return (
        curve(LATENCY_P50, "s", "p50", latency(0.5)),
        curve(LATENCY_P95, "s", "p95", latency(0.95)),
        *(curve(name, "1/s", outcome, rate(outcome)) for outcome, name in RATES.items()),
        curve(STALE_SHARE, "share", "stale answers", lambda at: _stale_share(wanted[at])),
        curve(STALE_AGE, "s", "oldest copy shown", lambda at: _stale_age(wanted[at])),
        curve(GOODPUT, "1/s", "kept answers", lambda at: kept[at] / step),
    )


def _quantile(values: list[float], share: float) -> float | None:
    """The smallest value that at least `share` of them do not exceed."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _stale_share(samples: Sequence[Sample]) -> float | None:
    stale = sum(one.outcome is Outcome.STALE for one in samples)
    return stale / len(samples) if samples else None


def _stale_age(samples: Sequence[Sample]) -> float | None:
    return max((one.stale_age for one in samples if one.stale_age is not None), default=None)


def read_samples(path: Path) -> Iterator[Sample]:
    """The samples in a file, `MAX_SAMPLES` at most.

    A torn last line, of a load that was killed, is left out.

    Raises:
        OSError: the file cannot be read.
        msgspec.MsgspecError: a whole line is no sample.
    """
    decoder = msgspec.json.Decoder(Sample)
    with path.open("rb") as lines:
        for number, line in enumerate(lines):
            if number >= MAX_SAMPLES:
                return
            try:
                yield decoder.decode(line)
            except msgspec.MsgspecError:
                if line.endswith(b"\n"):
                    raise


def shortened(curve: Curve, most: int = MAX_POINTS) -> Curve:
    """The curve with at most `most` points (2 at least), peaks and troughs kept.

    Each stretch of the curve is stood for by its lowest and highest value, in the order of time; one of gaps
    alone stays a gap. Nothing is averaged: a report must not smooth away what somebody waited.
    """
    points = curve.points
    if len(points) <= most:
        return curve
    stretches = max(1, most // 2)
    kept: list[tuple[float, float | None]] = []
    for number in range(stretches):
        stretch = points[
            number * len(points) // stretches : (number + 1) * len(points) // stretches
        ]
        real = [(at, value) for at, value in stretch if value is not None]
        if real:
            ends = {min(real, key=lambda point: point[1]), max(real, key=lambda point: point[1])}
            kept += sorted(ends)
        else:
            kept.append(stretch[0])
    return Curve(name=curve.name, unit=curve.unit, label=curve.label, points=tuple(kept))


def together(curves: Sequence[Curve], most: int = MAX_POINTS) -> list[Curve]:
    """Rates on the same times, so that they can be stacked; at most `most` points each.

    Neighbours are averaged where there are more: a rate over a longer stretch is the mean, and the area under
    it, which is the number of answers, stays.
    """
    times = sorted({at for curve in curves for at, _ in curve.points})
    values = [dict(curve.points) for curve in curves]
    groups = min(len(times), most)
    bounds = [number * len(times) // groups for number in range(groups + 1)] if groups else [0]
    found = []
    for curve, its in zip(curves, values, strict=True):
        points = tuple(
            (
                sum(times[start:end]) / (end - start),
                sum(its.get(at) or 0.0 for at in times[start:end]) / (end - start),
            )
            for start, end in pairwise(bounds)
        )
        found.append(Curve(name=curve.name, unit=curve.unit, label=curve.label, points=points))
    return found


def drawable(curve: Curve) -> Curve:
    """The curve with a gap for each value that no axis has a place for: infinity, not a number."""
    points = tuple(
        (at, value if value is not None and math.isfinite(value) else None)
        for at, value in curve.points
        if math.isfinite(at)
    )
    return Curve(name=curve.name, unit=curve.unit, label=curve.label, points=points)
