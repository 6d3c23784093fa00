"""Starts that are late while the lease lasts: a cold image, a full queue of the scheduler.

It starts nothing anew by itself: together with `kill` or `hold_down` it makes an outage longer.
"""

from baluarte.supervisor.faults.kinds.kind import Aspect, Kind
from baluarte.supervisor.lifecycle import Slow

KIND = Kind(
    name="slow_start",
    aspect=Aspect.START,
    begin=lambda fault: Slow(fault.delay),
    end=Slow(0.0),
    says=lambda fault: (
        f"starts {fault.delay:g} s late on purpose, for {fault.ends - fault.began:g} s at most"
    ),
    has_delay=True,
)
