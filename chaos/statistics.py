"""Do two cohorts of users differ? Two-proportion test and Mann–Whitney U, with a smallest effect.

With enough answers anything is significant, so a difference counts only when it is also at least as large as
the minimum. Sources: pooled two-proportion z-test (Fleiss, "Statistical Methods for Rates and Proportions");
H. Mann, D. Whitney, "On a Test of Whether one of Two Random Variables is Stochastically Larger than the
Other" (1947), exact for small samples without ties, else normal with corrections for ties and continuity.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, median
from typing import Final

from chaos.record import Comparison, Contrast, Outcome, Sample

ALPHA: Final = 0.01
"""Each run tests two measures, and a pipeline runs many: one in twenty would cry wolf daily."""

MINIMUM_SHARE: Final = 0.02
"""Of availability: two answers in a hundred."""

MINIMUM_SUPERIORITY: Final = 0.06
"""Of latency: a treated answer is slower than an untouched one in 56 of 100 pairs, a small effect by
Vargha and Delaney's scale."""

MIN_ANSWERS: Final = 20
"""Of each cohort; fewer tell nothing at this alpha."""

EXACT_PAIRS: Final = 400
"""Product of the sample sizes up to which Mann–Whitney is exact: its table has that many columns."""

_NORMAL: Final = NormalDist()
_KEPT: Final = frozenset({Outcome.FRESH, Outcome.STALE, Outcome.PARTIAL, Outcome.QUEUED})


@dataclass(frozen=True, slots=True)
class Result:
    """What a test found.

    Attributes:
        statistic: z, or U of the second sample.
        effect: second minus first: of shares, or of the chance that a value of the second is larger (ties
            count half) minus one half.
        p: two-sided.
    """

    statistic: float
    effect: float
    p: float


def two_proportions(first: int, of_first: int, second: int, of_second: int) -> Result:
    """Whether two shares differ: `first` of `of_first` against `second` of `of_second`.

    Raises:
        ValueError: a count is larger than its total, negative, or a total is zero.
    """
    if not (0 <= first <= of_first and 0 <= second <= of_second and of_first and of_second):
        raise ValueError("each count lies between zero and its total, which is above zero")
    effect = second / of_second - first / of_first
    pooled = (first + second) / (of_first + of_second)
    variance = pooled * (1 - pooled) * (1 / of_first + 1 / of_second)
    if not variance:
        return Result(0.0, effect, 1.0)  # all or none of both: they cannot differ
    z = effect / math.sqrt(variance)
    return Result(z, effect, 2 * _NORMAL.cdf(-abs(z)))


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> Result:
    """Whether values of one sample tend to be larger than those of the other.

    Raises:
        ValueError: a sample is empty.
    """
    if not first or not second:
        raise ValueError("both samples need values")
    ties = Counter((*first, *second))
    pairs = len(first) * len(second)
    u = _rank_sum(second, ties) - len(second) * (len(second) + 1) / 2
    effect = u / pairs - 0.5
    if pairs <= EXACT_PAIRS and max(ties.values()) == 1:
        return Result(u, effect, _exact(round(min(u, pairs - u)), len(first), len(second)))
    return Result(u, effect, _approximate(u, len(first), len(second), ties))


def _rank_sum(sample: Sequence[float], ties: Counter[float]) -> float:
    """Of the sample's values among all values; equal ones share their mean rank."""
    ranks: dict[float, float] = {}
    below = 0
    for value in sorted(ties):
        ranks[value] = below + (ties[value] + 1) / 2
        below += ties[value]
    return sum(ranks[value] for value in sample)


def _exact(u: int, first: int, second: int) -> float:
    """Two-sided chance of a U as small as this, over all orders of distinct values.

    The number of orders with each U is the coefficient of the Gaussian binomial: its product formula is
    multiplied and divided out in place.
    """
    pairs = first * second
    counts = [1] + [0] * pairs
    for step in range(1, second + 1):
        for at in range(pairs, first + step - 1, -1):
            counts[at] -= counts[at - first - step]
        for at in range(step, pairs + 1):
            counts[at] += counts[at - step]
    return min(1.0, 2 * sum(counts[: u + 1]) / math.comb(first + second, first))


def _approximate(u: float, first: int, second: int, ties: Counter[float]) -> float:
    """The same by the normal distribution, corrected for ties and continuity."""
    size = first + second
    tied = sum(many**3 - many for many in ties.values()) / (size * (size - 1))
    variance = first * second / 12 * (size + 1 - tied)
    if variance <= 0:
        return 1.0  # every value is the same
    distance = max(0.0, abs(u - first * second / 2) - 0.5)
    return 2 * _NORMAL.cdf(-distance / math.sqrt(variance))


def compare(
    samples: Iterable[Sample], control: str, treated: str, *, alpha: float = ALPHA
) -> Comparison:
    """Two cohorts by what they were told and how long they waited.

    Args:
        samples: of the time with faults; those of other cohorts are passed over.
        control: the cohort without them.
        treated: the cohort with them.
        alpha: largest p that counts as a difference.
    """
    by_cohort: dict[str, list[Sample]] = {control: [], treated: []}
    for sample in samples:
        if sample.cohort in by_cohort:
            by_cohort[sample.cohort].append(sample)
    ours, theirs = by_cohort[control], by_cohort[treated]
    few = min(len(ours), len(theirs)) < MIN_ANSWERS
    return Comparison(
        control=control,
        treated=treated,
        control_size=len(ours),
        treated_size=len(theirs),
        alpha=alpha,
        contrasts=()
        if few
        else (_availability(ours, theirs, alpha), _latency(ours, theirs, alpha)),
    )


def _availability(ours: Sequence[Sample], theirs: Sequence[Sample], alpha: float) -> Contrast:
    kept = [sum(one.outcome in _KEPT for one in samples) for samples in (ours, theirs)]
    result = two_proportions(kept[0], len(ours), kept[1], len(theirs))
    return Contrast(
        measure="availability",
        control=kept[0] / len(ours),
        treated=kept[1] / len(theirs),
        effect=result.effect,
        minimum=MINIMUM_SHARE,
        p=result.p,
        differs=_differs(result, MINIMUM_SHARE, alpha),
        test="two-proportion z-test",
    )


def _latency(ours: Sequence[Sample], theirs: Sequence[Sample], alpha: float) -> Contrast:
    waits = [[one.ended - one.intended for one in samples] for samples in (ours, theirs)]
    result = mann_whitney(waits[0], waits[1])
    return Contrast(
        measure="latency",
        control=median(waits[0]),
        treated=median(waits[1]),
        effect=result.effect,
        minimum=MINIMUM_SUPERIORITY,
        p=result.p,
        differs=_differs(result, MINIMUM_SUPERIORITY, alpha),
        test="Mann–Whitney U",
    )


def _differs(result: Result, minimum: float, alpha: float) -> bool:
    """Significant, and large enough to matter."""
    return result.p <= alpha and abs(result.effect) >= minimum
