"""A scenario as an experiment of Chaos Toolkit, which the stock `chaos run` executes.

What goes along: the faults with their times, blast radius and leases, and the availability before and after.
What does not, because Chaos Toolkit has no place for it: load, expectations during the faults, abort
conditions, the proof of money, and the proof that a fault was met (the journal shows the count, and the
verdict ignores it).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

MARGIN_SECONDS: Final = 5.0
"""By which a lease is longer than its fault: nothing renews it, and `end` comes first."""

MAX_LEASE_SECONDS: Final = 600.0
"""Of every owner."""

_MODULE: Final = "chaos.export.providers"


class Injection(Protocol):
    """One fault at one target, as a plan of the engine has it (`chaos/engine/plan.py`)."""

    @property
    def id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def owner_name(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, Any]: ...
    @property
    def narrowing(self) -> Mapping[str, Any]: ...
    @property
    def duration(self) -> float | None: ...
    @property
    def at(self) -> float: ...
    @property
    def seconds(self) -> float | None: ...
    @property
    def words(self) -> str: ...


def experiment(
    name: str,
    title: str,
    story: str,
    injections: Sequence[Injection],
    *,
    state: str,
    tags: Sequence[str] = (),
    available: float = 0.99,
) -> dict[str, Any]:
    """The experiment as JSON values.

    Run it with `chaos run --rollback-strategy always`: the default leaves faults to their leases when the
    steady state deviates.

    Args:
        name: of the scenario.
        injections: in any order.
        state: the platform's state directory, with its roster.
        tags: the mechanisms that the scenario guards.
        available: share of answers that is wanted before and after.
    """
    return {
        "version": "1.0.0",
        "title": title,
        "description": f"{story or title} Exported from the scenario {name}.",
        "tags": list(tags),
        "steady-state-hypothesis": {
            "title": "People reach their data",
            "probes": [
                {
                    "type": "probe",
                    "name": "availability",
                    "tolerance": {"type": "range", "range": [available, 1.0]},
                    "provider": _provider("availability", state=state),
                }
            ],
        },
        "method": _method(name, injections, state),
        "rollbacks": [
            _action(f"make sure it is over: {one.words}", _end(name, one, state))
            for one in injections
            if one.seconds is not None
        ],
    }


def _method(name: str, injections: Sequence[Injection], state: str) -> list[dict[str, Any]]:
    """Begins and ends in the order of time; what ends goes before what begins at the same instant."""
    steps: list[tuple[float, int, str, dict[str, Any]]] = []
    for one in injections:
        steps.append((one.at, 1, one.words, _begin(name, one, state)))
        if one.seconds is not None:
            steps.append((one.at + one.seconds, 0, f"end: {one.words}", _end(name, one, state)))
    now = 0.0
    method = []
    for at, _, words, provider in sorted(steps, key=lambda step: step[:2]):
        activity = _action(words, provider)
        if at > now:
            activity["pauses"] = {"before": round(at - now, 3)}
        method.append(activity)
        now = at
    return method


def _begin(name: str, one: Injection, state: str) -> dict[str, Any]:
    lease = 0.0 if one.seconds is None else one.seconds + MARGIN_SECONDS
    return _provider(
        "begin",
        **_which(name, one, state),
        attributes=dict(one.attributes),
        narrowing=dict(one.narrowing),
        lease=min(lease, MAX_LEASE_SECONDS),
        duration=one.duration,
    )


def _end(name: str, one: Injection, state: str) -> dict[str, Any]:
    return _provider("end", **_which(name, one, state))


def _which(name: str, one: Injection, state: str) -> dict[str, Any]:
    return {
        "state": state,
        "experiment": f"{name}.{one.id}",
        "kind": str(one.owner),
        "owner": one.owner_name,
        "target": one.target,
        "type": one.type,
    }


def _provider(function: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "python", "module": _MODULE, "func": function, "arguments": arguments}


def _action(name: str, provider: dict[str, Any]) -> dict[str, Any]:
    return {"type": "action", "name": name, "provider": provider}
