"""The checker: every money check over one history and one snapshot.

    report = check(read_history(path), state)
    report.raise_if_invalid()

Three answers are told apart: valid, violated, and unknown. A check that found nothing to look at is
unknown, and a report with an unknown check is not valid.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from chaos.history.case import Case, Kind
from chaos.history.checks import REGISTRY
from chaos.history.events import History
from chaos.history.state import ServerState
from chaos.history.verdict import Check, CheckResult, Verdict, conclude

EXIT_CODES: Final = {Verdict.VALID: 0, Verdict.VIOLATED: 1, Verdict.UNKNOWN: 2}


class MoneyError(AssertionError):
    """The money checks did not all come out valid. The message is the whole report."""

    def __init__(self, report: "Report") -> None:
        self.report = report
        super().__init__("\n" + report.text())


@dataclass(frozen=True, slots=True)
class Report:
    """What all checks concluded, and on how much history.

    Attributes:
        results: one per check, by number.
        operations: money operations by how they ended for their client (ok, fail, info).
        notes: what a reader should know before trusting the verdict.
    """

    results: tuple[CheckResult, ...]
    operations: dict[Kind, int]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Violated if any check is, else unknown if any is, else valid."""
        if self.violated:
            return Verdict.VIOLATED
        return Verdict.UNKNOWN if self.unknown or not self.results else Verdict.VALID

    @property
    def violated(self) -> frozenset[str]:
        """Names of the checks that are violated."""
        return self._named(Verdict.VIOLATED)

    @property
    def unknown(self) -> frozenset[str]:
        """Names of the checks that had nothing to look at."""
        return self._named(Verdict.UNKNOWN)

    @property
    def exit_code(self) -> int:
        """0 valid, 1 violated, 2 unknown."""
        return EXIT_CODES[self.verdict]

    def __getitem__(self, name: str) -> CheckResult:
        return next(result for result in self.results if result.check.name == name)

    def raise_if_invalid(self, *, may_be_unknown: Collection[str] = ()) -> None:
        """Raise `MoneyError` unless every check is valid.

        Args:
            may_be_unknown: checks that this workload gives nothing to look at, by name.
        """
        if self.violated or self.unknown - frozenset(may_be_unknown):
            raise MoneyError(self)

    def text(self) -> str:
        """The report as a table for people, with the evidence of what is violated."""
        width = max((len(result.check.law) for result in self.results), default=0)
        lines = [self._headline(), *(f"note: {note}" for note in self.notes), ""]
        for result in self.results:
            lines.append(
                f"{result.check.number:>4}  {result.check.law:<{width}}"
                f"  {result.verdict.upper():<8}  {result.checked:,} {result.check.counts}"
            )
            lines += [f"          - {line}" for line in result.evidence]
            hidden = result.violations - len(result.evidence)
            if hidden > 0:
                lines.append(f"          … and {hidden:,} more")
        return "\n".join([*lines, "", f"money: {self.verdict.upper()}"])

    def _headline(self) -> str:
        told = ", ".join(f"{self.operations.get(kind, 0):,} {kind}" for kind in Kind)
        return f"{sum(self.operations.values()):,} money operations: {told}"

    def _named(self, verdict: Verdict) -> frozenset[str]:
        return frozenset(r.check.name for r in self.results if r.verdict is verdict)


def check(
    history: History, state: ServerState, checks: Iterable[Check] = tuple(REGISTRY.values())
) -> Report:
    """Judge a history and a snapshot by every check.

    Raises:
        HistoryError: the events of the history do not fit together.
    """
    case = Case(history, state)
    operations = dict.fromkeys(Kind, 0)
    for operation in case.operations:
        if operation.moves_money:
            operations[operation.kind] += 1
    results = tuple(conclude(one, case) for one in sorted(checks, key=lambda check: check.number))
    return Report(results, operations, tuple(_notes(history, state)))


def _notes(history: History, state: ServerState) -> Iterable[str]:
    if history.torn:
        yield "the last line of the history was torn by the death of its writer and left out"
    if not state.quiet:
        yield "the servers had not come to rest when the snapshot was taken"
