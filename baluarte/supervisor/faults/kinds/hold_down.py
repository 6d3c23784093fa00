"""SIGKILL, and no restart until the lease ends: an outage."""

from baluarte.supervisor.faults.kinds.kind import Aspect, Kind
from baluarte.supervisor.lifecycle import Hold, Release

KIND = Kind(
    name="hold_down",
    aspect=Aspect.PROCESS,
    begin=lambda _: Hold(),
    end=Release(),
    says=lambda fault: f"held down on purpose, for {fault.ends - fault.began:g} s at most",
)
