"""What a run leaves behind: the one value that the engine writes and every report is made of.

A run's folder holds `run.json` (a `Run`), `samples.jsonl` (one `Sample` a line, from the load),
`history.jsonl` (`chaos/history`) and the reports. Times are seconds since the run's start on the machine's
monotonic clock, which the engine and the load's process share.
"""

from enum import StrEnum
from typing import Any, Final

import msgspec

FORMAT: Final = "baluarte-chaos-run"
VERSION: Final = 1


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of all records: camelCase on disk, defaults left out."""


class Verdict(StrEnum):
    """How a run ended. Only `PASSED` is good news; each other one says what kind of bad."""

    PASSED = "passed"
    DEVIATED = "deviated"
    """The hypothesis or an expectation did not hold, and the faults were met."""
    BASELINE_NOT_MET = "baseline-not-met"
    """The platform was not well before any fault: nothing was injected."""
    PROBE_ERROR = "probe-error"
    """A question could not be answered, so nobody knows."""
    INCONCLUSIVE = "inconclusive"
    """No traffic met a fault: whatever held, held without it."""
    ABORTED = "aborted"
    """An abort condition came true, or the operator's `baluarte chaos stop` ended it."""
    INTERRUPTED = "interrupted"
    """Ctrl-C or SIGTERM."""
    ERROR = "error"
    """The engine itself, or the injection of a fault, failed."""


EXIT_CODES: Final[dict[Verdict, int]] = {
    Verdict.PASSED: 0,
    Verdict.DEVIATED: 10,
    Verdict.BASELINE_NOT_MET: 11,
    Verdict.PROBE_ERROR: 12,
    Verdict.INCONCLUSIVE: 13,
    Verdict.ABORTED: 14,
    Verdict.ERROR: 15,
    Verdict.INTERRUPTED: 130,
}
"""Of `baluarte chaos run`. 1, 2 and 3 keep the meaning that they have for every command of ours."""


class Outcome(StrEnum):
    """What a client was told by one answer. The first four keep a promise of the platform."""

    FRESH = "fresh"
    STALE = "stale"
    """Data with an age, marked in the data and in `extensions.degraded`."""
    PARTIAL = "partial"
    """Some field null with a coded reason, the rest there."""
    QUEUED = "queued"
    """PENDING: taken, and to be carried out."""
    REFUSED = "refused"
    """A coded error that says nothing was done."""
    UNKNOWN = "unknown"
    """OUTCOME_UNKNOWN: ask again with the same key."""
    FAILED = "failed"
    """No answer in time, no connection, an answer that nobody can read, or an error without a code."""


class Sample(_Record, frozen=True, kw_only=True):
    """One request of the load, as its client saw it."""

    intended: float
    """When the open model wanted it sent; latency counts from here."""
    started: float
    ended: float
    journey: str
    step: str
    """The GraphQL root field."""
    outcome: Outcome
    codes: tuple[str, ...] = ()
    stale_age: float | None = None
    """Seconds, of the oldest copy in it."""
    status: int = 0
    """HTTP status; 0 for no answer."""
    user: int = 0
    """Number of the load's user."""
    cohort: str = ""
    attempt: int = 1
    """Of the same key, for what is sent again."""
    message: str = ""
    """Of the first error, clipped: what the person reads."""


class Phase(_Record, frozen=True, kw_only=True):
    """A stretch of the run: warm-up, baseline, faults, recovery."""

    name: str
    start: float
    end: float


class AppliedFault(_Record, frozen=True, kw_only=True):
    """One fault, from injection to its end."""

    id: str
    owner: str
    """Who applied it and takes it back: `supervisor`, `proxies`, or the process' name."""
    kind: str
    target: str
    """The part, edge or process, with what narrows it down."""
    words: str
    """For people."""
    start: float
    end: float | None = None
    ended_by: str = ""
    """`engine`, `lease`, `stop`, or `once` for what is over at once."""
    met: int | None = None
    """Requests, connections or messages that met it; for a process fault, the deaths or stops seen."""
    parameters: dict[str, Any] = {}


class Finding(_Record, frozen=True, kw_only=True):
    """One expectation and what became of it."""

    id: str
    text: str
    """The expectation as a sentence."""
    phase: str
    """When it had to hold: baseline, during, after."""
    held: bool | None
    """None: it could not be judged; `measured` says why."""
    wanted: str = ""
    measured: str = ""
    line: int = 0
    """In the scenario's file."""


class Transition(_Record, frozen=True, kw_only=True):
    """A breaker changed its state."""

    at: float
    process: str
    service: str
    state: str


class InvariantResult(_Record, frozen=True, kw_only=True):
    """One check of the proof of money."""

    number: int
    name: str
    verdict: str
    """As `chaos.history.verdict.Verdict`."""
    detail: str = ""


class Seen(_Record, frozen=True, kw_only=True):
    """What clients saw, grouped: one row of the table."""

    phase: str
    step: str
    outcome: Outcome
    code: str = ""
    count: int = 0
    example: str = ""


class Moment(_Record, frozen=True, kw_only=True):
    """A line of the run's log."""

    at: float
    text: str
    level: str = "info"


class Curve(_Record, frozen=True, kw_only=True):
    """A time series: `points` of (time, value); None is a gap. `chaos/report/curves.py` has the names."""

    name: str
    unit: str
    label: str = ""
    points: tuple[tuple[float, float | None], ...] = ()


class AlertSeen(_Record, frozen=True, kw_only=True):
    """An alert of the scenario's contract, and what came of it."""

    name: str
    wanted: str
    fired_at: float | None = None
    """When people were first told of it."""
    resolved_at: float | None = None
    """When they were told that it is over, for good."""
    held: bool | None = None
    """None: it was not judged; `measured` says why."""
    service: str = ""
    """Whose, where the contract says so."""
    channel: str = ""
    """Where it was told: a channel of Slack, or `Alertmanager` when no stand-in for Slack was there."""
    title: str = ""
    """Of the first message."""
    measured: str = ""
    line: int = 0
    """In the scenario's file; 0 for what holds in every scenario."""


class Figures(_Record, frozen=True, kw_only=True):
    """The numbers of the run's head. None: not measured, or it did not happen."""

    availability: float | None = None
    """Share of answers in the fault phase that kept a promise (0 to 1)."""
    goodput: float | None = None
    """Kept answers a second in the fault phase, over those of the baseline."""
    time_to_mitigate: float | None = None
    """Seconds from the injection until the first breaker opened or the first stand-in was served."""
    time_to_recover: float | None = None
    """Seconds from the revert until answers were as in the baseline."""
    time_to_detect: float | None = None
    """Seconds from the injection until the alert's message."""
    time_to_detect_nominal: float | None = None
    """The same at the pace of production's rules."""
    retry_amplification: float | None = None
    """Attempts downstream for each call, in the fault phase."""
    correct_degradation: float | None = None
    """Share of degraded answers that were marked as declared."""
    unsettled: int | None = None
    """Transfers that were not final at the end."""
    drain_seconds: float | None = None
    """Seconds until queues and outboxes were empty after the revert."""


class Contrast(_Record, frozen=True, kw_only=True):
    """One measure of two cohorts, and whether they differ (`chaos/statistics.py`)."""

    measure: str
    """`availability` or `latency`."""
    control: float | None = None
    """Of those without the fault: a share, or the median in seconds."""
    treated: float | None = None
    """Of those with it."""
    effect: float | None = None
    """How far apart: the difference of shares, or how much more often than half the treated wait longer."""
    minimum: float = 0.0
    """Smallest effect that matters."""
    p: float | None = None
    """Chance of a difference at least so large when there is none."""
    differs: bool | None = None
    """Significant and large enough; None: too few samples to tell."""
    test: str = ""
    """Name of the test."""


class Comparison(_Record, frozen=True, kw_only=True):
    """An A/B of two cohorts of users, the faults in one only."""

    control: str
    treated: str
    control_size: int
    """Answers."""
    treated_size: int
    alpha: float
    """Largest p that counts as a difference, for each measure."""
    contrasts: tuple[Contrast, ...] = ()


class Run(_Record, frozen=True, kw_only=True):
    """A whole run."""

    format: str = FORMAT
    version: int = VERSION
    id: str
    scenario: str
    title: str
    story: str = ""
    """What the scenario says of itself, for the report's reader."""
    source: str = ""
    """The scenario's YAML."""
    guards: tuple[str, ...] = ()
    mechanisms_off: tuple[str, ...] = ()
    """Of the control arm; empty in a plain run."""
    seed: int = 0
    commit: str = ""
    started: str = ""
    """Wall clock, for people."""
    command: str = ""
    """Runs it again."""
    platform: dict[str, str] = {}
    """What was tested: bus, replicas, versions."""
    verdict: Verdict = Verdict.ERROR
    reason: str = ""
    """The verdict in a sentence."""
    phases: tuple[Phase, ...] = ()
    faults: tuple[AppliedFault, ...] = ()
    findings: tuple[Finding, ...] = ()
    breakers: tuple[Transition, ...] = ()
    invariants: tuple[InvariantResult, ...] = ()
    clients_saw: tuple[Seen, ...] = ()
    curves: tuple[Curve, ...] = ()
    alerts: tuple[AlertSeen, ...] = ()
    figures: Figures = Figures()
    log: tuple[Moment, ...] = ()
    comparison: Comparison | None = None
    """Of two cohorts, where the faults were for one only."""
