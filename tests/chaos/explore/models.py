"""A platform of a few lines for the search: services that retry, fall back and give up, by a plan.

What a service does depends on the outcomes of its own calls alone, as pruning supposes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaos.explore.calls import OK, CallKey, FaultSet, Trace, View
from chaos.explore.kinds import KINDS

ROUTE = "/ask"
FAILED = "503"


@dataclass(frozen=True)
class Step:
    """One thing that a service needs: it is tried `attempts` times, then `instead` is asked once.

    `essential`: without it the service fails; else it goes on.
    """

    service: str
    attempts: int = 1
    instead: str = ""
    essential: bool = True


Plan = Mapping[str, Sequence[Step]]
"""By service; those that are not in it just work. The gateway is in it."""


def outcome(kind: str) -> str:
    """What callers learn of a kind of fault, nobody caring what was done."""
    return KINDS[kind].outcome(reads=True)


@dataclass
class Model:
    """One run of the platform with a set of faults."""

    plan: Plan
    faults: FaultSet
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    outcomes: dict[CallKey, str] = field(default_factory=dict)
    parents: dict[CallKey, CallKey | None] = field(default_factory=dict)

    def run(self) -> Trace:
        self._serve("gateway", None)
        return Trace(self.outcomes, self.parents)

    def _serve(self, service: str, as_: CallKey | None) -> str:
        for step in self.plan.get(service, ()):
            found = FAILED
            for target in [step.service] * step.attempts + [step.instead] * bool(step.instead):
                found = self._call(service, target, as_)
                if found == OK:
                    break
            if found != OK and step.essential:
                return FAILED
        return OK

    def _call(self, caller: str, service: str, parent: CallKey | None) -> str:
        self.counts[caller, service] += 1
        key = CallKey(caller, service, ROUTE, self.counts[caller, service])
        self.parents[key] = parent
        self.outcomes[key] = ""  # its place, before those that it makes
        kind = next((fault.kind for fault in self.faults if fault.call == key), None)
        if kind is None:
            self.outcomes[key] = self._serve(service, key)
        else:
            self.outcomes[key] = outcome(kind)
        return self.outcomes[key]


def run(plan: Plan, faults: FaultSet) -> Trace:
    """What the platform of that plan does under these faults."""
    return Model(plan, faults).run()


def gives_up(plan: Plan, faults: FaultSet) -> bool:
    """Whether the client gets nothing."""
    model = Model(plan, faults)
    return model._serve("gateway", None) != OK


def views(plan: Plan, faults: FaultSet) -> set[View]:
    """All that any service sees."""
    return run(plan, faults).views()
