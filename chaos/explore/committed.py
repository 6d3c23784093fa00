"""The committed matrix: how it is kept, and what a new one changes in it, cell by cell."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import msgspec

from chaos.report.matrix_record import FORMAT, VERSION, Cell, Column, Matrix

FILE: Final = Path(__file__).parents[1] / "matrix" / "resilience.json"
"""The one that the platform is held to."""


class MatrixError(Exception):
    """A file that should hold a matrix does not. Says which and why."""


def read(path: Path) -> Matrix:
    """A matrix that was kept. Raises `MatrixError`."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Matrix)
    except FileNotFoundError:
        raise MatrixError(f"{path} is not there; `--write` makes it") from None
    except (OSError, msgspec.DecodeError) as error:
        raise MatrixError(f"{path} is no matrix: {error}") from None
    if (found.format, found.version) != (FORMAT, VERSION):
        raise MatrixError(f"{path} is {found.format} {found.version}, not {FORMAT} {VERSION}")
    return found


def content(matrix: Matrix) -> bytes:
    """A matrix as a file that compares line by line, without what differs from run to run."""
    kept = msgspec.structs.replace(
        matrix,
        commit="",
        started="",
        seconds=0.0,
        runs=0,
        pruned=0,
        cells=tuple(_lasting(cell) for cell in matrix.cells),
    )
    tables = ("rows", "columns", "cells")
    plain: dict[str, object] = msgspec.to_builtins(kept)
    head = [
        f"  {_json(name)}: {_json(value)}" for name, value in plain.items() if name not in tables
    ]
    lists = [f"  {_json(name)}: [{_lines(plain.get(name, []))}]" for name in tables]
    return ("{\n" + ",\n".join([*head, *lists]) + "\n}\n").encode()


def differences(before: Matrix, after: Matrix) -> list[str]:
    """What `after` changes, as a sentence for each cell; empty when they agree.

    How many runs a cell sums up is not compared, nor the files of counterexamples.
    """
    old, new = _cells(before), _cells(after)
    found = [f"{name}: is new: {_words(new[name])}" for name in new if name not in old]
    found += [f"{name}: is gone; was {_words(old[name])}" for name in old if name not in new]
    found += [
        f"{name}: {_words(old[name])} → {_words(new[name])}"
        for name in new
        if name in old and _words(old[name]) != _words(new[name])
    ]
    promises = {row.operation: row.declared for row in before.rows}
    found += [
        f"{row.operation}: declares {', '.join(row.declared)}; before: {', '.join(was)}"
        for row in after.rows
        if (was := promises.get(row.operation)) is not None and was != row.declared
    ]
    return found


def part(matrix: Matrix, operations: Collection[str], columns: Collection[Column] | None) -> Matrix:
    """What a smaller run can be held to.

    Args:
        operations: root fields; their rows are kept.
        columns: those that are kept; None for all.
    """
    rows = [
        place
        for place, row in enumerate(matrix.rows)
        if row.operation.partition(",")[0] in operations
    ]
    cells = tuple(
        msgspec.structs.replace(cell, row=rows.index(cell.row))
        for cell in matrix.cells
        if cell.row in rows and (columns is None or matrix.columns[cell.column] in columns)
    )
    kept = tuple(matrix.rows[place] for place in rows)
    return msgspec.structs.replace(matrix, rows=kept, cells=cells)


def _lasting(cell: Cell) -> Cell:
    return msgspec.structs.replace(cell, count=1, violations=0, counterexample="")


def _cells(matrix: Matrix) -> dict[str, Cell]:
    return {
        f"{matrix.rows[cell.row].operation} under {matrix.columns[cell.column].fault} on "
        f"{matrix.columns[cell.column].call.removeprefix(' → ')}": cell
        for cell in matrix.cells
    }


def _words(cell: Cell) -> str:
    codes = f" {', '.join(cell.codes)}" if cell.codes else ""
    more = f" ({cell.detail})" if cell.detail else ""
    return f"{cell.outcome}{codes}{more}"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _lines(items: object) -> str:
    def lines() -> Iterator[str]:
        for item in items if isinstance(items, list | tuple) else ():
            yield f"\n    {_json(item)}"

    text = ",".join(lines())
    return f"{text}\n  " if text else ""
