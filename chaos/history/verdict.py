"""Verdicts: what a check concludes, and on how much evidence."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chaos.history.case import Case

MAX_EVIDENCE: Final = 10
"""Violations that a check quotes; the rest are counted. Ten show a pattern, a thousand hide it."""


class Verdict(enum.StrEnum):
    """What a check, or all of them, conclude."""

    VALID = "valid"
    VIOLATED = "violated"
    UNKNOWN = "unknown"
    """Nothing was there to check, so nothing was proved. Never counted as green."""


class Findings:
    """What a check has looked at and found so far."""

    __slots__ = ("checked", "evidence", "violations")

    def __init__(self) -> None:
        self.checked = 0
        self.violations = 0
        self.evidence: list[str] = []

    def saw(self, count: int = 1) -> None:
        """Count things that were really examined."""
        self.checked += count

    def violated(self, what: str) -> None:
        """Note a violation; only the first few are kept in words."""
        self.violations += 1
        if len(self.evidence) < MAX_EVIDENCE:
            self.evidence.append(what)


@dataclass(frozen=True, slots=True)
class Check:
    """One law about money.

    Attributes:
        number: its place among the money checks.
        name: what it is called on the command line and in reports.
        law: the law, as a sentence.
        counts: what `checked` counts, in the plural.
        run: looks at a case and notes what it finds.
    """

    number: int
    name: str
    law: str
    counts: str
    run: Callable[[Case, Findings], None]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check concluded. `evidence` quotes at most `MAX_EVIDENCE` of the violations."""

    check: Check
    verdict: Verdict
    checked: int
    violations: int
    evidence: tuple[str, ...]


def conclude(check: Check, case: Case) -> CheckResult:
    """Run one check over a case."""
    findings = Findings()
    check.run(case, findings)
    if findings.violations:
        verdict = Verdict.VIOLATED
    elif findings.checked:
        verdict = Verdict.VALID
    else:
        verdict = Verdict.UNKNOWN
    return CheckResult(
        check, verdict, findings.checked, findings.violations, tuple(findings.evidence)
    )
