"""From what happened to one verdict: a pure function with a fixed precedence.

1. `error`: a fault could not be injected or taken back, or the engine failed. Nothing else is believed.
2. `interrupted`, `aborted`: the run was not carried out to its end.
3. `baseline-not-met`: the platform was not well before any fault.
4. `deviated`, when a law about money is violated: that is bad news whether a fault was met or not.
5. `inconclusive`: a fault of the scenario was met by nothing, so what held, held without it.
6. `deviated`: an expectation did not hold.
7. `probe-error`: an expectation could not be judged.
8. `passed`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from chaos.record import Finding, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a run's verdict is made of.

    Attributes:
        error: what the engine or an injection failed with.
        stopped: INTERRUPTED or ABORTED, with the reason.
        baseline_met: whether the hypothesis held before the faults; None when it was not asked.
        unmet: faults that nothing met, in words.
        money_violated: whether a law about money is.
    """

    findings: Sequence[Finding] = ()
    error: str = ""
    stopped: tuple[Verdict, str] | None = None
    baseline_met: bool | None = None
    unmet: Collection[str] = ()
    money_violated: bool = False


def conclude(ending: Ending) -> tuple[Verdict, str]:
    """The verdict, and its reason in a sentence."""
    broken = [one for one in ending.findings if one.held is False]
    unanswered = [one for one in ending.findings if one.held is None]
    if ending.error:
        return Verdict.ERROR, ending.error
    if ending.stopped is not None:
        return ending.stopped
    if ending.baseline_met is False:
        before = [one for one in (*broken, *unanswered) if one.phase == "baseline"]
        return Verdict.BASELINE_NOT_MET, f"before any fault, {_first(before)}"
    if ending.unmet and not ending.money_violated:
        return Verdict.INCONCLUSIVE, f"nothing met the fault: {', '.join(sorted(ending.unmet))}"
    if broken:
        return Verdict.DEVIATED, f"it did not hold that {_first(broken)}"
    if unanswered:
        return Verdict.PROBE_ERROR, f"nobody knows whether {_first(unanswered)}"
    count = len(ending.findings)
    return Verdict.PASSED, f"all {count} expectations held, and every fault was met"


def _first(findings: Sequence[Finding]) -> str:
    if not findings:
        return "the hypothesis did not hold"
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    first = findings[0]
    return f"{first.text} [{first.phase}]: {first.measured}{more}"
