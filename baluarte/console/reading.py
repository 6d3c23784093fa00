"""One look at a process' `/metrics`, cut down to the few sums that the console shows."""

import math
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

MAX_PAGE_BYTES: Final = 4 * 1024 * 1024
"""Of one process; the gateway's, the longest, has 0.2 MB. A longer one is not read on."""

_NAMES: Final = (
    "circuit_breaker_state",
    "circuit_breaker_transitions_total",
    "downstream_call_duration_seconds_count",
    "downstream_rejections_total",
    "fallback_served_total",
    "graphql_operation_duration_seconds_bucket",
    "graphql_operation_duration_seconds_count",
    "ledger_check_last_success_timestamp_seconds",
    "ledger_imbalance_minor_units",
)
# A regular expression over the page takes a fifth of what prometheus_client's parser takes per line.
_LINE: Final = re.compile(rf"^({'|'.join(_NAMES)})(?:\{{([^\n]*)\}})? (\S+)$", re.MULTILINE)
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

BAD: Final = frozenset({"server_error", "timeout", "connect_error"})
"""Outcomes of a call that are the downstream's fault."""


@dataclass(slots=True)
class Calls:
    """What a process asked of a downstream since it started."""

    all: float = 0.0
    bad: float = 0.0
    refused: float = 0.0
    """Not made, as a policy did not let them through."""


@dataclass(slots=True)
class Reading:
    """Sums since the process started, and states at the moment.

    Attributes:
        at: when, seconds on the monotonic clock.
        operations: GraphQL operations by outcome.
        buckets: operations that took at most so many seconds, by that bound.
        calls: by downstream.
        breakers: state by downstream.
        opened: how often a breaker opened, by downstream.
        stale: copies served for a downstream that failed.
        imbalance: minor units, by currency and law.
        checked: when the ledger last checked itself (seconds since 1970); None where that is not known.
    """

    at: float
    operations: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    buckets: dict[float, float] = field(default_factory=lambda: defaultdict(float))
    calls: dict[str, Calls] = field(default_factory=lambda: defaultdict(Calls))
    breakers: dict[str, str] = field(default_factory=dict)
    opened: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    stale: float = 0.0
    imbalance: dict[tuple[str, str], float] = field(default_factory=dict)
    checked: float | None = None


def read(page: str, at: float) -> Reading:
    """What a page in Prometheus' text format says of all this; lines that make no sense are left out."""
    found = Reading(at)
    for name, labels, text in _LINE.findall(page):
        try:
            value = float(text)
        except ValueError:
            continue
        if not math.isnan(value):  # which stands for what a process cannot know
            _take(found, name, dict(_LABEL.findall(labels)), value)
    return found


def _take(found: Reading, name: str, labels: dict[str, str], value: float) -> None:
    match name:
        case "graphql_operation_duration_seconds_bucket":
            if (bound := _bound(labels)) is not None:
                found.buckets[bound] += value
        case "graphql_operation_duration_seconds_count":
            found.operations[labels.get("outcome", "")] += value
        case "ledger_imbalance_minor_units":
            found.imbalance[labels.get("currency", ""), labels.get("law", "")] = value
        case "ledger_check_last_success_timestamp_seconds":
            found.checked = value or None
        case _:
            _take_call(found, name, labels, value)


def _take_call(found: Reading, name: str, labels: dict[str, str], value: float) -> None:
    about = labels.get("service", "")
    match name:
        case "downstream_call_duration_seconds_count":
            found.calls[about].all += value
            found.calls[about].bad += value if labels.get("outcome") in BAD else 0.0
        case "downstream_rejections_total":
            found.calls[about].refused += value
        case "circuit_breaker_state" if value == 1:
            found.breakers[about] = labels.get("state", "")
        case "circuit_breaker_transitions_total" if labels.get("to") == "open":
            found.opened[about] += value
        case "fallback_served_total" if labels.get("kind") == "stale":
            found.stale += value


def _bound(labels: dict[str, str]) -> float | None:
    try:
        return float(labels.get("le", ""))
    except ValueError:
        return None
