"""Policies from a TOML file: validated as a whole, with messages that name the line, and reloaded
while calls are under way.

    [users]                       # a downstream; its name is what `pipeline("users")` asks for
    single_flight = true

    [users.breaker]
    reason = "half the calls failing for a window is no accident"
    failure_rate = 0.5

    [users.retry]
    reason = "one lost packet is mended by one more try"
    enabled = false               # off, with its numbers kept

A table turns its policy on; a value that is not given has the default of the options class. Every
policy's table says its `reason`. A file with any error changes nothing at all.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from resilience.adaptive import AdaptiveOptions
from resilience.breaker import BreakerOptions
from resilience.budget import BudgetOptions
from resilience.bulkhead import BulkheadOptions
from resilience.call_deadline import DeadlineOptions
from resilience.fallback import FallbackOptions
from resilience.hedge import HedgeOptions
from resilience.options import InvalidOptionsError
from resilience.pipeline import PipelineOptions
from resilience.rate_limit import RateLimitOptions
from resilience.retry import RetryOptions
from resilience.shedding import SheddingOptions
from resilience.timeout import TimeoutOptions

__all__ = ["InvalidPolicyFileError", "PolicyFile", "Problem", "parse_policies"]

POLICIES: dict[str, type] = {
    "adaptive": AdaptiveOptions,
    "breaker": BreakerOptions,
    "budget": BudgetOptions,
    "bulkhead": BulkheadOptions,
    "deadline": DeadlineOptions,
    "fallback": FallbackOptions,
    "hedge": HedgeOptions,
    "rate_limit": RateLimitOptions,
    "retry": RetryOptions,
    "shedding": SheddingOptions,
    "timeout": TimeoutOptions,
}
#: What a policy's table may say besides its options.
TABLE_KEYS = ("enabled", "reason")

#: A policy file is read by people: one larger than this is something else.
MAXIMUM_BYTES = 1_000_000


class Problem(NamedTuple):
    """One thing that is wrong, and where."""

    line: int
    where: str
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.where}: {self.what}"


class InvalidPolicyFileError(ValueError):
    """A policy file with errors: all of them, by line."""

    def __init__(self, name: str, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        listed = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{name} was not applied:\n{listed}")


def parse_policies(text: str, name: str = "the policy file") -> dict[str, PipelineOptions]:
    """The options of each downstream; raises `InvalidPolicyFileError` with every problem."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        at = int(line[1]) if line else max(1, text.count("\n") + 1)
        raise InvalidPolicyFileError(name, [Problem(at, "TOML", str(error))]) from error
    reader = _Reader(_Lines(text))
    options = {source: reader.pipeline(source, table) for source, table in document.items()}
    if reader.problems:
        raise InvalidPolicyFileError(name, reader.problems)
    return {source: made for source, made in options.items() if made is not None}


class _Reader:
    """Turns tables into options, and notes everything that is wrong on the way."""

    def __init__(self, lines: "_Lines") -> None:
        self._lines = lines
        self.problems: list[Problem] = []

    def pipeline(self, source: str, table: object) -> PipelineOptions | None:
        if not isinstance(table, dict):
            self._note((source,), "must be a table of policies")
            return None
        before = len(self.problems)
        made: dict[str, Any] = {}
        for key, value in table.items():
            if key == "single_flight":
                if isinstance(value, bool):
                    made[key] = value
                else:
                    self._note((source, key), "must be true or false")
            elif key in POLICIES:
                made[key] = self._policy(source, key, value)
            else:
                self._note((source, key), _unknown("policy", key, (*POLICIES, "single_flight")))
        if len(self.problems) > before:
            return None
        try:
            return PipelineOptions(**made)
        except InvalidOptionsError as error:
            for option, what in error.problems:
                self._note((source, option), what)
            return None

    def _policy(self, source: str, policy: str, table: object) -> object | None:
        where = (source, policy)
        if not isinstance(table, dict):
            self._note(where, "must be a table")
            return None
        self._check_table(where, table)
        values = {key: value for key, value in table.items() if key not in TABLE_KEYS}
        known = [field.name for field in fields(POLICIES[policy])]
        for key in [key for key in values if key not in known]:
            self._note((*where, key), _unknown("option", key, known))
            del values[key]
        options = self._convert(where, POLICIES[policy], values)
        return options if table.get("enabled", True) else None

    def _check_table(self, where: tuple[str, str], table: Mapping[str, Any]) -> None:
        reason = table.get("reason")
        if not isinstance(reason, str) or not reason.strip():
            self._note(where, 'needs a reason = "…" for its numbers')
        if not isinstance(table.get("enabled", True), bool):
            self._note((*where, "enabled"), "must be true or false")

    def _convert(self, where: tuple[str, str], kind: type, values: dict[str, Any]) -> object | None:
        # One by one first, so that every wrong type is told and not only the first.
        sound = True
        types = {field.name: field.type for field in fields(kind)}
        for key, value in values.items():
            try:
                msgspec.convert(value, types[key])
            except msgspec.ValidationError as error:
                self._note((*where, key), str(error).lower())
                sound = False
        if not sound:
            return None
        try:
            return kind(**values)  # type: ignore[no-any-return]
        except InvalidOptionsError as error:
            for option, what in error.problems:
                self._note((*where, option), what)
            return None

    def _note(self, path: tuple[str, ...], what: str) -> None:
        self.problems.append(Problem(self._lines.of(path), ".".join(path), what))


def _unknown(kind: str, name: str, known: list[str] | tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f": did you mean {close[0]}?" if close else f"; there are {', '.join(sorted(known))}"
    return f"is no {kind}{hint}"


_KEY = r'(?:[A-Za-z0-9_-]+|"[^"]*"|\'[^\']*\')'
_PATH = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"^\s*\[({_PATH})\]")
_ASSIGNMENT = re.compile(rf"^\s*({_PATH})\s*=")
_MULTILINE = re.compile(r'"""|\'\'\'')


class _Lines:
    """The line of each key. `tomllib` keeps none, so headers and assignments are looked for.

    A key that is not found (inside an inline table, or a default) has the line of its table.
    """

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        inside: str | None = None
        for number, line in enumerate(text.splitlines(), start=1):
            if inside is not None:
                inside = None if inside in line else inside
                continue
            if header := _HEADER.match(line):
                table = _split(header[1])
                self._remember(table, number)
            elif assignment := _ASSIGNMENT.match(line):
                self._remember(table + _split(assignment[1]), number)
            marks = _MULTILINE.findall(line)
            if len(marks) % 2:
                inside = marks[-1]

    def _remember(self, path: tuple[str, ...], number: int) -> None:
        for length in range(1, len(path) + 1):
            self._lines.setdefault(path[:length], number)

    def of(self, path: tuple[str, ...]) -> int:
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[:-1]
        return 1


def _split(path: str) -> tuple[str, ...]:
    return tuple(key.strip("\"'") for key in re.findall(_KEY, path))


@dataclass(slots=True)
class PolicyFile:
    """A policy file on disk. `read` parses it; `changed` tells cheaply whether to read again."""

    path: Path
    _seen: tuple[int, int] | None = None

    def read(self) -> dict[str, PipelineOptions]:
        """The options in the file now; raises `InvalidPolicyFileError` or `OSError`."""
        stat = self.path.stat()
        # Noted before reading: a file that changes meanwhile is read again.
        self._seen = (stat.st_mtime_ns, stat.st_size)
        if stat.st_size > MAXIMUM_BYTES:
            what = f"is larger than {MAXIMUM_BYTES:,} bytes"
            raise InvalidPolicyFileError(self.path.name, [Problem(1, self.path.name, what)])
        return parse_policies(self.path.read_text(encoding="utf-8"), self.path.name)

    def changed(self) -> bool:
        """Whether the file is not the one that was read last."""
        stat = self.path.stat()
        return self._seen != (stat.st_mtime_ns, stat.st_size)
