"""The faults that a scenario may put on its timeline: one file per owner, one line here."""

from typing import Final

from chaos.scenarios.faults import edge, part, process
from chaos.scenarios.faults.fault import Fault
from chaos.scenarios.faults.variants import FaultShape

FAULT: Final = FaultShape((process.OWNED, edge.OWNED, part.OWNED))

__all__ = ["FAULT", "Fault"]
