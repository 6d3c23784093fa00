"""The resilience matrix as a value: what each operation gave under each fault on each downstream call.

`chaos/explore` fills it, `resilience_matrix.py` draws it. On disk it is JSON in camelCase with the
defaults left out. Rows and columns keep their order, and cells are looked up by both, so that a committed
matrix compares line by line.
"""

from enum import StrEnum
from typing import Final

import msgspec

FORMAT: Final = "baluarte-resilience-matrix"
VERSION: Final = 1


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of all records."""


class CellOutcome(StrEnum):
    """What the client was given, at its worst in this cell."""

    FULL = "full"
    """Everything, fresh: the fault cost nothing but time."""
    STALE = "stale"
    """Data with an age, marked as such."""
    NULL = "null"
    """A field is null, with a coded reason; the rest is there."""
    ERROR = "error"
    """The operation failed with a coded error."""
    QUEUED = "queued"
    """PENDING: taken, and to be carried out."""
    UNDECLARED = "undeclared"
    """None of these: a hang, an error without a code, a null without a reason, what nobody can read."""


class Row(_Record, frozen=True, kw_only=True):
    """One GraphQL operation."""

    operation: str
    """Its name; unique in a matrix."""
    kind: str = "query"
    """`query` or `mutation`."""
    declared: tuple[str, ...] = ()
    """What it declares, as words for people: `accounts: STALE ≤ 300 s`."""


class Column(_Record, frozen=True, kw_only=True):
    """One kind of fault on one downstream call. Columns of the same `service` stand together."""

    service: str
    """The service that is called: the group's head."""
    caller: str
    route: str
    """Empty when the fault is on the whole service."""
    nth: int = 1
    """The how manieth such call of one operation."""
    fault: str
    """Kind of fault, as in `chaos/explore/kinds.py`."""

    @property
    def call(self) -> str:
        """The call as people read it."""
        again = f" #{self.nth}" if self.nth > 1 else ""
        return f"{self.caller} → {self.service} {self.route}".rstrip() + again


class Cell(_Record, frozen=True, kw_only=True):
    """What came of an operation under a column's fault. A combination without a cell was not reached."""

    row: int
    """Index in `rows`."""
    column: int
    """Index in `columns`."""
    outcome: CellOutcome
    codes: tuple[str, ...] = ()
    """Of the nulls or the error."""
    as_declared: bool
    """False: a violation."""
    count: int = 1
    """Runs that this cell sums up: the single fault, and with it further ones."""
    violations: int = 0
    """Of those, how many were not as declared."""
    detail: str = ""
    """What was wanted and what came, for people; needed for a violation."""
    counterexample: str = ""
    """File that replays the violation, relative to the matrix' folder."""


class Matrix(_Record, frozen=True, kw_only=True):
    """A whole exploration."""

    format: str = FORMAT
    version: int = VERSION
    commit: str = ""
    started: str = ""
    """Wall clock, for people."""
    seed: int = 0
    command: str = ""
    """Makes it again."""
    runs: int = 0
    """Operations run, those without a fault included."""
    pruned: int = 0
    """Combinations left out because no service would have seen anything new."""
    depth: int = 1
    """Most faults at once."""
    seconds: float = 0.0
    rows: tuple[Row, ...] = ()
    columns: tuple[Column, ...] = ()
    cells: tuple[Cell, ...] = ()

    @property
    def violated(self) -> tuple[Cell, ...]:
        """The cells that are not as declared."""
        return tuple(cell for cell in self.cells if not cell.as_declared)
