"""`baluarte chaos` on the command line: what it shows, what it refuses, and its exit codes."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from baluarte.chaos.commands import WORST_FIRST
from baluarte.cli import main
from chaos.engine import folder as folders
from chaos.record import Run, Verdict
from chaos.roster import FILE, Roster
from chaos.scenarios import find, names
from chaos.scenarios.scenario import Scenario

ROSTER = Roster(gateway="http://127.0.0.1:1", supervisor_token="", chaos_token="", owners=())


def chaos(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        main, ["chaos", *arguments], env={"BALUARTE_STATE_DIR": str(state)}, catch_exceptions=False
    )


def put(state: Path, roster: Roster) -> None:
    state.mkdir(exist_ok=True)
    (state / FILE).write_bytes(msgspec.json.encode(roster))


def test_list_names_every_scenario(tmp_path: Path) -> None:
    """With its title and what it guards."""
    shown = chaos(tmp_path, "list").output
    for name in names():
        assert name in shown
        assert find(name).title in shown


@pytest.mark.parametrize("name", names())
def test_show_reads_it_aloud(name: str, tmp_path: Path) -> None:
    """Story, faults, every expectation and every alert contract as a sentence."""
    shown = chaos(tmp_path, "show", name).output
    scenario = find(name)

    assert scenario.story in shown
    for stated in (*scenario.hypothesis, *scenario.expect.during, *scenario.expect.after):
        assert stated.what.sentence() in shown
    assert "nobody is told of LedgerImbalance" in shown
    assert all(contract.sentence() in shown for contract in scenario.contracts)


def test_plan_shows_leases_and_touches_nothing(tmp_path: Path) -> None:
    """With or without a platform; one that lacks what it needs is told so."""
    shown = chaos(tmp_path, "plan", "users-slow")
    assert shown.exit_code == 0
    assert "users, 10 s, renewed every second" in shown.output
    assert "CircuitBreakerOpen of users is told within 360 s" in shown.output
    assert "nothing was touched" in shown.output
    assert not list(tmp_path.iterdir())

    put(tmp_path, ROSTER)
    refused = chaos(tmp_path, "plan", "users-slow")
    assert refused.exit_code == 1
    assert "SCENARIO_DOES_NOT_FIT" in refused.output


def test_without_a_platform_the_exact_command_is_told(tmp_path: Path) -> None:
    """Exit code 1; what to type is in the message."""
    refused = chaos(tmp_path / "none", "run", "users-slow")

    assert refused.exit_code == 1
    assert "CHAOS_OFF" in refused.output
    assert "`baluarte chaos run users-slow --up`" in refused.output


def test_a_control_arm_needs_a_platform_of_its_own(tmp_path: Path) -> None:
    """The refusal prints the command with --up, and all that was asked for."""
    refused = chaos(tmp_path, "run", "users-slow", "--seed", "3", "--off", "gateway.users.retry")
    assert refused.exit_code == 1
    command = "baluarte chaos run users-slow --seed 3 --up --off=gateway.users.retry"
    assert command in refused.output

    refused = chaos(tmp_path, "run", "users-slow", "--seed", "3", "--ft", "off")
    assert "baluarte chaos run users-slow --seed 3 --up --ft off" in refused.output


def test_production_needs_a_second_word(tmp_path: Path) -> None:
    """Also where the platform itself was started with it."""
    put(tmp_path, msgspec.structs.replace(ROSTER, production=True))
    refused = chaos(tmp_path, "run", "users-slow")

    assert refused.exit_code == 1
    assert "`baluarte chaos run users-slow --in-production`" in refused.output


def test_a_broken_file_is_told_by_line(tmp_path: Path) -> None:
    """All its mistakes, with places."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("titel: x\nstory: y\n")
    refused = chaos(tmp_path, "run", str(broken))

    assert refused.exit_code == 1
    assert (
        "broken.yaml:1:1: there is no key of scenario 'titel'; did you mean 'title'?"
        in refused.output
    )


def test_a_scenario_that_guards_nothing_real_is_refused(tmp_path: Path) -> None:
    """A typing error in `guards` would make the control arm meaningless."""
    text = (find("users-slow").source).replace("gateway.users.breaker", "gateway.users.braker")
    own = tmp_path / "own.yaml"
    own.write_text(text)

    assert "did you mean gateway.users.breaker?" in chaos(tmp_path, "show", str(own)).output


def test_wrong_usage_is_2(tmp_path: Path) -> None:
    """No scenario, or scenarios and --all."""
    assert chaos(tmp_path, "run").exit_code == 2
    assert chaos(tmp_path, "run", "users-slow", "--all").exit_code == 2


def test_report_and_replay_know_past_runs(tmp_path: Path) -> None:
    """By id or as the last; an unknown one is told the newest."""
    runs = tmp_path / "chaos"
    run_id = folders.new_id("users-slow")
    source = find("users-slow").source
    run = Run(
        id=run_id,
        scenario="users-slow",
        title="Users are slow",
        source=source,
        seed=5,
        verdict=Verdict.PASSED,
        reason="all held",
    )
    folders.write(run, folders.make(runs, run_id))

    for name in ("last", run_id, str(runs / run_id)):
        told = chaos(tmp_path, "report", name)
        assert told.exit_code == 0, told.output
        assert "all held" in told.output
        assert (runs / run_id / "report.html").is_file()
    assert "CHAOS_OFF" in chaos(tmp_path, "replay", "last").output
    assert run_id in chaos(tmp_path, "report", "nothing").output


def test_the_worst_verdict_of_several_is_told() -> None:
    """Every verdict has a place in the order."""
    assert set(WORST_FIRST) == set(Verdict)
    assert WORST_FIRST[-1] is Verdict.PASSED


@pytest.mark.parametrize("name", names())
def test_every_scenario_can_be_exported(name: str, tmp_path: Path) -> None:
    """Each fault of the plan is an action of the experiment, taken back by a rollback where it has an end."""
    shown = chaos(tmp_path, "export", name, "--chaostoolkit")

    told = msgspec.json.decode(shown.stdout)
    actions = [one for one in told["method"] if one["type"] == "action"]
    faults = sum(len(fault.targets) for fault in find(name).faults)
    assert shown.exit_code == 0
    assert len(actions) >= faults
    assert told["title"] == find(name).title


def test_several_runs_are_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` of more than one scenario leaves an index beside the runs' own reports."""
    import asyncio

    from baluarte.chaos import running
    from chaos.engine.conduct import Done

    async def one(scenario: Scenario, *_: object) -> Done:
        folder = tmp_path / scenario.name
        folder.mkdir()
        return Done(
            Run(id=scenario.name, scenario=scenario.name, title="", verdict=Verdict.PASSED), folder
        )

    @contextlib.asynccontextmanager
    async def nowhere(*_: object) -> AsyncIterator[None]:
        yield

    monkeypatch.setattr(running, "_one", one)
    monkeypatch.setattr(running, "_platform", nowhere)
    task = running.Task(
        state=tmp_path,
        runs=tmp_path,
        up=False,
        seed=1,
        off=(),
        plain=True,
        in_production=False,
        alerts=False,
        command=str,
    )
    runs = asyncio.run(running.run_all([find("users-slow"), find("users-down")], task))

    page = (tmp_path / running.CAMPAIGN / "index.html").read_text()
    assert [run.scenario for run in runs] == ["users-slow", "users-down"]
    assert all(name in page for name in ("users-slow", "users-down"))
