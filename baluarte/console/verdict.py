"""The first line of the page: whether all is well, and what is wrong, in words.

No number that changes by itself is in it: it is read out to who cannot see the page, and only when it
changes.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from baluarte.console.curves import Point

MANY_ERRORS: Final = 0.05
"""Share of operations; HighErrorRate warns from there on."""

SLOW_SECONDS: Final = 1.0
"""p95; HighLatency warns from there on, and the objective is 99 % within it."""

CHECK_STALE_SECONDS: Final = 120.0
"""Age of the ledger's last check; LedgerCheckStale pages from there on."""

MOST: Final = 8
"""Reasons that are told; the rest is counted."""


class Level(StrEnum):
    """How bad it is."""

    GOOD = "good"
    DOUBT = "doubt"
    BAD = "bad"


_HEADLINES: Final = {
    Level.GOOD: "All is well",
    Level.DOUBT: "Look closer",
    Level.BAD: "Something is wrong",
}

Reason = tuple[Level, str]


def verdict(view: Mapping[str, Any], now: Point) -> dict[str, Any]:
    """`level`, `headline` and `reasons`, the worst first, of a view as `collector` makes it."""
    found = [*_money(view["ledger"]), *_parts(view), *_breakers(view["breakers"])]
    found += _edges(view["edges"])
    found += [*_answers(view["parts"], now), *_alerts(view["alerts"]), *_faults(view["faults"])]
    found.sort(key=lambda reason: reason[0] is not Level.BAD)
    level = found[0][0] if found else Level.GOOD
    told = [text for _, text in found[:MOST]]
    if len(found) > MOST:
        told.append(f"and {len(found) - MOST} more, below")
    if level is Level.GOOD:
        told = ["every part is ready, every breaker is closed, the ledger is in balance"]
        if not now.rate:
            told.append("nobody asks for anything at the moment")
    return {"level": level.value, "headline": _HEADLINES[level], "reasons": told}


def _money(ledger: Mapping[str, Any]) -> Iterator[Reason]:
    for one in ledger["imbalance"]:
        yield Level.BAD, f"the ledger is out of balance in {one['currency']} ({one['law']})"
    if not ledger["known"]:
        yield Level.DOUBT, "it is not known whether the ledger is in balance: it does not answer"
    elif ledger["age"] > CHECK_STALE_SECONDS:
        yield Level.BAD, "the ledger has not been checked for more than two minutes"


def _parts(view: Mapping[str, Any]) -> Iterator[Reason]:
    for part in view["parts"]:
        name, state = part["name"], part["state"]
        if state != "ready":
            level = Level.DOUBT if state in {"starting", "stopping"} else Level.BAD
            why = " by a fault on purpose" if state in {"held down", "paused"} else ""
            yield level, f"{name} is {_STATES.get(state, state)}{why}"
        elif part["answers"] is False:
            yield Level.DOUBT, f"{name} is said to be ready, and does not tell its metrics"


_STATES: Final = {
    "backoff": "down, and will be started again",
    "failed": "down, and was given up",
    "unready": "running, but not ready: something it needs is away",
}


def _breakers(rows: Iterable[Mapping[str, Any]]) -> Iterator[Reason]:
    for row in rows:
        process, service = row["process"], row["service"]
        if row["state"] == "open":
            yield Level.BAD, f"the breaker from {process} to {service} is open"
        elif row["state"] == "half_open":
            yield (
                Level.DOUBT,
                f"the breaker from {process} to {service} is half open: it tries again",
            )


def _edges(edges: Iterable[Mapping[str, Any]]) -> Iterator[Reason]:
    for edge in edges:
        if edge["breaker"] == "closed" and (edge["share"] or 0.0) > MANY_ERRORS:
            yield Level.DOUBT, f"calls from {edge['from']} to {edge['to']} fail"


def _answers(parts: Iterable[Mapping[str, Any]], now: Point) -> Iterator[Reason]:
    told = any(
        p["name"] == "gateway" and (p["state"], p["answers"]) != ("ready", True) for p in parts
    )
    if now.rate is None and not told:
        yield Level.DOUBT, "the gateway tells no metrics yet, so nothing is known of its answers"
    if now.errors is not None and now.errors > MANY_ERRORS:
        yield Level.BAD, f"more than {MANY_ERRORS:.0%} of the answers are errors of ours"
    elif now.errors:
        yield Level.DOUBT, "some answers are errors of ours"
    if now.degraded:
        yield Level.DOUBT, "some answers have stale or missing parts, and say so"
    if now.p95 is not None and now.p95 > SLOW_SECONDS:
        yield Level.BAD, f"one answer in twenty takes longer than {SLOW_SECONDS:g} s"


def _alerts(alerts: Mapping[str, Any]) -> Iterator[Reason]:
    if alerts["watched"] and alerts["active"] is None:
        yield Level.DOUBT, "Prometheus does not answer, so alerts are not known"
    for alert in alerts["active"] or ():
        if alert["state"] == "firing":
            level = Level.BAD if alert["severity"] == "page" else Level.DOUBT
            about = f" about {alert['about']}" if alert["about"] else ""
            yield level, f"the alert {alert['name']}{about} fires"


def _faults(faults: Mapping[str, Any]) -> Iterator[Reason]:
    many = len(faults["known"])
    if many:
        yield Level.DOUBT, f"{many} fault{'s' * (many > 1)} on purpose in place"
    for name in faults["silent"]:
        yield Level.DOUBT, f"{name} does not say which faults it has"
