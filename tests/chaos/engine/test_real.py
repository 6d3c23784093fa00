"""Whole runs on a real platform: one that passes, a kill switch that is noticed, a terminal's Ctrl-C."""

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from baluarte.chaos import platforms
from baluarte.chaos.platforms import Running
from baluarte.chaos.watch import Lines
from chaos.engine import folder as folders
from chaos.engine.conduct import Done, Order, conduct
from chaos.expectations import Stated
from chaos.expectations.latency import Latency
from chaos.owners import switch
from chaos.record import Verdict
from chaos.roster import Roster
from chaos.scenarios import find, parse
from chaos.scenarios.scenario import Platform, Scenario

pytestmark = [pytest.mark.timeout(240), pytest.mark.may_block]

SHORT = """
title: Users are down for a moment
story: The users service answers errors, and its connection to the ledger is gone.
guards: [gateway.users.fallback]
hypothesis:
  - availability: 90 %
  - money: conserved
load: {journeys: {overview: 2, pay: 1}, rate: 8/s, users: 8}
phases: {warm up: 1 s, baseline: 3 s, recovery: 25 s, steady: 1 s}
faults:
  - {for: 4 s, process: users, type: error, status: 503, route: /v1/*}
  - {for: 4 s, edge: gateway-users, type: latency, latency: 20 ms}
expect:
  during:
    - stale: {step: me, at least: 50 %}
    - fresh: {step: transfer, at least: 50 %}
    - met: 3
  after:
    - recovered: 25 s
    - settled: 25 s
"""


def short_form(scenario: Scenario) -> Scenario:
    """Less of everything that only makes figures steadier, and no limit on latency."""

    def untimed(stated: tuple[Stated, ...]) -> tuple[Stated, ...]:
        return tuple(one for one in stated if not isinstance(one.what, Latency))

    expect = scenario.expect
    return replace(
        scenario,
        hypothesis=untimed(scenario.hypothesis),
        expect=replace(expect, during=untimed(expect.during), after=untimed(expect.after)),
        phases=replace(scenario.phases, warm_up=2.0, baseline=4.0, recovery=30.0, steady=1.0),
        load=replace(scenario.load, users=12, rate=min(scenario.load.rate, 8.0)),
    )


@dataclass(frozen=True)
class Stage:
    """A platform, and a loop to run on."""

    runner: asyncio.Runner
    platform: Running

    def order(self, runs: Path) -> Order:
        return Order(
            scenario=parse(SHORT, "short.yaml"), seed=11, state=self.platform.state, runs=runs
        )


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """One platform with --chaos for all tests here."""
    with asyncio.Runner() as runner:
        own = platforms.own(Platform())
        platform = runner.run(own.__aenter__())
        try:
            yield Stage(runner, platform)
        finally:
            runner.run(own.__aexit__(None, None, None))


async def conduct_and(order: Order, phase: str, do: str, roster: Roster | None = None) -> Done:
    """A run, in which something happens once `phase` has begun."""
    begun = asyncio.Event()

    class Watch(Lines):
        def moment(self, moment: object) -> None:
            if phase in str(moment):
                begun.set()

    run = asyncio.ensure_future(conduct(order, Watch()))
    await asyncio.wait_for(begun.wait(), 60)
    if do == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)
    else:
        assert roster is not None
        await switch.stop_all(roster)
    return await run


def in_place(stage: Stage) -> list[str]:
    said = stage.runner.run(switch.list_all(stage.platform.roster))
    assert not [one.problem for one in said if one.problem]
    return [fault.words for one in said for fault in one.faults]


def test_a_scenario_passes(stage: Stage, tmp_path: Path) -> None:
    """Load, two owners' faults, metrics, breakers and books, all real; nothing is left in place."""
    done = stage.runner.run(conduct(stage.order(tmp_path), Lines()))

    run = done.run
    assert run.verdict is Verdict.PASSED, (run.reason, run.findings)
    assert {fault.owner for fault in run.faults} == {"users", "proxies"}
    assert all(fault.met for fault in run.faults)
    assert {one.verdict for one in run.invariants} <= {"valid", "unknown"}
    assert run.curves
    assert run.clients_saw
    assert folders.read(done.folder) == run
    assert (done.folder / "samples.jsonl").stat().st_size > 0
    assert in_place(stage) == []


@pytest.mark.parametrize(
    "name",
    ["users-down", "valkey-down", "lost-answers-postings", "bus-duplicates-and-reorders"],
)
def test_a_short_form_of_a_scenario_passes(stage: Stage, tmp_path: Path, name: str) -> None:
    """Four of those that `make prove` runs in full: other tests run beside these, so nothing is timed."""
    order = replace(stage.order(tmp_path), scenario=short_form(find(name)))

    run = stage.runner.run(conduct(order, Lines())).run

    assert run.verdict is Verdict.PASSED, (run.reason, run.findings)
    assert all(fault.met for fault in run.faults)
    assert in_place(stage) == []


def test_the_kill_switch_ends_a_run(stage: Stage, tmp_path: Path) -> None:
    """`baluarte chaos stop` from elsewhere: aborted, and the money was judged nevertheless."""
    work = conduct_and(
        stage.order(tmp_path), "fault begins: gateway-users", "stop", stage.platform.roster
    )
    run = stage.runner.run(work).run

    assert run.verdict is Verdict.ABORTED, run.reason
    assert run.invariants
    assert in_place(stage) == []


def test_ctrl_c_ends_a_run(stage: Stage, tmp_path: Path) -> None:
    """Interrupted, with everything taken back, within seconds."""
    run = stage.runner.run(
        conduct_and(stage.order(tmp_path), "fault begins: gateway-users", "interrupt")
    ).run

    assert run.verdict is Verdict.INTERRUPTED, run.reason
    assert in_place(stage) == []
