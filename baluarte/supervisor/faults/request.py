"""What a request for a fault says, read and checked before anything is touched."""

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from baluarte.supervisor.faults.kinds import KINDS, Kind
from baluarte.supervisor.faults.refusal import Refused
from chassis.faults.contract import plain

MAX_LEASE_SECONDS = 600.0
"""Longest lease: what is forgotten in the evening must not be found in the morning."""

MAX_DELAY_SECONDS = 120.0
"""Most that a start may be late: twice the time after which a start counts as failed."""

SUPERVISOR = "supervisor"
_MEMBERS = {"part", "kind", "seconds", "delay", "experiment"}


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    most: float
    code: str


_SECONDS = _Member("seconds", MAX_LEASE_SECONDS, "FAULT_SECONDS_INVALID")
_DELAY = _Member("delay", MAX_DELAY_SECONDS, "FAULT_DELAY_INVALID")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A fault that may be injected; `seconds` and `delay` are 0 where the kind has none.

    `experiment` is who asks, fit for a label; empty when nobody says.
    """

    part: str
    kind: Kind
    seconds: float = 0.0
    delay: float = 0.0
    experiment: str = ""


def read(body: bytes, parts: Collection[str]) -> Wanted:
    """`{part, kind, seconds, delay, experiment}` of a JSON body. Raises `Refused`, with the way out."""
    given = _object(body)
    part = _part(given.get("part"), parts)
    kind = _kind(given.get("kind"))
    seconds = _number(given, _SECONDS, kind, wanted=kind.has_lease)
    delay = _number(given, _DELAY, kind, wanted=kind.has_delay)
    return Wanted(part, kind, seconds, delay, _experiment(given.get("experiment", "")))


def read_lease(body: bytes) -> float:
    """`{seconds}` of a JSON body: of the lease that starts anew. Raises `Refused`."""
    return _positive(_object(body, {"seconds"}), _SECONDS, "a lease")


def _object(body: bytes, members: Collection[str] = _MEMBERS) -> Mapping[str, Any]:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise Refused(400, "INVALID_INPUT", "the body is not a JSON object")
    if unknown := sorted(set(given) - set(members)):
        known = ", ".join(sorted(members))
        raise Refused(400, "INVALID_INPUT", f"unknown: {', '.join(unknown)}; there are {known}")
    return given


def _part(name: object, parts: Collection[str]) -> str:
    if name == SUPERVISOR:
        text = "the supervisor undoes the faults and takes none itself; choose another part"
        raise Refused(403, "SUPERVISOR_EXEMPT", text)
    if not isinstance(name, str) or name not in parts:
        known = ", ".join(sorted(parts))
        raise Refused(404, "PART_UNKNOWN", f"there is no part {name!r} here; choose among {known}")
    return name


def _kind(name: object) -> Kind:
    if not isinstance(name, str) or name not in KINDS:
        known = ", ".join(KINDS)
        raise Refused(400, "FAULT_KIND_UNKNOWN", f"there is no kind {name!r}; choose among {known}")
    return KINDS[name]


def _experiment(name: object) -> str:
    if not isinstance(name, str):
        raise Refused(400, "INVALID_INPUT", f"experiment is {name!r}; give a name, or leave it out")
    return plain(name) if name else ""


def _number(given: Mapping[str, Any], member: _Member, kind: Kind, *, wanted: bool) -> float:
    """A positive number of seconds up to its bound, or nothing where the kind wants none."""
    value = given.get(member.name)
    if not wanted:
        if value is None:
            return 0.0
        raise Refused(400, member.code, f"{kind.name} has no {member.name}; leave it out")
    return _positive(given, member, kind.name)


def _positive(given: Mapping[str, Any], member: _Member, whose: str) -> float:
    value = given.get(member.name)
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if 0 < number <= member.most:
        return float(number)
    text = f"{member.name} of {whose} is {value!r}; give a number above 0, up to {member.most:g}"
    raise Refused(400, member.code, text)
