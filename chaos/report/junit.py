"""JUnit XML, which every CI reads: the verdict, each finding, invariant and alert as a testcase.

What did not hold is a failure. What nobody knows is an error, with the reason, so that it is never green; a
check of the proof of money that had nothing to look at is skipped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from xml.etree import ElementTree as ET

from chaos.record import AlertSeen, Run, Verdict
from chaos.report import words
from chaos.report.markup import clipped, speakable

MAX_LOG: Final = 64_000
"""Characters of the log in `system-out`."""

Kind = Literal["", "failure", "error", "skipped"]

_FAILURES: Final = frozenset({Verdict.DEVIATED})


@dataclass(frozen=True, slots=True)
class _Case:
    group: str
    name: str
    kind: Kind = ""
    message: str = ""
    detail: str = ""


def junit(runs: Sequence[Run]) -> bytes:
    """The document: a suite for each run."""
    root = ET.Element("testsuites", name="baluarte chaos")
    totals = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    seconds = 0.0
    for run in runs:
        suite = _suite(run)
        root.append(suite)
        seconds += _seconds(run)
        for name in totals:
            totals[name] += int(suite.get(name, "0"))
    for name, value in totals.items():
        root.set(name, str(value))
    root.set("time", f"{seconds:.3f}")
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _suite(run: Run) -> ET.Element:
    cases = list(_cases(run))
    suite = ET.Element(
        "testsuite",
        name=speakable(run.scenario),
        tests=str(len(cases)),
        failures=str(sum(case.kind == "failure" for case in cases)),
        errors=str(sum(case.kind == "error" for case in cases)),
        skipped=str(sum(case.kind == "skipped" for case in cases)),
        time=f"{_seconds(run):.3f}",
    )
    if (timestamp := _timestamp(run.started)) is not None:
        suite.set("timestamp", timestamp)
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(run).items():
        ET.SubElement(properties, "property", name=speakable(name), value=speakable(value))
    for case in cases:
        _append(suite, run, case)
    if run.log:
        log = "\n".join(f"{one.at:9.3f} {one.level:7} {one.text}" for one in run.log)
        ET.SubElement(suite, "system-out").text = speakable(clipped(log, MAX_LOG))
    return suite


def _cases(run: Run) -> Iterable[_Case]:
    said = words.VERDICTS[run.verdict]
    kind: Kind = "error"
    if run.verdict is Verdict.PASSED:
        kind = ""
    elif run.verdict in _FAILURES:
        kind = "failure"
    yield _Case("verdict", "verdict", kind, f"{run.verdict}: {run.reason or said.means}")
    for finding in run.findings:
        line = f" (line {finding.line})" if finding.line else ""
        yield _Case(
            "findings",
            f"{finding.phase}: {finding.text}{line}",
            _kind(finding.held),
            f"wanted {finding.wanted or 'it to hold'}, measured {finding.measured or 'nothing'}",
        )
    for one in run.invariants:
        held: Kind = {"valid": "", "violated": "failure"}.get(one.verdict, "skipped")  # type: ignore[assignment]
        yield _Case(
            "money", f"{one.number}: {one.name}", held, f"{one.name} is {one.verdict}", one.detail
        )
    for alert in run.alerts:
        kept: Kind = "skipped" if alert.held is None else _kind(alert.held)
        of = f" of {alert.service}" if alert.service else ""
        yield _Case("alerts", f"{alert.name}{of}", kept, f"wanted: {alert.wanted}", _told(alert))


def _told(alert: AlertSeen) -> str:
    """What came of an alert."""
    fired = "did not fire" if alert.fired_at is None else f"fired at {alert.fired_at:.1f} s"
    return "\n".join(one for one in (alert.measured or fired, alert.title) if one)


def _kind(held: bool | None) -> Kind:
    if held is None:
        return "error"
    return "" if held else "failure"


def _append(suite: ET.Element, run: Run, case: _Case) -> None:
    whole = case.group == "verdict"
    node = ET.SubElement(
        suite,
        "testcase",
        classname=speakable(f"chaos.{run.scenario}.{case.group}"),
        name=speakable(clipped(case.name)),
        time=f"{_seconds(run) if whole else 0.0:.3f}",
    )
    if not case.kind:
        return
    told = ET.SubElement(node, case.kind, message=speakable(clipped(case.message)))
    if case.kind != "skipped":
        told.set("type", str(run.verdict) if whole else case.group)
        told.text = speakable(clipped(case.detail or case.message))


def _properties(run: Run) -> dict[str, str]:
    told = {
        "run": run.id,
        "commit": run.commit,
        "seed": str(run.seed),
        "command": run.command,
        "mechanisms-off": ", ".join(run.mechanisms_off),
        **{f"platform.{name}": value for name, value in run.platform.items()},
    }
    return {name: value for name, value in told.items() if value}


def _seconds(run: Run) -> float:
    return max((phase.end for phase in run.phases), default=0.0)


def _timestamp(started: str) -> str | None:
    """As xs:dateTime without a zone, which is what readers of JUnit expect; None when it cannot be read."""
    try:
        return datetime.fromisoformat(started).replace(tzinfo=None).isoformat(timespec="seconds")
    except ValueError:
        return None
