"""Whole runs on a real, watched platform: some that pass, a kill switch that is noticed, a Ctrl-C.

Three alerts go all the way here, from a fault to what people read and to its end.
"""

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
from chaos.record import Run, Verdict
from chaos.roster import Roster
from chaos.scenarios import find, parse
from chaos.scenarios.scenario import Platform, Scenario
from tests.servers import unavailable

pytestmark = [pytest.mark.timeout(240), pytest.mark.may_block]

SHORT = """
title: Users are down for a moment
story: The users service answers errors, and transactions cannot reach the bus.
guards: [gateway.users.fallback]
hypothesis:
  - availability: 90 %
  - money: conserved
load: {journeys: {overview: 2, pay: 1}, rate: 8/s, users: 8}
phases: {warm up: 1 s, baseline: 3 s, recovery: 25 s, steady: 1 s}
faults:
  - {for: 4 s, process: users, type: error, status: 503, route: /v1/*}
  - {for: 4 s, edge: gateway-users, type: latency, latency: 20 ms}
  - {for: 10 s, edge: transactions-bus, type: down}   # a relay tells its backlog every five seconds
expect:
  during:
    - stale: {step: me, at least: 20 %}
    - fresh: {step: transfer, at least: 50 %}
    - met: 3
  after:
    - recovered: 25 s
    - settled: 25 s
alerts:
  - {fires: OutboxStuck, service: transactions, within: 15 min, resolves: 15 min}
"""

PATIENT = 900.0
"""Nominal seconds for an alert in these tests: other ones run beside them."""


def short_form(scenario: Scenario) -> Scenario:
    """Less of everything that only makes figures steadier; no limit on latency, and patience with alerts.

    What must be silent is left to `make prove`: a scrape that is late on a busy machine is like an outage.
    """

    def untimed(stated: tuple[Stated, ...]) -> tuple[Stated, ...]:
        return tuple(one for one in stated if not isinstance(one.what, Latency))

    expect = scenario.expect
    return replace(
        scenario,
        hypothesis=untimed(scenario.hypothesis),
        expect=replace(expect, during=untimed(expect.during), after=untimed(expect.after)),
        phases=replace(scenario.phases, warm_up=2.0, baseline=4.0, recovery=30.0, steady=1.0),
        load=replace(scenario.load, users=12, rate=min(scenario.load.rate, 8.0)),
        alerts=tuple(
            replace(one, within=PATIENT, resolves=PATIENT)
            for one in scenario.alerts
            if one.fires is not None
        ),
    )


@dataclass(frozen=True)
class Stage:
    """A platform, and a loop to run on."""

    runner: asyncio.Runner
    platform: Running

    def order(self, runs: Path) -> Order:
        return Order(
            scenario=parse(SHORT, "short.yaml"),
            seed=11,
            state=self.platform.state,
            runs=runs,
            hook=self.platform.hook,
        )


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """One platform with --chaos for all tests here, and a watch over it that tells a stand-in for Slack."""
    if not platforms.can_watch():
        unavailable("Prometheus and Alertmanager are not installed: see scripts/servers")
    with asyncio.Runner() as runner:
        own = platforms.own(Platform(), alerts=True)
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


def assert_told(run: Run, alert: str, service: str) -> None:
    """People were told of an alert in the channel that it belongs in, and that it is over.

    That the contract held says the rest: colours, words, links to runbooks, and no customer in any of it.
    What a fault of the service itself explains is a game day's; an outbox that waits for the bus is not.
    """
    (told,) = (one for one in run.alerts if (one.name, one.service) == (alert, service))
    assert told.held is True, told
    drill = alert != "OutboxStuck"
    assert told.channel == ("#baluarte-gameday" if drill else "#baluarte-warn")
    # With a number behind it where several processes say the same.
    assert f"{' · game day' if drill else ''}] {alert} · {service}" in told.title
    assert told.fired_at is not None
    assert told.resolved_at is not None
    assert run.figures.time_to_detect is not None
    assert run.figures.time_to_detect_nominal == run.figures.time_to_detect * platforms.SPEED
    assert {one.held for one in run.alerts} == {True}


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
    assert_told(run, "OutboxStuck", "transactions")
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
    for one in order.scenario.alerts:
        assert_told(run, one.alert, one.service or "")


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
