"""Downstream calls by execution index, and what one run of an operation made of them."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from chassis.faults.contract import SeenCall

OK: Final = "ok"


@dataclass(frozen=True, slots=True, order=True)
class CallKey:
    """The n-th time in one operation that `caller` asks `service` for `route`.

    It names the same call in every run of the operation, which neither a time nor an id would. `nth`
    counts from 1, over all invocations of the caller.
    """

    caller: str
    service: str
    route: str
    nth: int = 1

    def __str__(self) -> str:
        again = f" #{self.nth}" if self.nth > 1 else ""
        return f"{self.caller} → {self.service} {self.route}{again}"


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault of one kind on one call."""

    call: CallKey
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} on {self.call}"


FaultSet = tuple[Injected, ...]
"""Faults of one run, in the order in which the search added them; no call twice."""


View = tuple[str, frozenset[tuple[str, str, int, str]]]
"""What one service saw while it served one request: what it was asked for, and each call that it made
(callee, route, the how manieth) with its outcome. Order is left out: some calls run side by side."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The calls of one run, in the order in which they began.

    Attributes:
        outcomes: what the caller of each call learned.
        parents: the call that the caller was serving then; None for the gateway's own calls.
    """

    outcomes: Mapping[CallKey, str]
    parents: Mapping[CallKey, CallKey | None]

    def __iter__(self) -> Iterator[CallKey]:
        return iter(self.outcomes)

    def __contains__(self, call: object) -> bool:
        return call in self.outcomes

    def surprises(self, faulted: Collection[CallKey]) -> list[CallKey]:
        """Calls that failed though no fault was on them, nor on anything that was done on their behalf."""
        excused = set(faulted)
        for call in reversed(list(self)):  # those that are made on behalf of others come after them
            parent = self.parents[call]
            if call in excused and parent is not None:
                excused.add(parent)
        return [
            call for call, outcome in self.outcomes.items() if outcome != OK and call not in excused
        ]

    def views(self) -> set[View]:
        """What each service saw, request by request."""
        return {self.view(parent) for parent in self.parents.values()}

    def view(self, parent: CallKey | None, but: Mapping[CallKey, str] | None = None) -> View:
        """What was seen while `parent` was served, with the outcomes in `but` in place of the real ones."""
        counts: Counter[tuple[str, str]] = Counter()
        seen = []
        for call, outcome in (dict(self.outcomes) | dict(but or {})).items():
            if self.parents[call] == parent:
                counts[call.service, call.route] += 1
                nth = counts[call.service, call.route]
                seen.append((call.service, call.route, nth, outcome))
        return (f"{parent.service} {parent.route}" if parent else ""), frozenset(seen)


GATEWAY: Final = "gateway"

_SLACK_SECONDS: Final = 0.002
"""A call is noted by its callee a little later than it was sent, and its caller's end a little earlier than
it is known: a process switch."""


def trace_of(
    seen: Mapping[str, Iterable[SeenCall]], learned: Mapping[CallKey, str], *, until: float
) -> Trace:
    """The trace of one operation.

    Args:
        seen: what each service was asked under the operation's correlation id.
        learned: what the callers of faulted calls learned.
        until: when the operation was answered. What was asked later, or by a service that was not serving
            anything, is the work of others, such as the recovery of a transfer that stayed PENDING.
    """
    calls = sorted(
        (
            (call.at, service, call)
            for service, its in seen.items()
            for call in its
            if call.caller and call.at <= until
        ),
        key=lambda item: item[:2],
    )
    counts: Counter[tuple[str, str, str]] = Counter()
    outcomes: dict[CallKey, str] = {}
    parents: dict[CallKey, CallKey | None] = {}
    spans: dict[CallKey, SeenCall] = {}
    for _, service, call in calls:
        parent = _parent(call, spans)
        if parent is None and call.caller != GATEWAY:
            continue
        counts[call.caller, service, call.route] += 1
        nth = counts[call.caller, service, call.route]
        key = CallKey(call.caller, service, call.route, nth)
        spans[key], parents[key] = call, parent
        outcomes[key] = learned.get(key) or (OK if 200 <= call.status < 300 else str(call.status))
    return Trace(outcomes, parents)


def _parent(call: SeenCall, spans: Mapping[CallKey, SeenCall]) -> CallKey | None:
    """The request that the caller was serving when it called; the youngest one, if several."""
    serving = [
        key
        for key, span in spans.items()
        if key.service == call.caller
        and span.at - _SLACK_SECONDS <= call.at <= span.at + span.seconds + _SLACK_SECONDS
    ]
    return serving[-1] if serving else None
