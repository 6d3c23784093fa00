"""What is wrong with a scenario's file: each mistake with its place and what is allowed there."""

import difflib
from collections.abc import Iterable
from typing import Final, NamedTuple

_NEAR: Final = 0.6  # of difflib: close enough to be a slip of the fingers


class Problem(NamedTuple):
    """One mistake. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.what}"


class ScenarioError(ValueError):
    """A scenario that cannot be read: all its mistakes, by line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


def unknown(kind: str, given: str, known: Iterable[str]) -> str:
    """That there is no `given`, what comes nearest, and all that there is."""
    names = list(known)
    near = difflib.get_close_matches(given, names, n=1, cutoff=_NEAR)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"there is no {kind} {given!r}; {hint}there are {', '.join(names)}"
