"""The two arms of every scenario: what is run, and what counts as seen."""

import importlib.util

import pytest

from baluarte.chaos import mechanisms
from chaos import scenarios
from chaos.record import Figures, Finding, Run, Verdict
from tests.prove.ledger_of_proofs import ROOT
from tests.prove.scenarios import UNSAFE_COMMITS, Arm, arms, page


def test_every_scenario_guards_one_or_two_mechanisms() -> None:
    """One that guards nothing is too weak to keep; one that guards many says nothing of any."""
    for name in scenarios.names():
        assert 1 <= len(scenarios.find(name).guards) <= 2, name


def test_every_mechanism_that_no_setting_turns_off_is_a_mutant_of_ours() -> None:
    """`mutant:NAME` is a module of `tests/mutants/`, named after the process that it replaces."""
    named = {arm.without for arm in arms() if arm.is_mutant and arm.without is not None}
    assert named
    for name in (guard.removeprefix(mechanisms.MUTANT) for guard in named):
        assert importlib.util.find_spec(f"tests.mutants.{name}") is not None, name
        process = name.partition("_")[0]
        assert name == UNSAFE_COMMITS or process in mechanisms.POLICY_FILES, name


def test_runs_that_may_share_a_platform_stand_side_by_side() -> None:
    """As they are, and with policies off; mutants come last, each on a platform of its own."""
    wanted = arms()
    kinds = [arm.is_mutant for arm in wanted]
    assert kinds == sorted(kinds)
    assert len(wanted) == len({arm.title for arm in wanted})


@pytest.mark.parametrize("verdict", Verdict)
def test_what_counts_as_seen(verdict: Verdict) -> None:
    """As it is, a scenario must pass; without its mechanism it must go red. An error proves neither."""
    run = Run(id="1", scenario="users-slow", title="", verdict=verdict, reason="because")
    plain, without = Arm(scenarios.find("users-slow")), Arm(scenarios.find("users-slow"), "x.y.z")
    assert (plain.wrong(run) is None) == (verdict is Verdict.PASSED)
    assert (without.wrong(run) is None) == (verdict in {Verdict.DEVIATED, Verdict.ABORTED})


def test_the_page_has_a_line_for_every_run() -> None:
    """With what was off, the verdict and its reason, whatever characters that has."""
    run = Run(
        id="1",
        scenario="users-slow",
        title="",
        verdict=Verdict.DEVIATED,
        reason="p95 | 3 s",
        findings=(Finding(id="1", text="", phase="during", held=False),),
    )
    told = page("A page", [(Arm(scenarios.find("users-slow"), "gateway.users.retry"), run)])
    assert told.splitlines()[-1] == (
        "| users-slow | `gateway.users.retry` | deviated | p95 / 3 s |  |  |  |  |  |"
    )


def test_the_page_tells_when_people_were_told() -> None:
    """In seconds of the run, and as production's rules would have it."""
    figures = Figures(time_to_detect=4.2, time_to_detect_nominal=84.0)
    run = Run(id="1", scenario="x", title="", verdict=Verdict.PASSED, reason="", figures=figures)
    told = page("A page", [(Arm(scenarios.find("users-down")), run)])
    assert "| 4.20 s (84 s) |" in told.splitlines()[-1]


def test_only_the_platform_as_it_is_is_watched() -> None:
    """A control arm must go red by its mechanism; it shares no platform with those that are watched."""
    wanted = arms()
    assert {arm.is_watched for arm in wanted if arm.without is None} == {True}
    assert {arm.is_watched for arm in wanted if arm.without is not None} == {False}
    watched = {arm.place for arm in wanted if arm.is_watched}
    assert watched.isdisjoint({arm.place for arm in wanted if not arm.is_watched})


def test_the_docs_name_what_each_scenario_guards() -> None:
    """The table of docs/chaos.md is the scenarios' own."""
    text = (ROOT / "docs" / "chaos.md").read_text()
    for name in scenarios.names():
        guards = ", ".join(f"`{guard}`" for guard in scenarios.find(name).guards)
        assert f"| {name} | {guards} |" in text, name
