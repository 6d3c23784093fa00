"""The resilience matrix as a heat map: operations × faults on downstream calls, against what is declared."""

from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Final
from urllib.parse import quote

from chaos.report import words
from chaos.report.markup import Markup, clipped, element, joined
from chaos.report.matrix_record import Cell, CellOutcome, Column, Matrix, Row
from chaos.report.page import document, part, sign, table

LETTERS: Final[dict[CellOutcome, str]] = {
    CellOutcome.FULL: "F",
    CellOutcome.STALE: "S",
    CellOutcome.NULL: "N",
    CellOutcome.ERROR: "E",
    CellOutcome.QUEUED: "Q",
    CellOutcome.UNDECLARED: "!",
}

MEANINGS: Final[dict[CellOutcome, str]] = {
    CellOutcome.FULL: "full: everything, fresh",
    CellOutcome.STALE: "stale: with its age, marked",
    CellOutcome.NULL: "null, with a coded reason",
    CellOutcome.ERROR: "error, with a code",
    CellOutcome.QUEUED: "queued: taken, to be carried out",
    CellOutcome.UNDECLARED: "undeclared: none of these",
}

MAX_ROWS: Final = 200
MAX_COLUMNS: Final = 400
"""A map of more is not read, and its page not opened; the JSON has all of it."""

MAX_VIOLATIONS: Final = 100
"""Told in words, above the map."""


def write_matrix(matrix: Matrix, path: Path) -> None:
    """Write the page to `path`. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(matrix), encoding="utf-8")


def page(matrix: Matrix) -> str:
    """The map as one HTML file that needs nothing else but the counterexamples it links."""
    parts = [_head(matrix), _violations(matrix), _map(matrix), _facts(matrix)]
    return document("Resilience matrix", *(one for one in parts if one is not None))


def _head(matrix: Matrix) -> Markup:
    violated = len(matrix.violated)
    many = len(matrix.cells)
    if not many:
        mark, word, tone = "?", "Nothing was explored", "doubt"
    elif violated:
        mark, word, tone = "✕", words.count(violated, "violation"), "bad"
    else:
        mark, word, tone = "✓", "All as declared", "good"
    told = (
        f"{words.count(many, 'combination')} of {words.count(len(matrix.rows), 'operation')} and "
        f"{words.count(len(matrix.columns), 'fault')} on downstream calls: {many - violated:,} as declared, "
        f"{words.count(violated, 'violation')}."
    )
    return element(
        "header",
        element("p", "Chaos exploration", class_="kicker"),
        element("h1", "Resilience matrix"),
        element(
            "p",
            "Every GraphQL operation, with every kind of fault on every downstream call that it makes, held "
            "against what its fields declare.",
            class_="story",
        ),
        element(
            "div",
            element("p", sign(mark, word, tone), class_="word"),
            element("p", told, class_="reason"),
            class_=f"verdict {tone}",
            role="status",
        ),
    )


def _violations(matrix: Matrix) -> Markup | None:
    """What is not as declared, in words, with what replays it."""
    wrong = matrix.violated
    if not wrong:
        return None
    rows = [
        (
            element("code", matrix.rows[cell.row].operation),
            element("code", matrix.columns[cell.column].call),
            matrix.columns[cell.column].fault,
            _seen(cell),
            clipped(cell.detail),
            _replay(cell),
        )
        for cell in wrong[:MAX_VIOLATIONS]
    ]
    head = ("operation", "call", "fault", "seen", "wanted and got", "replay")
    parts = [table("Combinations that are not as declared", head, rows)]
    if len(wrong) > MAX_VIOLATIONS:
        left = len(wrong) - MAX_VIOLATIONS
        parts.append(element("p", f"{left:,} more are in the map below.", class_="note"))
    return part("violations", "Violations", *parts)


def _seen(cell: Cell) -> str:
    codes = f" ({', '.join(cell.codes)})" if cell.codes else ""
    return clipped(f"{cell.outcome}{codes}")


def _replay(cell: Cell) -> str:
    if not cell.counterexample:
        return ""
    return element("a", "counterexample", href=_address(cell.counterexample))


def _address(path: str) -> str:
    """A relative address; a path that looks like a scheme (`javascript:`) stays a path."""
    return quote(path, safe="/.") if not path.startswith("/") else quote("." + path, safe="/.")


def _map(matrix: Matrix) -> Markup:
    order = sorted(
        range(min(len(matrix.columns), MAX_COLUMNS)),
        key=lambda number: _place(matrix.columns, number),
    )
    columns = [(number, matrix.columns[number]) for number in order]
    cells = {(cell.row, cell.column): cell for cell in matrix.cells}
    body = [_row(number, row, columns, cells) for number, row in enumerate(matrix.rows[:MAX_ROWS])]
    caption = "Operations by downstream call and fault; a letter for what the client was given"
    heat = element(
        "table",
        element("caption", caption, class_="unseen"),
        _columns_head(columns),
        element("tbody", *body),
        class_="heat",
    )
    frame = element("div", heat, class_="frame", tabindex="0", role="region", aria_label=caption)
    parts = [_legend(matrix), frame]
    if len(matrix.rows) > MAX_ROWS or len(matrix.columns) > MAX_COLUMNS:
        parts.append(
            element("p", "Rows or columns beyond the page are in the JSON.", class_="note")
        )
    return part("map", "The map", *parts)


def _place(columns: tuple[Column, ...], number: int) -> tuple[int, int, int]:
    """Services in the order of their first column, calls likewise within them, then as they come."""
    own = columns[number]
    service = next(at for at, one in enumerate(columns) if one.service == own.service)
    call = next(at for at, one in enumerate(columns) if one.call == own.call)
    return service, call, number


def _columns_head(columns: list[tuple[int, Column]]) -> Markup:
    """Three rows: the service, the call, the fault."""
    corner = element("th", "operation", scope="col", rowspan="3", class_="corner")
    services = [
        element("th", service, scope="colgroup", colspan=str(len(list(group))))
        for service, group in groupby(columns, key=lambda item: item[1].service)
    ]
    calls = [
        element("th", _call(its[0][1]), scope="colgroup", colspan=str(len(its)))
        for its in (list(group) for _, group in groupby(columns, key=lambda item: item[1].call))
    ]
    faults = [
        element("th", element("span", column.fault), scope="col", class_="fault")
        for _, column in columns
    ]
    return element(
        "thead",
        element("tr", corner, *services, class_="services"),
        element("tr", *calls, class_="calls"),
        element("tr", *faults),
    )


def _call(column: Column) -> Markup:
    again = f" #{column.nth}" if column.nth > 1 else ""
    route = column.route or "whole service"
    return joined((element("code", route + again), element("small", f"from {column.caller}")))


def _row(
    number: int,
    row: Row,
    columns: list[tuple[int, Column]],
    cells: dict[tuple[int, int], Cell],
) -> Markup:
    told = "; ".join(row.declared) or "declares nothing"
    head = element(
        "th",
        element("code", row.operation),
        element("small", clipped(told, 120)),
        scope="row",
    )
    return element(
        "tr", head, *(_cell(row, column, cells.get((number, place))) for place, column in columns)
    )


def _cell(row: Row, column: Column, cell: Cell | None) -> Markup:
    if cell is None:
        return element("td", element("span", "not reached", class_="unseen"), class_="cell")
    said = "as declared" if cell.as_declared else "NOT AS DECLARED"
    told = f"{row.operation}, {column.fault} on {column.call}: {_seen(cell)}, {said}"
    told += f", {words.count(cell.count, 'run')}" if cell.count > 1 else ""
    told += f". {clipped(cell.detail)}" if cell.detail else ""
    letter = element("b", LETTERS[cell.outcome], title=told)
    inner: Markup = letter
    if cell.counterexample:
        inner = element("a", letter, href=_address(cell.counterexample), aria_label=told)
    many = element("sup", str(cell.count)) if cell.count > 1 else None
    broken = "" if cell.as_declared else " violated"
    return element("td", inner, many, class_=f"cell cell-{cell.outcome}{broken}")


def _legend(matrix: Matrix) -> Markup:
    counts = Counter(cell.outcome for cell in matrix.cells)
    entries = [
        element(
            "li",
            element("span", LETTERS[outcome], class_=f"key cell-{outcome}"),
            f"{MEANINGS[outcome]} ({counts[outcome]:,})",
        )
        for outcome in CellOutcome
    ]
    violated = element(
        "li",
        element("span", "E", class_="key cell-error violated"),
        f"framed: not as declared ({len(matrix.violated):,})",
    )
    reached = element(
        "li", element("span", "\N{NO-BREAK SPACE}", class_="key"), "empty: this call is not made"
    )
    small = element("li", "a small number: so many runs in one cell")
    return element("ul", *entries, violated, reached, small, class_="legend legend-map")


def _facts(matrix: Matrix) -> Markup:
    told = [
        ("started", matrix.started),
        ("commit", matrix.commit),
        ("seed", str(matrix.seed)),
        ("operations run", f"{matrix.runs:,}"),
        ("pruned", f"{matrix.pruned:,}"),
        ("most faults at once", str(matrix.depth)),
        ("took", words.seconds(matrix.seconds)),
    ]
    cells = [
        element("div", element("dt", name), element("dd", value)) for name, value in told if value
    ]
    parts = [element("dl", *cells, class_="facts-list")]
    if matrix.command:
        command = element("code", matrix.command, id="replay")
        parts += [
            element("h3", "Explore again"),
            element("pre", command, class_="command"),
            element("button", "Copy", type="button", data_copies="replay", hidden=True),
        ]
    return part("facts", "What was run", *parts)
