"""What the page shows of one moment: plain values of what the sources know."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from baluarte.console.curves import Window
from baluarte.console.reading import Reading
from baluarte.supervisor.measures import service_of
from baluarte.supervisor.plan import PEERS

CLOSED, HALF_OPEN, OPEN = "closed", "half_open", "open"
_WORST: Final = (OPEN, HALF_OPEN, CLOSED)

BUS: Final = "bus"
"""A downstream that is no part of its own: it lies on PostgreSQL, or is a broker outside."""

INSIDE: Final = ("postgres", "valkey", BUS)
PROCESSES: Final = tuple(PEERS)
"""What the map shows: those that hold others' data, and those that call."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is known at one moment.

    Attributes:
        at: seconds since 1970.
        parts: of the supervisor's snapshot.
        windows: readings by part.
        faults: those in place.
    """

    at: float
    parts: Sequence[Mapping[str, Any]]
    windows: Mapping[str, Window]
    faults: Sequence[Mapping[str, Any]] = field(default=())

    def last(self, part: str) -> Reading | None:
        window = self.windows.get(part)
        return None if window is None else window.last


def parts(seen: Seen) -> list[dict[str, Any]]:
    """Each part, with whether it answers the console; None for one that is not asked."""
    return [
        {
            "name": part["name"],
            "state": part["state"],
            "reason": part["reason"],
            "restarts": part["restarts"],
            "uptime": part["uptimeSeconds"],
            "answers": None
            if (w := seen.windows.get(part["name"])) is None
            else w.last is not None,
            "faults": [f["type"] for f in seen.faults if f["target"] == part["name"]],
        }
        for part in seen.parts
    ]


def breakers(seen: Seen) -> list[dict[str, Any]]:
    """Each breaker of each process, those that are not closed first."""
    rows = []
    for part, window in seen.windows.items():
        if (reading := window.last) is None:
            continue
        calls = window.calls()
        for service, state in reading.breakers.items():
            now = calls.get(service)
            rows.append(
                {
                    "process": part,
                    "service": service,
                    "state": state,
                    "opened": int(reading.opened.get(service, 0)),
                    "rate": None if now is None else round(now.all, 2),
                    "refused": None if now is None else round(now.refused, 2),
                    "failing": None if now is None or not now.all else round(now.bad / now.all, 4),
                }
            )
    return sorted(
        rows, key=lambda row: (_WORST.index(row["state"]), row["process"], row["service"])
    )


def edges(
    seen: Seen,
    rows: Iterable[Mapping[str, Any]],
    known: Iterable[tuple[str, str]] = (),
) -> list[dict[str, Any]]:
    """Who calls whom, replicas taken together: the worst breaker, and the share of calls that failed.

    Args:
        known: those that were told of earlier; nothing but that they are is said of them now.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        key = service_of(row["process"]), row["service"]
        edge = found.setdefault(
            key, {"from": key[0], "to": key[1], "breaker": CLOSED, "rate": 0.0, "bad": 0.0}
        )
        edge["breaker"] = min(edge["breaker"], row["state"], key=_WORST.index)
        edge["rate"] += (row["rate"] or 0.0) + (row["refused"] or 0.0)
        edge["bad"] += (row["failing"] or 0.0) * (row["rate"] or 0.0) + (row["refused"] or 0.0)
    for source, target in known:
        unknown = {"from": source, "to": target, "breaker": None, "rate": 0.0, "bad": 0.0}
        found.setdefault((source, target), unknown)
    for edge in found.values():
        bad, rate = edge.pop("bad"), edge["rate"]
        edge["share"] = round(bad / rate, 4) if rate else None
        edge["rate"] = round(rate, 2)
        edge["faults"] = [
            fault["type"]
            for fault in seen.faults
            if fault["owner"] == "proxies" and _is_edge(fault["target"], edge)
        ]
    return [found[key] for key in sorted(found)]


def _is_edge(name: str, edge: Mapping[str, Any]) -> bool:
    """Whether a proxy's name, `gateway-users-2`, is of that edge, replicas taken together."""
    source, target = str(edge["from"]), str(edge["to"])
    head, _, tail = name.rpartition(f"-{target}")
    return service_of(head) == source and (not tail or tail[1:].isdecimal())


def nodes(
    seen: Seen, lines: Collection[Mapping[str, Any]], *, bus: str = "outside"
) -> list[dict[str, Any]]:
    """What the map draws: a service with its replicas, a server that is embedded or outside.

    Args:
        bus: where it is, in words.
    """
    by_service: dict[str, list[Mapping[str, Any]]] = {}
    for part in seen.parts:
        by_service.setdefault(service_of(part["name"]), []).append(part)
    named = {end for line in lines for end in (line["from"], line["to"])}
    drawn = [*PROCESSES, *(name for name in INSIDE if name in named or name in by_service)]
    extra = [n for n in ("proxies", "prometheus", "alertmanager") if n in by_service]
    return [
        _node(name, by_service.get(name, ()), seen, bus if name == BUS else "outside")
        for name in (*drawn, *extra)
    ]


def _node(
    name: str, members: Sequence[Mapping[str, Any]], seen: Seen, place: str
) -> dict[str, Any]:
    ready = sum(part["state"] == "ready" for part in members)
    names = {part["name"] for part in members}
    state = place if not members else worst_state([part["state"] for part in members])
    return {
        "name": name,
        "state": state,
        "ready": ready,
        "members": len(members),
        "faults": [fault["type"] for fault in seen.faults if fault["target"] in names],
    }


_STATES: Final = (
    *("failed", "backoff", "held down", "paused", "unready"),
    *("stopping", "stopped", "starting", "ready"),
)


def worst_state(states: Iterable[str]) -> str:
    """The worst of some states of parts; one that is not known counts as the worst."""
    return min(states, key=lambda state: _STATES.index(state) if state in _STATES else -1)


def ledger(seen: Seen) -> dict[str, Any]:
    """What the ledger's own check says; `imbalance` has only what is not 0."""
    readings = [
        reading
        for part in seen.windows
        if service_of(part) == "ledger" and (reading := seen.last(part)) is not None
    ]
    checked = [reading.checked for reading in readings if reading.checked is not None]
    sums: dict[tuple[str, str], float] = {}
    for reading in readings:
        for key, value in reading.imbalance.items():
            sums[key] = max(sums.get(key, 0.0), value, key=abs)
    return {
        "known": bool(checked),
        "age": round(max(seen.at - max(checked), 0.0), 1) if checked else None,
        "laws": len(sums),
        "imbalance": [
            {"currency": currency, "law": law, "minorUnits": int(value)}
            for (currency, law), value in sorted(sums.items())
            if value
        ],
    }
