"""The precedence of verdicts: every pair of reasons, and which one is told."""

from typing import Any

import pytest

from chaos.engine.verdict import Ending, conclude
from chaos.record import EXIT_CODES, Finding, Verdict


def finding(held: bool | None, phase: str = "during") -> Finding:
    return Finding(id="1", text="it works", phase=phase, held=held, measured="so much")


CAUSES: list[tuple[Verdict, dict[str, Any]]] = [
    (Verdict.ERROR, {"error": "an injection failed"}),
    (Verdict.INTERRUPTED, {"stopped": (Verdict.INTERRUPTED, "SIGINT")}),
    (Verdict.BASELINE_NOT_MET, {"baseline_met": False}),
    (Verdict.DEVIATED, {"money_violated": True, "findings": [finding(False)]}),
    (Verdict.INCONCLUSIVE, {"unmet": {"users: latency"}}),
    (Verdict.DEVIATED, {"findings": [finding(True), finding(False)]}),
    (Verdict.PROBE_ERROR, {"findings": [finding(True), finding(None)]}),
    (Verdict.PASSED, {}),
]
"""From the strongest to the weakest."""


@pytest.mark.parametrize(("verdict", "cause"), CAUSES)
def test_each_cause_alone(verdict: Verdict, cause: dict[str, Any]) -> None:
    """Each has its verdict and says why."""
    found, reason = conclude(Ending(**cause))

    assert found is verdict
    assert reason


@pytest.mark.parametrize("stronger", range(len(CAUSES)))
@pytest.mark.parametrize("weaker", range(len(CAUSES)))
def test_of_two_causes_the_stronger_is_told(stronger: int, weaker: int) -> None:
    """The documented precedence holds for every pair."""
    if stronger >= weaker:
        return
    first, second = CAUSES[stronger][1], CAUSES[weaker][1]
    findings = [*first.get("findings", ()), *second.get("findings", ())]
    both = {**second, **first, "findings": findings}

    assert conclude(Ending(**both))[0] is CAUSES[stronger][0]


def test_an_abort_is_told_like_an_interruption() -> None:
    """Neither run was carried out to its end."""
    verdict, reason = conclude(Ending(stopped=(Verdict.ABORTED, "too many errors")))

    assert (verdict, reason) == (Verdict.ABORTED, "too many errors")


def test_the_reason_counts_what_it_leaves_out() -> None:
    """One finding is told, the others are counted."""
    _, reason = conclude(Ending(findings=[finding(False), finding(False)]))

    assert reason == "it did not hold that it works [during]: so much (and 1 more)"


def test_only_passed_is_zero() -> None:
    """CI can tell every verdict from every other, and from our usual exit codes."""
    assert len(set(EXIT_CODES.values())) == len(Verdict) == len(EXIT_CODES)
    assert [verdict for verdict, code in EXIT_CODES.items() if code == 0] == [Verdict.PASSED]
    assert not {1, 2, 3} & set(EXIT_CODES.values())
