"""The fault point of one process: which faults are in place, and what they may be done to."""

import asyncio
import contextlib
import hmac
import secrets
import time
from collections.abc import Callable, Collection

from chassis import codes, logs
from chassis.errors import CodedError
from chassis.faults.calls import CallRecord
from chassis.faults.contract import NewFault, plain
from chassis.faults.effects import BusEffect, ClockEffect, HttpEffect
from chassis.faults.fault import HELD_LIMIT, ActiveFault
from chassis.faults.measures import Measures
from chassis.faults.order import effect_of
from chassis.metrics import Metrics
from chassis.settings import Secret, Settings
from resilience.clock import SYSTEM_CLOCK, Clock, Timer

MAX_FAULTS = 32
"""Faults in place at once: each request is compared with all of them."""

IN_STATE = "fault_point"
"""Name in the app's state by which the server finds the fault point."""

STOPPING = "the process stops"

_ID_BYTES = 4
"""Of a fault's id: tells a few dozen apart, short enough to be typed."""

_SEED_BITS = 32

_log = logs.get("faults")


class FaultPoint:
    """Keeps the faults of a process until their leases end. Made only where the chaos token is set.

    Args:
        token: whoever shows it may have faults done.
        clock: of the leases and pauses.
        wall: of the tokens, when no fault changes it.

    Attributes:
        service: the process' name.
        calls: what it was asked lately.
        routes: paths that it serves; a target must fit one of them. Empty: unknown.
        publishes: whether it has a bus that faults reach.
    """

    def __init__(
        self,
        service: str,
        token: Secret,
        metrics: Metrics,
        *,
        clock: Clock = SYSTEM_CLOCK,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.service = service
        self.clock = clock
        self.calls = CallRecord()
        self.routes: Collection[str] = ()
        self.publishes = False
        self._token = token.reveal().encode()
        self._measures = Measures(metrics, service)
        self._wall = wall
        self._faults: dict[str, ActiveFault] = {}
        self._room = asyncio.Semaphore(HELD_LIMIT)
        self._timer: Timer | None = None

    @classmethod
    def of(cls, settings: Settings, metrics: Metrics) -> "FaultPoint | None":
        """The fault point of the process whose settings these are; None where there is to be none."""
        if settings.chaos_token is None:
            return None
        _log.warning("faults may be injected", environment=settings.environment.value)
        return cls(settings.service, settings.chaos_token, metrics)

    def admits(self, token: str | None) -> bool:
        """Whether `token` is the right one; takes as long for a wrong one as for another."""
        return hmac.compare_digest((token or "").encode(), self._token)

    @property
    def faults(self) -> tuple[ActiveFault, ...]:
        """Those in place, the first one made first."""
        self._end_due()
        return tuple(self._faults.values())

    def add(self, wanted: NewFault) -> ActiveFault:
        """Put a fault in place, for the time of its lease.

        Raises:
            CodedError: FAULT_TYPE_UNKNOWN, INVALID_INPUT, TOO_MANY_FAULTS; nothing was changed then.
        """
        effect = effect_of(wanted, self.routes, publishes=self.publishes)
        if len(self.faults) >= MAX_FAULTS:
            raise codes.TOO_MANY_FAULTS.error(f"{MAX_FAULTS} are in place already; end one first.")
        fault = ActiveFault(
            id=secrets.token_hex(_ID_BYTES),
            wanted=wanted,
            effect=effect,
            seed=secrets.randbits(_SEED_BITS) if wanted.seed is None else wanted.seed,
            ends=self.clock.monotonic() + wanted.lease_seconds,
            clock=self.clock,
            on_met=self._met,
            room=self._room,
        )
        self._faults[fault.id] = fault
        self._measures.begun(wanted.experiment, wanted.type)
        _log.warning(
            "fault begins",
            fault=fault.id,
            type=wanted.type,
            experiment=plain(wanted.experiment),
            duration=wanted.lease_seconds,
        )
        self._arm()
        return fault

    def renew(self, fault_id: str, seconds: float) -> ActiveFault:
        """Let the lease of a fault start anew. Raises CodedError: FAULT_UNKNOWN."""
        fault = self._known(fault_id)
        fault.renew(seconds)
        self._arm()
        return fault

    def end(self, fault_id: str) -> ActiveFault:
        """End a fault. Raises CodedError: FAULT_UNKNOWN."""
        fault = self._known(fault_id)
        self._end(fault, "taken back")
        return fault

    def end_all(self, why: str = "taken back") -> tuple[ActiveFault, ...]:
        """The kill switch: end every fault."""
        ended = self.faults
        for fault in ended:
            self._end(fault, why)
        return ended

    async def close(self) -> None:
        """The process leaves."""
        self.end_all(STOPPING)

    @property
    def http_faults(self) -> tuple[ActiveFault, ...]:
        """Those that are done to requests."""
        return self._of(HttpEffect)

    @property
    def bus_faults(self) -> tuple[ActiveFault, ...]:
        """Those that are done to messages."""
        return self._of(BusEffect)

    def token_skew(self) -> float:
        """Seconds that the clock of tokens is ahead now. Each fault that has a share in it is met."""
        skew = 0.0
        for fault in self._of(ClockEffect):
            hit = fault.claim()
            if hit is not None and isinstance(fault.effect, ClockEffect):
                hit.done()
                skew += fault.effect.offset
        return skew

    def token_time(self) -> float:
        """The wall clock, in seconds, by which tokens are made and checked."""
        return self._wall() + self.token_skew()

    def _of(self, kind: type) -> tuple[ActiveFault, ...]:
        if not self._faults:
            return ()
        return tuple(fault for fault in self.faults if isinstance(fault.effect, kind))

    def _known(self, fault_id: str) -> ActiveFault:
        fault = next((fault for fault in self.faults if fault.id == fault_id), None)
        if fault is None:
            raise _unknown()
        return fault

    def _met(self, fault: ActiveFault) -> None:
        self._measures.met(fault.wanted.experiment, fault.wanted.type)

    def _end_due(self) -> None:
        for fault in [fault for fault in self._faults.values() if fault.over]:
            self._end(fault, "its lease is over")

    def _end(self, fault: ActiveFault, why: str) -> None:
        fault.end()
        del self._faults[fault.id]
        self._measures.ended(fault.wanted.experiment, fault.wanted.type)
        _log.warning(
            "fault ends",
            fault=fault.id,
            type=fault.wanted.type,
            experiment=plain(fault.wanted.experiment),
            count=fault.met,
            reason=why,
        )
        self._arm()

    def _arm(self) -> None:
        """Have the next lease end in time for the metrics; that it does nothing afterwards needs no timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        ends = min((fault.ends for fault in self._faults.values()), default=None)
        if ends is not None:
            with contextlib.suppress(RuntimeError):  # no loop runs: nobody is served either
                self._timer = self.clock.call_at(ends, self._tick)

    def _tick(self) -> None:
        self._end_due()
        self._arm()


def token_clock(faults: FaultPoint | None) -> Callable[[], float]:
    """The wall clock by which a process makes and checks tokens."""
    return time.time if faults is None else faults.token_time


def token_skew(faults: FaultPoint | None) -> Callable[[], float]:
    """By how many seconds it is ahead, for what goes by another clock."""
    return (lambda: 0.0) if faults is None else faults.token_skew


def _unknown() -> CodedError:
    return codes.FAULT_UNKNOWN.error("No such fault is in place here; it may have ended.")
