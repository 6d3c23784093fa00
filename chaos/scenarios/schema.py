"""The JSON Schema of scenarios, for editors: from the same definitions that read them."""

import json
import re
from typing import Any

from chaos.scenarios.loader import SHAPE

COMMENT = "# yaml-language-server: $schema=scenario.schema.json"
"""The first line of a scenario's file: editors find the schema by it."""


def schema() -> dict[str, Any]:
    """The whole; what has a title of its own stands once, under `$defs`."""
    shared: dict[str, Any] = {}
    body = _hoisted(SHAPE.schema(), shared)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "DO NOT EDIT: generated from chaos/scenarios by `make generate`.",
        "title": "A chaos scenario",
        **body,
        "$defs": dict(sorted(shared.items())),
    }


def text() -> str:
    """As the file `scenario.schema.json`."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _hoisted(value: Any, shared: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_hoisted(one, shared) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _hoisted(one, shared) for key, one in value.items()}
    title = found.get("title")
    if not isinstance(title, str):  # a key of ours may be called `title`
        return found
    del found["title"]
    about = found.pop("description", None)
    name = re.sub(r"\W+", "-", title).strip("-")
    shared.setdefault(name, found)
    return {"$ref": f"#/$defs/{name}"} | ({"description": about} if about else {})
