"""SIGKILL, once, for a part and all below it: what an out-of-memory killer does."""

from baluarte.supervisor.faults.kinds.kind import Aspect, Kind
from baluarte.supervisor.lifecycle import Crash

KIND = Kind(
    name="kill",
    aspect=Aspect.PROCESS,
    begin=lambda _: Crash(),
    end=None,  # the supervisor restarts it, as after any other death
    says=lambda _: "killed on purpose",
)
