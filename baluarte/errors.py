"""What the command line can refuse or fail with: one code each, what happened, and the way out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that stands in the way: a stable code, what is wrong, and what to do about it."""

    code: str
    what: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.code}: {self.what}\n  → {self.way_out}"


def invalid(problem: str) -> Problem:
    """A reader's sentence, `what is wrong; what to do`, as a problem."""
    what, _, way_out = problem.partition("; ")
    return Problem("SETTING_INVALID", what, way_out or "correct it")


class BaluarteError(Exception):
    """An operator-facing failure; carries every problem found, never only the first."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))

    @classmethod
    def of(cls, code: str, what: str, way_out: str) -> "BaluarteError":
        return cls(Problem(code, what, way_out))

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(problem.code for problem in self.problems)
