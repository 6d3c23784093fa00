"""Clients of the owners of faults: who applies a fault takes it back, and each is reached directly.

    async with crew(roster) as all_of_them:
        placed = await all_of_them.proxies.inject(Toxic(edge="gateway-users", type="latency", …))

The engine, the kill switch and the commands speak to all three kinds through `FaultOwner`. A new kind is
one new file and one line in `chaos/owners/crew.py`.
"""

from chaos.owners.crew import Crew, crew
from chaos.owners.owner import Code, FaultOwner, OwnerError, Placed
from chaos.owners.process import ProcessOwner
from chaos.owners.proxies import Down, ProxiesOwner, Toxic
from chaos.owners.supervisor import PartFault, SupervisorOwner
from chaos.owners.switch import Said, list_all, stop_all

__all__ = [
    "Code",
    "Crew",
    "Down",
    "FaultOwner",
    "OwnerError",
    "PartFault",
    "Placed",
    "ProcessOwner",
    "ProxiesOwner",
    "Said",
    "SupervisorOwner",
    "Toxic",
    "crew",
    "list_all",
    "stop_all",
]
