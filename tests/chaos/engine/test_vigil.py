"""Runs under a scripted watch, in virtual time: contracts that are kept, broken, and not judged."""

import asyncio
from collections.abc import Callable

import pytest

from chaos.record import AlertSeen, Run, Verdict
from tests.chaos.engine.fakes import SCENARIO, Stage, scenario
from tests.chaos.engine.virtual import run

DOWN = (
    SCENARIO + "alerts:\n  - {fires: ServiceDown, service: users, within: 2 min, resolves: 2 min}\n"
)
"""At thirty times the pace: four seconds to be told, and to be over. Faults begin after 5.8 s, for 5 s."""

BEGIN, END = 5.8, 10.8


def watched(text: str, prepare: Callable[[Stage], None] = lambda _: None) -> tuple[Run, Stage]:
    """A run of a scenario under a watch."""

    async def play() -> tuple[Run, Stage]:
        stage = Stage(scenario(text), watched=True)
        prepare(stage)
        return await stage.run(), stage

    return run(play())


def told(at: float, until: float | None, alert: str = "ServiceDown") -> Callable[[Stage], None]:
    """People are told of users' alert at a time, and of its end."""
    return lambda stage: stage.alerts.fire(alert, "users", at, until)


def the(result: Run, name: str) -> AlertSeen:
    (one,) = (one for one in result.alerts if one.name == name)
    return one


def test_an_alert_that_comes_and_goes_in_time() -> None:
    """The contract is kept, and is among the expectations; detection counts from the fault."""
    result, _ = watched(DOWN, told(BEGIN + 3, END + 2))

    assert result.verdict is Verdict.PASSED, result.reason
    seen = the(result, "ServiceDown")
    assert seen.held is True
    assert (seen.channel, seen.title, seen.line) == (
        "#baluarte-gameday",
        "[PAGE · game day] ServiceDown · users",
        15,
    )
    assert seen.fired_at == pytest.approx(BEGIN + 3)
    assert seen.resolved_at == pytest.approx(END + 2)
    assert "production's pace" in seen.measured
    assert "after the last fault" in seen.measured
    assert result.figures.time_to_detect == pytest.approx(3, abs=0.2)
    assert result.figures.time_to_detect_nominal == pytest.approx(90, abs=6)
    assert [one.held for one in result.findings if one.phase == "alerts"] == [True] * 3
    assert any("people are told in #baluarte-gameday" in moment.text for moment in result.log)


def test_an_alert_that_does_not_come() -> None:
    """A contract that demands what does not happen is a deviation: the control that goes red."""
    result, _ = watched(DOWN)

    assert result.verdict is Verdict.DEVIATED
    assert "ServiceDown of users is told within 120 s" in result.reason
    assert "nobody was told" in the(result, "ServiceDown").measured
    assert result.figures.time_to_detect is None


@pytest.mark.parametrize(
    ("at", "until", "said"),
    [
        (BEGIN + 4.2, END + 2, "too late"),
        (BEGIN + 3, END + 4.3, "its end was not told in time"),
        (BEGIN + 3, None, "its end was not told in time"),
    ],
)
def test_an_alert_that_comes_or_goes_late(at: float, until: float | None, said: str) -> None:
    """The limits are production's, divided by the pace of the rules."""
    result, _ = watched(DOWN, told(at, until))

    assert result.verdict is Verdict.DEVIATED
    assert said in the(result, "ServiceDown").measured


def test_an_alert_of_somebody_else_is_none_of_ours() -> None:
    """The service is part of the promise."""
    result, _ = watched(DOWN.replace("users, within", "ledger, within"), told(BEGIN + 3, END + 2))

    assert result.verdict is Verdict.DEVIATED


def test_an_alert_that_must_be_silent() -> None:
    """Another control that goes red: money alerts must not come, whether the scenario says so or not."""
    result, _ = watched(SCENARIO, told(BEGIN + 1, END, "LedgerImbalance"))

    assert result.verdict is Verdict.DEVIATED
    assert "nobody is told of LedgerImbalance [alerts]" in result.reason
    assert the(result, "LedgerImbalance").held is False
    assert the(result, "LedgerContradiction").held is True


def test_any_page_is_not_silent() -> None:
    """By severity: a page breaks it, a warning does not."""
    quiet = SCENARIO + "alerts:\n  - {silent: any page}\n"
    paged, _ = watched(quiet, told(BEGIN + 1, END, "ErrorBudgetBurn"))
    warned, _ = watched(quiet, told(BEGIN + 1, END, "HighLatency"))

    assert (paged.verdict, warned.verdict) == (Verdict.DEVIATED, Verdict.PASSED)
    assert "ErrorBudgetBurn of users" in the(paged, "any page").measured


def test_a_message_with_a_flaw_breaks_the_contract() -> None:
    """Down to the payload: an alert that nobody can act on has not been told."""

    def flawed(stage: Stage) -> None:
        told(BEGIN + 3, END + 1)(stage)
        first = stage.alerts.told[0]
        stage.alerts.told[0] = type(first)(
            at=first.at,
            alert=first.alert,
            service=first.service,
            firing=True,
            channel=first.channel,
            title=first.title,
            flaws=("it has no link to its runbook",),
        )

    result, _ = watched(DOWN, flawed)

    assert result.verdict is Verdict.DEVIATED
    assert "no link to its runbook" in the(result, "ServiceDown").measured


def test_an_alert_that_moves_to_the_main_channel_is_not_over() -> None:
    """When the fault ends, its alert ends in the game-day channel and may fire anew in the other."""

    def moved(stage: Stage) -> None:
        told(BEGIN + 3, END + 0.5)(stage)
        stage.alerts.fire("ServiceDown", "users", END + 0.4, END + 1.5)

    result, _ = watched(DOWN, moved)

    assert result.verdict is Verdict.PASSED, result.reason
    assert the(result, "ServiceDown").resolved_at == pytest.approx(END + 1.5)


def test_an_alert_that_moves_to_another_channel_is_not_over() -> None:
    """Between its end in the one and its beginning in the other it still stands: that is waited for."""

    def moving(stage: Stage) -> None:
        told(BEGIN + 3, END + 1)(stage)
        told(END + 12, END + 14)(stage)
        stage.alerts.stands_until = {("ServiceDown", "users"): END + 14}
        stage.alerts.stands_from = BEGIN

    patient = DOWN.replace("resolves: 2 min", "resolves: 8 min")
    result, _ = watched(patient, moving)

    assert result.verdict is Verdict.PASSED, result.reason
    assert the(result, "ServiceDown").resolved_at == pytest.approx(END + 14)


def test_old_alerts_are_waited_for_before_anything_begins() -> None:
    """What an earlier run has left ends first; other alerts are no concern."""

    def old(stage: Stage) -> None:
        stage.alerts.stands_until = {("ServiceDown", "users"): 7.0, ("LowStock", "store"): 1e9}
        told(7 + BEGIN + 3, 7 + END + 2)(stage)

    result, stage = watched(DOWN, old)

    assert result.verdict is Verdict.PASSED, result.reason
    assert result.phases[0].start >= 7.0
    assert "alerts from before are waited for" in stage.observer.moments


def test_an_alert_that_stood_before_says_nothing() -> None:
    """The wait is bounded; then a contract about it cannot be judged: nobody knows."""

    def old(stage: Stage) -> None:
        stage.alerts.stands_until = {("ServiceDown", "users"): 1e9}

    result, stage = watched(DOWN, old)

    assert result.verdict is Verdict.PROBE_ERROR
    assert "stood before the first fault" in result.reason
    assert result.phases[0].start == pytest.approx(60, abs=1.5)
    assert any("still there from before" in moment for moment in stage.observer.moments)


def test_messages_from_before_the_fault_do_not_count() -> None:
    """Only what the fault has made is its alert."""
    result, _ = watched(DOWN, told(2.0, 3.0))

    assert result.verdict is Verdict.DEVIATED
    assert the(result, "ServiceDown").fired_at is None


@pytest.mark.parametrize("text", [DOWN, SCENARIO])
def test_without_a_watch_nothing_is_judged(text: str) -> None:
    """The contracts are in the record, with the way out, and the verdict is what it would be."""

    async def play() -> Run:
        return await Stage(scenario(text)).run()

    result = run(play())

    assert result.verdict is Verdict.PASSED
    assert {one.held for one in result.alerts} == {None}
    assert all("start it with --monitoring" in one.measured for one in result.alerts)
    assert "alerts" not in {one.phase for one in result.findings}


def test_at_production_s_pace_no_alert_is_demanded() -> None:
    """Eight seconds are no outage for rules that wait a minute; what must be silent is judged."""

    def slow(stage: Stage) -> None:
        stage.alerts.speed = 1.0

    result, stage = watched(DOWN, slow)

    assert result.verdict is Verdict.PASSED, result.reason
    assert "BALUARTE_MONITORING_SPEED" in the(result, "ServiceDown").measured
    assert the(result, "LedgerImbalance").held is True
    assert stage.now() < 40


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (DOWN, Verdict.DEVIATED),
        (SCENARIO + "alerts:\n  - {silent: ServiceDown}\n", Verdict.PROBE_ERROR),
    ],
)
def test_a_rule_that_is_missing_is_no_silence(text: str, verdict: Verdict) -> None:
    """A promise to tell is broken by it; that nobody was told proves nothing."""

    def mutant(stage: Stage) -> None:
        stage.alerts.known = frozenset({"LedgerImbalance", "LedgerContradiction"})

    result, _ = watched(text, mutant)

    assert result.verdict is verdict
    assert "Prometheus has no rule ServiceDown" in result.reason


def test_a_watch_that_does_not_answer_is_no_good_news() -> None:
    """Nobody knows what it would have told."""

    def mute(stage: Stage) -> None:
        stage.alerts.known = None

    result, _ = watched(SCENARIO, mute)

    assert result.verdict is Verdict.PROBE_ERROR
    assert "did not say which rules" in result.reason


def test_waiting_for_an_end_leaves_the_other_figures_alone() -> None:
    """Recovery is measured before; the wait is a phase of its own, and no longer than the contract."""
    prompt, _ = watched(DOWN, told(BEGIN + 3, END + 0.5))
    late, _ = watched(
        DOWN.replace("resolves: 2 min", "resolves: 10 min"), told(BEGIN + 3, END + 19)
    )

    assert prompt.figures.time_to_recover == late.figures.time_to_recover
    assert prompt.figures.availability == late.figures.availability
    assert [one.name for one in prompt.phases][-2:] == ["steady", "audit"]
    assert [one.name for one in late.phases][-2:] == ["alerts", "audit"]
    assert late.phases[-2].end == pytest.approx(END + 19, abs=0.5)


def test_ctrl_c_in_the_wait_ends_it() -> None:
    """Nobody waits for old alerts either when the operator has gone."""

    def stop(stage: Stage) -> None:
        stage.alerts.stands_until = {("ServiceDown", "users"): 1e9}
        asyncio.get_running_loop().call_later(
            3.0, stage.engine.stop, Verdict.INTERRUPTED, "SIGINT was sent"
        )

    result, stage = watched(DOWN, stop)

    assert result.verdict is Verdict.INTERRUPTED
    assert stage.now() < 4.0
