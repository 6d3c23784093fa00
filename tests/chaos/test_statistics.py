"""Tests of statistics: against known values, by brute force, and with a smallest effect that matters."""

from itertools import combinations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.record import Outcome, Sample
from chaos.report.html import page
from chaos.statistics import ALPHA, MIN_ANSWERS, compare, mann_whitney, two_proportions
from tests.chaos.report import examples, pages

MALES, FEMALES = [19.0, 22, 16, 29, 24], [20.0, 11, 17, 12]
"""Ages at the diagnosis of diabetes: the example in the documentation of SciPy's `mannwhitneyu`."""


def test_mann_whitney_gives_the_published_value() -> None:
    """U is 3 for the women and 17 for the men, with an exact p of 1/9."""
    assert mann_whitney(MALES, FEMALES).statistic == 3
    assert mann_whitney(FEMALES, MALES).statistic == 17
    assert mann_whitney(MALES, FEMALES).p == pytest.approx(1 / 9)


def test_the_approximation_gives_the_published_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """With continuity correction p is 0.1113 for the same data (SciPy, method "asymptotic")."""
    monkeypatch.setattr("chaos.statistics.EXACT_PAIRS", 0)
    assert mann_whitney(MALES, FEMALES).p == pytest.approx(0.11134688653314041, abs=1e-12)


def test_two_proportions_give_the_published_value() -> None:
    """5 of 83 against 12 of 99: p is 0.159 (statsmodels, `proportions_ztest`)."""
    assert round(two_proportions(5, 83, 12, 99).p, 3) == 0.159
    assert two_proportions(12, 99, 5, 83).p == two_proportions(5, 83, 12, 99).p


@given(sizes=st.tuples(st.integers(1, 5), st.integers(1, 5)), data=st.data())
def test_the_exact_p_is_that_of_counting_all_orders(
    sizes: tuple[int, int], data: st.DataObject
) -> None:
    """For small samples without ties: the share of all splits with a U at least as far from the middle."""
    first, second = sizes
    values = [float(value) for value in range(first + second)]
    order = data.draw(st.permutations(values))
    result = mann_whitney(order[:first], order[first:])

    def u(chosen: tuple[float, ...]) -> int:
        return sum(mine > other for mine in chosen for other in values if other not in chosen)

    middle = first * second / 2
    splits = [abs(u(chosen) - middle) for chosen in combinations(values, second)]
    far = abs(result.statistic - middle)
    assert result.p == pytest.approx(min(1.0, sum(one >= far for one in splits) / len(splits)))


@given(
    first=st.lists(st.integers(0, 9), min_size=1, max_size=30),
    second=st.lists(st.integers(0, 9), min_size=1, max_size=30),
)
def test_the_effect_is_the_chance_to_be_larger(first: list[int], second: list[int]) -> None:
    """It is counted over all pairs, ties as half; swapping the samples turns its sign and keeps p."""
    result, swapped = mann_whitney(first, second), mann_whitney(second, first)
    wins = sum((b > a) + (b == a) / 2 for a in first for b in second)
    assert result.effect == pytest.approx(wins / len(first) / len(second) - 0.5)
    assert swapped.effect == pytest.approx(-result.effect)
    assert swapped.p == pytest.approx(result.p)
    assert 0 <= result.p <= 1


def test_what_cannot_differ_does_not() -> None:
    """All of both, none of both, and values that are all the same have a p of one."""
    assert two_proportions(30, 30, 40, 40).p == 1
    assert two_proportions(0, 30, 0, 40).p == 1
    assert mann_whitney([1.0] * 30, [1.0] * 40).p == 1


@pytest.mark.parametrize("counts", [(2, 1, 0, 1), (-1, 3, 0, 1), (0, 0, 0, 1), (0, 1, 0, 0)])
def test_counts_that_make_no_sense_are_refused(counts: tuple[int, int, int, int]) -> None:
    """More of them than there are, or shares of nothing."""
    with pytest.raises(ValueError, match="between zero and its total"):
        two_proportions(*counts)


def test_an_empty_sample_is_refused() -> None:
    """There is nothing to compare."""
    with pytest.raises(ValueError, match="both samples"):
        mann_whitney([], [1.0])


def cohort(name: str, many: int, failed: int, latency: float) -> list[Sample]:
    return [
        Sample(
            intended=0.0,
            started=0.0,
            ended=latency * (1 + number / many),
            journey="j",
            step="me",
            outcome=Outcome.FAILED if number < failed else Outcome.FRESH,
            cohort=name,
        )
        for number in range(many)
    ]


def test_a_fault_in_one_cohort_is_seen_in_that_cohort() -> None:
    """Failures and waiting in the treated cohort are a difference, and samples of others are passed over."""
    samples = cohort("b", 200, 20, 0.5) + cohort("a", 200, 0, 0.1) + cohort("c", 999, 999, 9.0)
    found = compare(samples, "a", "b")
    assert (found.control_size, found.treated_size) == (200, 200)
    assert [one.differs for one in found.contrasts] == [True, True]
    assert found.contrasts[0].effect == pytest.approx(-0.1)


def test_a_difference_that_does_not_matter_is_none() -> None:
    """Ten times as many answers make a tenth of a per cent significant, and still too small to count."""
    found = compare(cohort("a", 40_000, 0, 0.1) + cohort("b", 40_000, 60, 0.1), "a", "b")
    (availability, latency) = found.contrasts
    assert availability.p is not None
    assert availability.p < ALPHA
    assert availability.differs is False
    assert latency.differs is False


def test_too_few_answers_give_no_verdict() -> None:
    """Below the bound nothing is compared, and the report says so."""
    found = compare(
        cohort("a", MIN_ANSWERS, 0, 0.1) + cohort("b", MIN_ANSWERS - 1, 9, 9.0), "a", "b"
    )
    assert found.contrasts == ()
    run = msgspec.structs.replace(examples.passed(), comparison=found)
    assert "Too few answers to compare" in pages.read(page(run)).text


def test_the_report_shows_the_comparison() -> None:
    """Both measures stand in the report with effect, smallest effect that matters, and p."""
    found = compare(cohort("a", 200, 0, 0.1) + cohort("b", 200, 20, 0.1), "a", "b")
    run = msgspec.structs.replace(examples.passed(), comparison=found)
    text = pages.read(page(run)).text
    assert (
        "availability ≠ differ 100 % 90 % -10.0 points ± 2 points < 0.0001 two-proportion z-test"
        in text
    )
    assert "latency (median) = no difference" in text
    assert "Two cohorts" not in pages.read(page(examples.passed())).text
