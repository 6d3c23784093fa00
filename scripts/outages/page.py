"""Shows outages to a frontend developer: Markdown, without figures that differ from run to run."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.outages.customer import OVERVIEW, STATEMENT
from scripts.outages.observations import Observation, Outage
from scripts.outages.promises import PROMISES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "resilience.md"
BEGIN = (
    "<!-- DO NOT EDIT to the end mark: `make outages` writes it from a run of scripts/outages. -->"
)
END = "<!-- end of outages -->"

_WIDTH = 100
_SOON_SECONDS = 1.0
"""Not finer: a busy machine would write another page in each run."""

_ASKED = (
    "Asked by a signed-in customer, beside `transfer`, `transaction(idempotencyKey:)`, `login` and "
    "`refreshToken`:"
)
_QUESTIONS = {
    "overview": "`me`, `account`",
    "statement": "`transactions`, with names",
    "transfer": "`transfer`",
    "lookup": "`transaction(idempotencyKey:)`",
    "login": "`login`",
    "refresh": "`refreshToken`",
}
_TITLES = {
    "users": "users is down",
    "ledger": "ledger is down",
    "transactions": "transactions is down",
    "valkey": "Valkey is down",
    "postgres": "PostgreSQL is down",
}


def markdown(outages: Sequence[Outage]) -> str:
    """The whole section, marks included."""
    parts = [BEGIN, "", *_always(), *(line for outage in outages for line in _outage(outage)), END]
    return "\n".join(parts)


def written(text: str, section: str) -> str:
    """`text` with the section between its marks replaced. Raises `ValueError` without marks."""
    marks = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    replaced, times = marks.subn(lambda _: section, text)
    if times != 1:
        raise ValueError(f"{PAGE} has no section between its marks")
    return replaced


def compact(value: Any, indent: int = 0) -> str:
    """JSON in which whatever fits on a line stands on one."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= _WIDTH or not isinstance(value, list | dict):
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, list):
        lines = [inner + compact(item, indent + 2) for item in value]
    else:
        lines = [f"{inner}{json.dumps(k)}: {compact(v, indent + 2)}" for k, v in value.items()]
    opened, closed = "[]" if isinstance(value, list) else "{}"
    return "\n".join([opened, ",\n".join(lines), " " * indent + closed])


def _always() -> list[str]:
    rules = [promise.sentence for promise in PROMISES if not promise.parts]
    return [
        "Promised whatever is down, and checked in each run:",
        "",
        *(f"- {rule}" for rule in rules),
        "",
        _ASKED,
        "",
        "```graphql",
        OVERVIEW,
        "",
        STATEMENT,
        "```",
        "",
        "After each outage the transfer is looked up by its key, and then sent again with the same key.",
        "Answers took less than a second each, unless the table says otherwise.",
        "`…` stands for what differs in each run; of lists the first row is shown.",
        "",
    ]


def _outage(outage: Outage) -> list[str]:
    """A heading, the promises of this outage, a row for each question, and one answer in full."""
    own = [p.sentence for p in PROMISES if p.parts and outage.part in p.parts]
    rows = [
        f"| {name} | "
        + " | ".join(_cell(phase[question]) for phase in outage.phases.values())
        + " |"
        for question, name in _QUESTIONS.items()
    ]
    return [
        f"### {_TITLES[outage.part]}",
        "",
        f"Promised: {'; '.join(own)}.",
        "",
        "| asked | before | during | after |",
        "|---|---|---|---|",
        *rows,
        "",
        f"The query {_shown(outage).question.title()} during it:",
        "",
        "```json",
        compact(_in_full(_shown(outage))),
        "```",
        "",
    ]


def _shown(outage: Outage) -> Observation:
    """The answer that says most about this outage."""
    return outage.during["statement" if outage.part == "transactions" else "overview"]


def _cell(seen: Observation) -> str:
    usual = seen.seconds < _SOON_SECONDS
    return _words(seen) if usual else f"{_words(seen)} · {speed(seen)}"


def speed(seen: Observation) -> str:
    """How fast, in classes: figures would differ in each run."""
    if seen.seconds < _SOON_SECONDS:
        return "below 1 s"
    return "within its deadline" if seen.in_time else "LATE"


def _words(seen: Observation) -> str:
    if seen.status == 0:
        return "no answer"
    if seen.data is None:
        return " ".join(f"`{code}`" for code in dict.fromkeys(seen.codes)) or "null: not seen"
    match seen.question:
        case "overview":
            return f"profile {_state(seen.data)}, balance {_state(seen.data['account'])}"
        case "statement":
            return f"rows {_state(seen.data)}, names {_names(seen.data)}"
        case "transfer" | "lookup":
            return f"`{seen.data['status']}`"
        case _:
            return "a session"


def _state(data: Mapping[str, Any] | None) -> str:
    return str(data["freshness"]["state"]).lower() if data else "null"


def _names(page: Mapping[str, Any]) -> str:
    nodes = [edge["node"] for edge in page["edges"]]
    sides = [side for node in nodes for side in (node["sender"], node["receiver"]) if side]
    return " and ".join(sorted({_state(side) for side in sides})) or "none"


def _in_full(seen: Observation) -> dict[str, Any]:
    """The answer, with one row of a list, and without what differs in each run."""
    root = {"overview": "me", "statement": "transactions"}[seen.question]
    told: dict[str, Any] = {"data": {root: _without_figures(seen.data)}}
    if seen.codes:
        told["errors"] = [{"extensions": {"code": code}} for code in seen.codes]
    if seen.degraded:
        told["extensions"] = {"degraded": _without_figures(list(seen.degraded))}
    return told


_FIGURES = frozenset({"ageSeconds", "balanceAsOf", "id"})


def _without_figures(value: Any) -> Any:
    if isinstance(value, list):
        rows = value[:1] if any("node" in item for item in value) else value
        return [_without_figures(item) for item in rows]
    if not isinstance(value, Mapping):
        return value
    return {
        name: "…" if name in _FIGURES and inner is not None else _without_figures(inner)
        for name, inner in value.items()
    }
