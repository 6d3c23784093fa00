"""The page around a report: one file, no network, for light, dark and paper."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from chaos.report.markup import Markup, element

_ASSETS: Final = Path(__file__).parent / "assets"

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
"""What the browser holds the page to: even if something foreign got in, it could reach nobody."""

MAX_ROWS: Final = 300
"""Of one table: more is for a tool, which reads the record."""

_TEXTURES: Final[dict[str, tuple[str, ...]]] = {
    "failed": ("M-1 1l2 -2M0 6l6 -6M5 7l2 -2",),
    "unknown": ("M1 3h2",),
    "refused": ("M0 3h6",),
    "queued": ("M3 0v6",),
    "half-open": ("M-1 1l2 -2M0 6l6 -6M5 7l2 -2",),
    "fault": ("M-1 5l2 2M0 0l6 6M5 -1l2 2",),
}
"""Patterns beside colours, so that charts are read without either."""


@cache
def _asset(name: str) -> Markup:
    return Markup((_ASSETS / name).read_text(encoding="utf-8"))


def document(title: str, *content: Markup) -> str:
    """A whole page."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", _asset("report.css")),
    )
    body = element(
        "body", _textures(), element("main", *content), element("script", _asset("report.js"))
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _textures() -> Markup:
    patterns = [
        element(
            "pattern",
            *(element("path", class_=f"pattern-{name}", d=path) for path in paths),
            id=f"pattern-{name}",
            width=6,
            height=6,
            patternUnits="userSpaceOnUse",
        )
        for name, paths in _TEXTURES.items()
    ]
    return element(
        "svg",
        element("defs", *patterns),
        class_="textures",
        width=1,
        height=1,
        aria_hidden="true",
        xmlns="http://www.w3.org/2000/svg",
    )


def part(name: str, heading: str, *content: Markup) -> Markup:
    """A section with its heading."""
    return element(
        "section", element("h2", heading, id=name), *content, aria_labelledby=name, class_=name
    )


def table(
    caption: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, numbers: str = ""
) -> Markup:
    """A table that scrolls on a narrow screen. `numbers` marks columns to align right: `..n`."""
    marks = numbers.ljust(len(head), ".")
    looks = ["number" if mark == "n" else None for mark in marks]
    body = [
        element(
            "tr",
            *(
                element("td", cell, class_=look, data_label=name)
                for cell, look, name in zip(row, looks, head, strict=True)
            ),
        )
        for row in rows[:MAX_ROWS]
    ]
    heads = (
        element("th", name, scope="col", class_=look)
        for name, look in zip(head, looks, strict=True)
    )
    parts = [
        element(
            "table",
            element("caption", caption, class_="unseen"),
            element("thead", element("tr", *heads)),
            element("tbody", *body),
        )
    ]
    if len(rows) > MAX_ROWS:
        left = len(rows) - MAX_ROWS
        parts.append(element("p", f"{left:,} more rows are in run.json.", class_="note"))
    return element("div", *parts, class_="scrolls", tabindex="0", role="region", aria_label=caption)


def sign(mark: str, word: str, tone: str) -> Markup:
    """A verdict as a sign and a word, with a colour on top."""
    symbol = element("span", mark, class_="sign", aria_hidden="true")
    return element("span", symbol, " ", word, class_=f"mark {tone}")
