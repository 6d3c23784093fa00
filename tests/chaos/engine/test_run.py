"""The engine among fakes, in virtual time: verdicts, the order of things, and that no fault is left."""

import asyncio
from collections.abc import Callable

import pytest

from chaos.record import Outcome, Run, Verdict
from tests.chaos.engine.fakes import SCENARIO, Books, Stage, scenario
from tests.chaos.engine.virtual import run

FAILED = (Outcome.FAILED, 0.02)
ABORT = SCENARIO + "abort: {errors: 50 %, for: 2 s}\n"
MONEY = SCENARIO.replace(
    "  - availability: 99 %\n", "  - availability: 99 %\n  - money: conserved\n"
)


def staged(
    make: Callable[[], Stage], prepare: Callable[[Stage], None] | None = None
) -> tuple[Run, Stage]:
    """Run a stage to its end; every owner must be clean then."""

    async def play() -> tuple[Run, Stage]:
        stage = make()
        if prepare is not None:
            prepare(stage)
        result = await stage.run()
        assert not any(owner.in_place() for owner in stage.owners.values())
        assert stage.load.killed
        return result, stage

    return run(play())


def test_a_run_that_passes() -> None:
    """Phases follow in order, the fault lasts as long as it says, and the record tells all of it."""
    result, stage = staged(Stage)

    assert (result.verdict, result.reason) == (
        Verdict.PASSED,
        f"all {len(result.findings)} expectations held, and every fault was met",
    )
    assert [phase.name for phase in result.phases] == [
        "warm-up",
        "baseline",
        "faults",
        "recovery",
        "steady",
        "audit",
    ]
    (fault,) = result.faults
    assert fault.end is not None
    assert fault.end - fault.start == pytest.approx(5.0, abs=0.1)
    assert (fault.ended_by, fault.met) == ("engine", 49)
    assert result.figures.availability == 1.0
    assert result.figures.time_to_recover is not None
    assert [one.state for one in result.breakers] == ["open", "closed"]
    assert {(seen.phase, seen.outcome) for seen in result.clients_saw} >= {
        ("faults", Outcome.STALE),
        ("steady", Outcome.FRESH),
    }
    assert stage.load.stopped
    assert stage.observer.glances


def test_a_platform_that_is_not_well_gets_no_fault() -> None:
    """The hypothesis fails in the baseline: nothing is injected."""
    result, stage = staged(lambda: Stage(usual=FAILED))

    assert result.verdict is Verdict.BASELINE_NOT_MET
    assert "0 %" in result.reason
    assert result.faults == ()
    assert stage.owner.history == []
    assert [phase.name for phase in result.phases] == ["warm-up", "baseline", "baseline", "audit"]


def test_a_cold_platform_gets_another_baseline() -> None:
    """What failed in the first seconds only is forgotten."""

    def cold(stage: Stage) -> None:
        usual, stage.usual = stage.usual, FAILED

        def warm() -> None:
            stage.usual = usual

        stage.after(4.0, warm)

    result, _ = staged(Stage, cold)

    assert result.verdict is Verdict.PASSED
    assert [phase.name for phase in result.phases].count("baseline") == 2


def test_an_expectation_that_does_not_hold() -> None:
    """Clients see errors where the hypothesis says otherwise: deviated, by name and figure."""
    one = scenario(**{"expect:\n  during:\n    - availability: 0 %\n": ""})
    result, _ = staged(lambda: Stage(one, during=FAILED))

    assert result.verdict is Verdict.DEVIATED
    assert "availability" not in result.reason
    assert "keep a promise [during]" in result.reason


def test_a_fault_that_nothing_met() -> None:
    """Whatever held, held without the fault: inconclusive."""

    def unmet(stage: Stage) -> None:
        stage.owner.met_per_second = 0.0

    result, _ = staged(Stage, unmet)

    assert result.verdict is Verdict.INCONCLUSIVE
    assert "users: error" in result.reason


def test_an_injection_that_is_refused() -> None:
    """A fault that was not put in place is an error, never green; what is in place goes."""

    def refuse(stage: Stage) -> None:
        stage.owner.refuses = True

    result, _ = staged(Stage, refuse)

    assert result.verdict is Verdict.ERROR
    assert "was not put in place: not here" in result.reason


def test_an_injection_that_hangs_is_taken_back_as_well() -> None:
    """The owner puts the fault in place and never answers: the entry was on the stack before."""

    def hang(stage: Stage) -> None:
        stage.owner.hangs_on_begin = True

    result, stage = staged(Stage, hang)

    assert result.verdict is Verdict.ERROR
    assert "no answer within 5 s" in result.reason
    assert [what for _, what, _ in stage.owner.history] == ["begin", "end"]


def test_the_abort_condition_ends_it_in_milliseconds() -> None:
    """Once the condition holds, all faults are gone within a tenth of a second."""
    result, stage = staged(lambda: Stage(scenario(ABORT), during=FAILED))

    assert result.verdict is Verdict.ABORTED
    assert "kept no promise for 2 s" in result.reason
    begun = next(at for at, what, _ in stage.owner.history if what == "begin")
    ended = next(at for at, what, _ in stage.owner.history if what == "end")
    assert 2.0 <= ended - begun < 2.3
    judged_at = next(moment.at for moment in result.log if "kept no promise" in moment.text)
    assert abs(ended - judged_at) < 0.1


def test_several_faults_are_taken_back_side_by_side() -> None:
    """An abort with one silent owner does not keep the others waiting for it."""
    one = "  - {at: 0 s, for: 5 s, process: users, type: error, status: 503}\n"
    other = "  - {at: 0 s, for: 5 s, process: ledger, type: latency, seconds: 1}\n"
    text = ABORT.replace(one, one + other)

    def silent(stage: Stage) -> None:
        stage.owners["users"].silent_from = 7.0

    result, stage = staged(lambda: Stage(scenario(text), during=FAILED), silent)

    ends = [at for at, what, _ in stage.owners["ledger"].history if what == "end"]
    judged_at = next(moment.at for moment in result.log if "kept no promise" in moment.text)
    assert ends[0] - judged_at < 0.1
    assert result.verdict is Verdict.ABORTED


def test_an_owner_that_falls_silent_is_outwaited() -> None:
    """What cannot be taken back ends with its lease; the record says so."""

    def silent(stage: Stage) -> None:
        stage.owner.silent_from = 8.0

    result, _ = staged(Stage, silent)

    (fault,) = result.faults
    assert fault.ended_by == "lease"
    assert fault.end is not None
    assert fault.end - fault.start < 5 + 10 + 3 + 5.5


def test_the_kill_switch_is_noticed() -> None:
    """A fault that somebody else took back ends the run: aborted, within two heartbeats."""

    def stop(stage: Stage) -> None:
        stage.after(7.0, stage.owner.places.clear)

    result, stage = staged(Stage, stop)

    assert result.verdict is Verdict.ABORTED
    assert "chaos stop" in result.reason
    assert result.faults[0].ended_by == "stop"
    assert stage.now() < 7.0 + 2 * 1.0 + 5


@pytest.mark.parametrize("at", [0.1, 3.0, 7.0, 12.0])
def test_ctrl_c_at_any_time(at: float) -> None:
    """Everything is taken back, the record is written, and no audit keeps the operator waiting."""

    def interrupt(stage: Stage) -> None:
        stage.after(at, lambda: stage.engine.stop(Verdict.INTERRUPTED, "SIGINT was sent"))

    result, stage = staged(Stage, interrupt)

    assert (result.verdict, result.reason) == (Verdict.INTERRUPTED, "SIGINT was sent")
    assert stage.now() < at + 1.0
    assert result.invariants == ()


def test_ctrl_c_before_it_begins() -> None:
    """Also then the verdict is interrupted, and nothing was injected."""

    def interrupt(stage: Stage) -> None:
        stage.engine.stop(Verdict.INTERRUPTED, "SIGTERM was sent")

    result, stage = staged(Stage, interrupt)

    assert result.verdict is Verdict.INTERRUPTED
    assert stage.owner.history == []


def test_a_load_that_dies_is_an_error() -> None:
    """Without a load nothing is proved; the fault is taken back."""

    def die(stage: Stage) -> None:
        stage.load.dies_at = 7.0

    result, _ = staged(Stage, die)

    assert (result.verdict, result.reason) == (Verdict.ERROR, "the load ended by itself")


def test_recovery_is_waited_for_and_measured() -> None:
    """The phase ends when answers have been as before for two seconds, not after a fixed pause."""
    quick, _ = staged(Stage)
    slow, _ = staged(lambda: Stage(slow_recovery=4.0))

    assert quick.figures.time_to_recover == pytest.approx(0.0, abs=0.5)
    assert slow.figures.time_to_recover == pytest.approx(4.0, abs=0.5)


def test_a_platform_that_does_not_recover() -> None:
    """The wait is bounded, and the expectation tells."""
    text = SCENARIO + "  after:\n    - recovered: 5 s\n"
    result, _ = staged(lambda: Stage(scenario(text), slow_recovery=60.0))

    assert result.verdict is Verdict.DEVIATED
    broken = [finding for finding in result.findings if finding.held is False]
    assert [finding.measured for finding in broken] == ["it did not happen before the run ended"]


def test_money_that_is_lost_is_said_before_all_else() -> None:
    """A violated law is a deviation even when nothing met the fault."""

    def unmet(stage: Stage) -> None:
        stage.owner.met_per_second = 0.0

    result, _ = staged(lambda: Stage(scenario(MONEY), books=Books(violated=True)), unmet)

    assert result.verdict is Verdict.DEVIATED
    assert "money" in result.reason


def test_books_that_cannot_be_read_are_no_good_news() -> None:
    """Nobody knows: a probe error, with the reason."""
    result, _ = staged(lambda: Stage(scenario(MONEY), books=Books(unreadable=True)))

    assert result.verdict is Verdict.PROBE_ERROR
    assert "the database is away" in result.reason


def test_what_does_not_settle_is_told() -> None:
    """Transfers that stay pending fail `settled`, after a bounded wait."""
    text = SCENARIO + "  after:\n    - settled: 5 s\n"
    result, _ = staged(lambda: Stage(scenario(text), books=Books(moving=3)))

    assert result.verdict is Verdict.DEVIATED
    assert "no transfer is pending" in result.reason


def test_a_kill_is_over_at_once() -> None:
    """It needs no lease and no end, and counts as met."""
    text = SCENARIO.replace(
        "{at: 0 s, for: 5 s, process: users, type: error, status: 503}",
        "{at: 1 s, part: users, type: kill}",
    )
    result, stage = staged(lambda: Stage(scenario(text)))

    assert (result.faults[0].ended_by, result.faults[0].met) == ("once", 1)
    assert [what for _, what, _ in stage.owner.history] == ["begin"]


def test_a_fault_that_dies_with_its_process_is_not_the_kill_switch() -> None:
    """The scenario kills the process whose fault point holds a fault: that ends the fault, not the run."""
    text = SCENARIO.replace("expect:", "  - {at: 2 s, part: users, type: kill}\nexpect:")

    def forget(stage: Stage) -> None:
        stage.after(8.0, stage.owners["users"].places.clear)

    result, _ = staged(lambda: Stage(scenario(text)), forget)

    assert result.verdict is Verdict.PASSED
    assert [fault.ended_by for fault in result.faults] == ["restart", "once"]


def test_leases_are_renewed_while_the_engine_lives() -> None:
    """A fault outlasts its first lease; without a heartbeat it would be gone half-way."""
    text = SCENARIO.replace("for: 5 s", "for: 30 s")
    result, _ = staged(lambda: Stage(scenario(text)))

    assert result.faults[0].met == pytest.approx(300, abs=3)
    assert result.verdict is Verdict.PASSED


def test_a_dead_engine_leaves_nothing_beyond_the_lease() -> None:
    """The engine's task is torn out in the middle; the lease ends what it left."""

    async def play() -> None:
        stage = Stage()
        task = asyncio.ensure_future(stage.run())
        await asyncio.sleep(7.0)
        assert stage.owner.in_place()
        for owner in stage.owners.values():  # nobody hears it any more, as after SIGKILL
            owner.silent_from = 0.0
        await asyncio.sleep(10.1)
        assert not stage.owner.in_place()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(play())
