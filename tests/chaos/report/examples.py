"""Runs as the engine writes them, made by a seeded load model: one for each way in which a run can end.

`scripts/pictures` draws its report from `deviated()`.
"""

from typing import TypeVar

import msgspec

from chaos.record import (
    AlertSeen,
    AppliedFault,
    Figures,
    Finding,
    Moment,
    Outcome,
    Phase,
    Run,
    Seen,
    Transition,
    Verdict,
)
from chaos.report.curves import curves_of
from tests.chaos.report.weather import PHASES, SOURCE, STORM, Weather, laws, samples, seen


def passed() -> Run:
    """Users were slow, and all that was promised was kept."""
    its = samples()
    slow = AppliedFault(
        id="f1",
        owner="users",
        kind="latency",
        target="users",
        words="users: every answer late by 5 s ± 0.5 s",
        start=13.0,
        end=33.0,
        ended_by="engine",
        met=214,
        parameters={"seconds": 5.0, "jitter": 0.5},
    )
    findings = (
        Finding(id="b1", text="availability of at least 99 %", phase="baseline", held=True,
                wanted="99 %", measured="100 % of 241", line=6),
        Finding(id="b2", text="latency: p95 at most 1 s", phase="baseline", held=True,
                wanted="1 s", measured="p95 64 ms", line=7),
        Finding(id="d1", text="availability of at least 80 %", phase="during", held=True,
                wanted="80 %", measured="86.4 % of 487", line=14),
        Finding(id="d2", text="latency: p50 at most 1 s and max at most 8 s", phase="during",
                held=True, wanted="1 s, 8 s", measured="p50 71 ms, max 7.4 s", line=15),
        Finding(id="d3", text="the breaker for users is open within 8 s", phase="during", held=True,
                wanted="8 s", measured="after 4.1 s", line=16),
        Finding(id="d4", text="retry amplification of users at most 1.3", phase="during", held=True,
                wanted="1.3", measured="1.12", line=17),
        Finding(id="d5", text="at least 5 requests met the faults", phase="during", held=True,
                wanted="5", measured="214", line=18),
        Finding(id="a1", text="recovered within 15 s", phase="after", held=True, wanted="15 s",
                measured="2.1 s", line=20),
        Finding(id="a2", text="all transfers settled within 20 s", phase="after", held=True,
                wanted="20 s", measured="1.4 s", line=21),
    )  # fmt: skip
    return Run(
        id="20260114-091502-users-slow-4f2a",
        scenario="users-slow",
        title="Users are slow",
        story="A release made the users service take five seconds for everything.",
        source=SOURCE,
        guards=("gateway.users.breaker", "gateway.users.fallback"),
        seed=4711,
        commit="f1ddce6",
        started="2026-01-14T09:15:02+00:00",
        command="baluarte chaos replay 20260114-091502-users-slow-4f2a",
        platform={"bus": "postgres", "replicas": "1", "python": "3.11.7", "version": "0.1.0"},
        verdict=Verdict.PASSED,
        reason="All 9 expectations held, and 214 requests met the fault.",
        phases=PHASES,
        faults=(slow,),
        findings=findings,
        breakers=(
            Transition(at=17.1, process="gateway", service="users", state="open"),
            Transition(at=22.1, process="gateway", service="users", state="half-open"),
            Transition(at=24.3, process="gateway", service="users", state="open"),
            Transition(at=32.0, process="gateway", service="users", state="half-open"),
            Transition(at=33.4, process="gateway", service="users", state="closed"),
            Transition(at=18.9, process="transactions", service="users", state="open"),
            Transition(at=34.2, process="transactions", service="users", state="closed"),
        ),
        invariants=laws(),
        clients_saw=seen(its),
        curves=curves_of(its),
        alerts=(
            AlertSeen(
                name="BreakerOpen",
                wanted="within 30 s, then resolved",
                fired_at=24.0,
                resolved_at=44.5,
                held=True,
                service="users",
                channel="#baluarte-gameday",
                title="[WARN · game day] BreakerOpen · users",
                measured="BreakerOpen of users in #baluarte-gameday after 11.0 s",
                line=19,
            ),
        ),
        figures=Figures(
            availability=0.864,
            goodput=0.871,
            time_to_mitigate=4.1,
            time_to_recover=2.1,
            time_to_detect=11.0,
            time_to_detect_nominal=220.0,
            retry_amplification=1.12,
            correct_degradation=1.0,
            unsettled=0,
            drain_seconds=1.4,
        ),
        log=(
            Moment(at=0.0, text="load: 12 journeys a second, 12 users"),
            Moment(at=3.0, text="baseline begins"),
            Moment(at=13.0, text="users: every answer late by 5 s ± 0.5 s (lease 30 s)"),
            Moment(at=17.1, text="breaker gateway → users is open"),
            Moment(at=33.0, text="fault f1 ended by its owner, met 214"),
            Moment(at=35.1, text="answers are as in the baseline"),
            Moment(at=48.0, text="proof of money: 11 of 11 valid"),
        ),
    )


def deviated() -> Run:
    """The same without a fallback: people waited and got nothing."""
    good = passed()
    broken = {
        "d1": ("61.7 % of 488", False),
        "d2": ("p50 2.3 s, max 10 s", False),
        "d4": ("the gateway's metrics could not be read twice", None),
    }
    findings = tuple(
        msgspec.structs.replace(one, measured=broken[one.id][0], held=broken[one.id][1])
        if one.id in broken
        else one
        for one in good.findings
    )
    bad = {
        Outcome.FRESH: 5.0,
        Outcome.FAILED: 3.0,
        Outcome.REFUSED: 1.0,
        Outcome.UNKNOWN: 0.8,
        Outcome.STALE: 0.8,
    }
    its = samples(
        (Weather(13, 33, 1.4, bad), Weather(33, 37, 0.4, {Outcome.FRESH: 9.0, Outcome.FAILED: 1.0}))
    )
    kill = AppliedFault(
        id="f2",
        owner="supervisor",
        kind="kill",
        target="transactions",
        words="transactions: killed",
        start=21.0,
        ended_by="once",
        met=1,
    )
    lost = AppliedFault(
        id="f3",
        owner="proxies",
        kind="timeout",
        target="ledger-postgres",
        words="ledger → postgres: data dropped for 4 s",
        start=24.0,
        end=28.0,
        ended_by="lease",
        met=0,
        parameters={"timeout": 0},
    )
    return msgspec.structs.replace(
        good,
        id="20260114-093310-users-slow-91c0",
        command="baluarte chaos replay 20260114-093310-users-slow-91c0 --ft off",
        mechanisms_off=("gateway.users.fallback",),
        verdict=Verdict.DEVIATED,
        reason="Availability was 61.7 % during the faults and had to be 80 %; "
        "two more expectations did not hold or are unknown.",
        findings=findings,
        faults=(*good.faults, kill, lost),
        invariants=laws(settled="violated", one_reversal="unknown"),
        clients_saw=seen(its),
        curves=curves_of(its),
        alerts=(
            *good.alerts,
            AlertSeen(name="LedgerDown", wanted="never", fired_at=29.5, held=False),
        ),
        figures=msgspec.structs.replace(
            good.figures, availability=0.617, goodput=0.602, time_to_recover=5.2, unsettled=3
        ),
        log=(
            *good.log,
            Moment(at=48.2, text="check 9, settled, is violated: 3 transfers", level="error"),
        ),
    )


def aborted() -> Run:
    """The harm was larger than what there was to learn."""
    good = passed()
    its = [
        one
        for one in samples((Weather(13, 19, 6.0, {Outcome.FAILED: 9, Outcome.FRESH: 1}),))
        if one.intended < 19
    ]
    phases = (*PHASES[:2], Phase(name="faults", start=13, end=19))
    return msgspec.structs.replace(
        good,
        id="20260114-094001-users-down-0b17",
        scenario="users-down",
        title="Users are down",
        verdict=Verdict.ABORTED,
        reason="More than 80 % of the answers kept no promise for 5 s; the fault was taken back 12 ms later.",
        phases=phases,
        faults=(msgspec.structs.replace(good.faults[0], end=19.0, ended_by="stop"),),
        findings=tuple(
            msgspec.structs.replace(one, held=None, measured="the run was aborted")
            if one.phase != "baseline"
            else one
            for one in good.findings
        ),
        breakers=good.breakers[:1],
        invariants=(),
        alerts=(),
        clients_saw=seen(its, phases),
        curves=curves_of(its),
        figures=Figures(availability=0.11, time_to_mitigate=4.1),
    )


def inconclusive() -> Run:
    """Nobody met the fault; there are gaps where nobody asked."""
    good = passed()
    its = [one for one in samples(()) if not 20 < one.intended < 26]
    return msgspec.structs.replace(
        good,
        id="20260114-095512-valkey-slow-77de",
        scenario="valkey-slow",
        title="Valkey is slow",
        verdict=Verdict.INCONCLUSIVE,
        reason="No request met the fault; whatever held, held without it.",
        faults=(msgspec.structs.replace(good.faults[0], met=0),),
        breakers=(),
        alerts=(),
        clients_saw=seen(its),
        curves=curves_of(its),
        figures=Figures(availability=1.0, goodput=0.998),
    )


def empty() -> Run:
    """The engine failed before anything happened."""
    return Run(
        id="20260114-100000-users-slow-dead",
        scenario="users-slow",
        title="Users are slow",
        verdict=Verdict.ERROR,
        reason="The platform could not be reached at 127.0.0.1:8000.",
    )


HOSTILE = '<script>alert("x")</script>\'"&\x00\x1b[31m]]>'
"""What somebody may get into a name."""

Some = TypeVar("Some", bound=msgspec.Struct)


def hostile_in(value: Some, *names: str) -> Some:
    """The value with a hostile text in those places."""
    return msgspec.structs.replace(value, **dict.fromkeys(names, HOSTILE))


def each_hostile(values: tuple[Some, ...], *names: str) -> tuple[Some, ...]:
    """All of them so."""
    return tuple(hostile_in(value, *names) for value in values)


def hostile() -> Run:
    """Every text from outside tries to be markup."""
    run = deviated()
    faults = each_hostile(run.faults, "id", "owner", "kind", "target", "words", "ended_by")
    known = each_hostile(run.curves, "unit", "label")
    run = msgspec.structs.replace(
        run,
        guards=(HOSTILE,),
        mechanisms_off=(HOSTILE,),
        platform={HOSTILE: HOSTILE},
        phases=each_hostile(run.phases, "name"),
        faults=tuple(msgspec.structs.replace(one, parameters={HOSTILE: HOSTILE}) for one in faults),
        findings=each_hostile(run.findings, "text", "phase", "wanted", "measured"),
        breakers=each_hostile(run.breakers, "process", "service", "state"),
        invariants=each_hostile(run.invariants, "name", "verdict", "detail"),
        clients_saw=each_hostile(run.clients_saw, "phase", "step", "code", "example"),
        curves=(*known, hostile_in(run.curves[0], "name", "unit", "label")),
        alerts=each_hostile(
            run.alerts, "name", "wanted", "service", "channel", "title", "measured"
        ),
        log=each_hostile(run.log, "text", "level"),
    )
    return hostile_in(
        run, "id", "scenario", "title", "story", "source", "commit", "started", "command", "reason"
    )


def huge() -> Run:
    """A long run of a busy scenario: two hundred findings, forty faults, five minutes at many points."""
    good = deviated()
    its = samples((Weather(60, 240, 0.8, STORM[1].outcomes),), seconds=300, rate=60)
    phases = (
        Phase(name="baseline", start=0, end=60),
        Phase(name="faults", start=60, end=240),
        Phase(name="recovery", start=240, end=300),
    )
    words = "word " * 400
    findings = (
        msgspec.structs.replace(good.findings[number % 9], id=f"h{number}", text=words)
        for number in range(200)
    )
    faults = (
        msgspec.structs.replace(
            good.faults[0], id=f"f{number}", start=60.0 + 4 * number, end=66.0 + 4 * number
        )
        for number in range(40)
    )
    seen_by = (
        Seen(phase="faults", step=f"s{number}", outcome=Outcome.FAILED, count=1, example=words)
        for number in range(2_000)
    )
    return msgspec.structs.replace(
        good,
        phases=phases,
        findings=tuple(findings),
        faults=tuple(faults),
        clients_saw=tuple(seen_by),
        curves=curves_of(its, step=0.1),
        log=tuple(Moment(at=number / 10, text="x" * 200) for number in range(3_000)),
    )


ALL = {
    "passed": passed,
    "deviated": deviated,
    "aborted": aborted,
    "inconclusive": inconclusive,
    "empty": empty,
    "hostile": hostile,
    "huge": huge,
}
