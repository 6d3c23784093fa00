"""SIGSTOP, later SIGCONT, for a part and all below it: a machine that stalls and accepts connections."""

from baluarte.supervisor.faults.kinds.kind import Aspect, Kind
from baluarte.supervisor.lifecycle import Pause, Resume

KIND = Kind(
    name="pause",
    aspect=Aspect.PROCESS,
    begin=lambda _: Pause(),
    end=Resume(),
    says=lambda fault: f"paused on purpose, for {fault.ends - fault.began:g} s at most",
)
