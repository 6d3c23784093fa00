"""Faults on purpose in the processes of the platform, for `baluarte up --chaos` alone.

Each has a lease on the monotonic clock and is undone by the supervisor: when the lease ends, when it is
deleted, and when the supervisor stops. `leases.py` and `request.py` are values; `desk.py` does.
"""

from baluarte.supervisor.faults.desk import Desk
from baluarte.supervisor.faults.leases import Fault
from baluarte.supervisor.faults.refusal import Refused
from baluarte.supervisor.faults.request import MAX_LEASE_SECONDS, Wanted

__all__ = ["MAX_LEASE_SECONDS", "Desk", "Fault", "Refused", "Wanted"]
