"""The kinds of faults by name: a new one is a new file and a line here."""

from collections.abc import Mapping

from baluarte.supervisor.faults.kinds import hold_down, kill, pause, slow_start
from baluarte.supervisor.faults.kinds.kind import Aspect, Kind

KINDS: Mapping[str, Kind] = {
    kind.name: kind for kind in (kill.KIND, pause.KIND, hold_down.KIND, slow_start.KIND)
}

__all__ = ["KINDS", "Aspect", "Kind"]
