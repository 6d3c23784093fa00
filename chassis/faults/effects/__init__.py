"""The effects, one file each. A new effect is one new file and one line here."""

from typing import Final

from chassis.faults.effects.abort import Abort
from chassis.faults.effects.bus_delay import BusDelay
from chassis.faults.effects.bus_duplicate import BusDuplicate
from chassis.faults.effects.bus_lose import BusLose
from chassis.faults.effects.bus_lose_confirm import BusLoseConfirm
from chassis.faults.effects.bus_reorder import BusReorder
from chassis.faults.effects.corrupt import Corrupt
from chassis.faults.effects.effect import BusEffect, ClockEffect, Effect, HttpEffect
from chassis.faults.effects.error import Error
from chassis.faults.effects.latency import Latency
from chassis.faults.effects.lose_answer import LoseAnswer
from chassis.faults.effects.omission import Omission
from chassis.faults.effects.slow_body import SlowBody
from chassis.faults.effects.token_skew import TokenSkew
from chassis.faults.effects.truncate import Truncate

_ALL: Final[tuple[type[Effect], ...]] = (
    *(Latency, Error, Abort, Omission, Truncate, Corrupt, SlowBody, LoseAnswer),
    *(BusLose, BusLoseConfirm, BusDuplicate, BusDelay, BusReorder),
    TokenSkew,
)

REGISTRY: Final[dict[str, type[Effect]]] = {effect.kind: effect for effect in _ALL}
"""Every effect by the name that the API knows it by."""

__all__ = ["REGISTRY", "BusEffect", "ClockEffect", "Effect", "HttpEffect"]
