"""Which faults are in place and until when: values and a time in, values out.

Times are seconds on the monotonic clock of the supervisor, which is handed in.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in one part. `ends` is when its lease is over; `delay` is for slow starts.

    `experiment` is whose it is, as a label; empty for nobody's.
    """

    id: str
    part: str
    kind: str
    aspect: str
    began: float
    ends: float
    delay: float = 0.0
    experiment: str = ""

    def remaining(self, now: float) -> float:
        """Seconds until the lease is over; never negative."""
        return max(0.0, self.ends - now)


@dataclass(frozen=True, slots=True)
class Leases:
    """The faults in place: at most one per part and aspect, so their number is bounded."""

    faults: tuple[Fault, ...] = ()

    def granted(self, fault: Fault) -> "Leases":
        """With `fault`, whose place must be free (`in_the_way`)."""
        return replace(self, faults=(*self.faults, fault))

    def renewed(self, fault_id: str, ends: float) -> "Leases":
        """With the lease of that fault ending at `ends`."""
        return Leases(tuple(replace(f, ends=ends) if f.id == fault_id else f for f in self.faults))

    def without(self, fault_id: str) -> "Leases":
        """Without the fault of that id, if it is there."""
        return Leases(tuple(fault for fault in self.faults if fault.id != fault_id))

    def in_the_way(self, part: str, aspect: str) -> Fault | None:
        """The fault that already holds this aspect of the part."""
        return next((f for f in self.faults if (f.part, f.aspect) == (part, aspect)), None)

    def named(self, fault_id: str) -> Fault | None:
        """The fault of that id."""
        return next((fault for fault in self.faults if fault.id == fault_id), None)

    def on(self, part: str) -> tuple[Fault, ...]:
        """All faults in a part."""
        return tuple(fault for fault in self.faults if fault.part == part)

    def due(self, now: float) -> tuple[Fault, ...]:
        """Those whose lease is over, the longest overdue first."""
        over = (fault for fault in self.faults if fault.ends <= now)
        return tuple(sorted(over, key=lambda fault: fault.ends))

    def next_end(self, now: float) -> float | None:
        """Seconds until the first lease is over; None when there is none."""
        return min((fault.remaining(now) for fault in self.faults), default=None)
