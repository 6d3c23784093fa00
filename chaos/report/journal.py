"""The journal of a run in Chaos Toolkit's shape, for tools that read that."""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from chaos.record import AppliedFault, Finding, Run, Verdict

_STATUS: Final[dict[Verdict, str]] = {
    Verdict.PASSED: "completed",
    Verdict.DEVIATED: "completed",
    Verdict.BASELINE_NOT_MET: "failed",
    Verdict.PROBE_ERROR: "failed",
    Verdict.INCONCLUSIVE: "failed",
    Verdict.ABORTED: "aborted",
    Verdict.INTERRUPTED: "interrupted",
    Verdict.ERROR: "failed",
}
"""Chaos Toolkit calls a deviated run completed, and says `deviated` beside it. It knows no inconclusive run:
what proved nothing is failed, since it must not look green."""

_BEFORE: Final = "baseline"
_AFTER: Final = "after"


def journal(run: Run) -> dict[str, Any]:
    """The journal. Times are ISO 8601 where the run says when it started, else empty."""
    end = max((phase.end for phase in run.phases), default=0.0)
    before = [one for one in run.findings if one.phase == _BEFORE]
    after = [one for one in run.findings if one.phase == _AFTER]
    during = [one for one in run.findings if one.phase not in {_BEFORE, _AFTER}]
    return {
        "chaoslib-version": "",
        "platform": ", ".join(f"{name} {value}" for name, value in run.platform.items()),
        "node": "",
        "experiment": _experiment(run),
        "start": _at(run, 0.0),
        "status": _STATUS[run.verdict],
        "deviated": run.verdict is Verdict.DEVIATED,
        "steady_states": {
            "before": _state(run, before),
            "after": _state(run, after),
            "during": [_state(run, during)] if during else [],
        },
        "run": [_injection(run, fault) for fault in run.faults],
        "rollbacks": [_reversal(run, fault) for fault in run.faults if fault.end is not None],
        "end": _at(run, end),
        "duration": end,
        "baluarte": {"verdict": run.verdict, "reason": run.reason, "run": run.id},
    }


def encoded(run: Run) -> bytes:
    """The journal as JSON."""
    return msgspec.json.format(msgspec.json.encode(journal(run)), indent=2)


def _experiment(run: Run) -> dict[str, Any]:
    return {
        "version": "1.0.0",
        "title": run.title or run.scenario,
        "description": run.story or run.title or run.scenario,
        "tags": list(run.guards),
        "steady-state-hypothesis": {
            "title": "What holds in the baseline, during the faults and after",
            "probes": [_probe(one) for one in run.findings],
        },
        "method": [_action(fault) for fault in run.faults],
        "rollbacks": [],
    }


def _probe(one: Finding) -> dict[str, Any]:
    return {"type": "probe", "name": f"{one.phase}: {one.text}", "tolerance": True}


def _action(fault: AppliedFault) -> dict[str, Any]:
    return {"type": "action", "name": fault.words or fault.kind}


def _state(run: Run, findings: list[Finding]) -> dict[str, Any] | None:
    if not findings:
        return None
    probes = [
        {
            "activity": _probe(one),
            "status": "failed" if one.held is None else "succeeded",
            "output": one.measured,
            "tolerance_met": one.held is True,
            **_times(run, *_phase(run, one.phase)),
        }
        for one in findings
    ]
    return {"steady_state_met": all(one.held is True for one in findings), "probes": probes}


def _phase(run: Run, name: str) -> tuple[float, float]:
    """When a phase was. Findings are judged by its end."""
    for phase in run.phases:
        if phase.name == name:
            return phase.start, phase.end
    end = max((phase.end for phase in run.phases), default=0.0)
    return end, end


def _injection(run: Run, fault: AppliedFault) -> dict[str, Any]:
    end = fault.start if fault.end is None else fault.end
    return {
        "activity": _action(fault),
        "status": "succeeded",
        "output": {
            "id": fault.id,
            "owner": fault.owner,
            "kind": fault.kind,
            "target": fault.target,
            "met": fault.met,
            "parameters": fault.parameters,
        },
        **_times(run, fault.start, end),
    }


def _reversal(run: Run, fault: AppliedFault) -> dict[str, Any]:
    end = fault.end or fault.start
    return {
        "activity": {"type": "action", "name": f"end: {fault.words or fault.kind}"},
        "status": "succeeded",
        "output": {"id": fault.id, "ended_by": fault.ended_by},
        **_times(run, end, end),
    }


def _times(run: Run, start: float, end: float) -> dict[str, Any]:
    return {"start": _at(run, start), "end": _at(run, end), "duration": max(0.0, end - start)}


def _at(run: Run, seconds: float) -> str:
    try:
        return (datetime.fromisoformat(run.started) + timedelta(seconds=seconds)).isoformat()
    except ValueError:
        return ""
