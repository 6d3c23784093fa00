"""Writes the little YAML that rules and configurations need, so that people can read it.

Only mappings, lists, strings, numbers and booleans; texts of several lines as blocks.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

Node = Mapping[str, "Node"] | Sequence["Node"] | str | int | float | bool | None

_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./:-]*(?: [A-Za-z0-9_./:-]+)*\Z")
_DURATION: Final = re.compile(r"[0-9]+(?:ms|[smhd])\Z")
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def dump(node: Node) -> str:
    """`node` as a document."""
    return "\n".join(_lines(node)) + "\n"


def _lines(node: Node) -> Iterator[str]:
    if isinstance(node, Mapping | list | tuple) and not node:
        yield "{}" if isinstance(node, Mapping) else "[]"
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _entry(f"{_scalar(key)}:", value)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for item in node:
            first, *rest = _lines(item)
            yield f"- {first}"
            yield from (f"  {line}" if line else line for line in rest)
    else:
        yield _scalar(node)


def _entry(head: str, value: Node) -> Iterator[str]:
    if isinstance(value, str) and _is_block(value):
        yield f"{head} |-"
        yield from (f"  {line}" for line in value.split("\n"))
    elif isinstance(value, Mapping | list | tuple) and value:
        yield head
        yield from (f"  {line}" if line else line for line in _lines(value))
    else:
        yield f"{head} {next(_lines(value))}"


def _is_block(value: str) -> bool:
    """Whether a text of several lines can stand as it is; any other is quoted."""
    lines = value.split("\n")
    plain = all(line.isprintable() and line.strip() for line in lines)
    return len(lines) > 1 and plain and not value.startswith(" ")


def _scalar(value: Node) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if _DURATION.match(value):
        return value
    mistakable = value.lower() in _WORDS or value.endswith(":") or ": " in value
    if _PLAIN.match(value) and not mistakable:
        return value
    if '"' in value and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return json.dumps(value, ensure_ascii=not value.isprintable())
