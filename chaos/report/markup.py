"""HTML and SVG, safe by construction: what is not markup already is escaped when it goes in."""

import html
import re
from collections.abc import Iterable
from typing import Final

MAX_TEXT: Final = 500
"""Characters of one text from outside: an example message is read, not studied."""

_VOID: Final = frozenset({"meta", "br", "hr"})

_UNSPEAKABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML may hold; it would make a chart or a JUnit file unreadable as a whole."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def speakable(text: str) -> str:
    """The text with what XML cannot hold replaced."""
    return _UNSPEAKABLE.sub("�", text)


def clipped(text: str, most: int = MAX_TEXT) -> str:
    """The text, or its start and an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def escaped(text: str) -> Markup:
    """The text as it may stand anywhere in HTML, quoted attributes included."""
    return text if isinstance(text, Markup) else Markup(html.escape(speakable(text), quote=True))


def joined(parts: Iterable[str], between: str = "") -> Markup:
    """Several pieces after each other."""
    return Markup(between.join(escaped(part) for part in parts))


def element(tag: str, *children: str | None, **attributes: str | float | bool | None) -> Markup:
    """An element. None and False leave an attribute out; `class_` and `data_x` are `class` and `data-x`.

    Every element that may have content gets an end tag, so that the same function makes well-formed SVG.
    """
    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in _VOID:
        return Markup(f"<{tag}{told}>")
    return Markup(
        f"<{tag}{told}>{joined(child for child in children if child is not None)}</{tag}>"
    )


def _value(value: str | float | bool) -> str:
    if value is True:
        return ""
    if isinstance(value, str):
        return escaped(value)
    return f"{value:.2f}".rstrip("0").rstrip(".")
