"""The circuit breaker: pybreaker's state machine, made fit for asyncio.

pybreaker keeps the states, their storage and the transitions. What it does not do under asyncio is
added by subclassing: admission and settlement as two steps with no lock in between, windows and
slow calls, an exact number of probes, outcomes fenced by epoch, breaks on a monotonic clock, and
listeners that cannot hurt the call. The private names that this rests on are held by a contract
test (`tests/resilience/test_pybreaker_contract.py`).

One breaker belongs to one event loop (or thread) at a time.
"""

import functools
import inspect
import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, ParamSpec, TypeVar

import pybreaker

from resilience.breaker_states import ClosedState, Epoch, HalfOpenState, OpenState
from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.errors import CircuitOpen, Rejected
from resilience.events import (
    SILENT,
    BreakerChanged,
    BreakerWouldOpen,
    Emitter,
    OutcomeDropped,
)
from resilience.options import Rule, require
from resilience.policy import tell_rejection
from resilience.verdict import Classifier, Fault, careful, classify
from resilience.window import FAILED, GOOD, SLOW

__all__ = ["BreakerOptions", "CircuitBreaker"]

logger = logging.getLogger("resilience")

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class BreakerOptions:
    """When to open, for how long, and how to come back. Every default carries its reason."""

    #: What is counted: the last calls, the calls of the last seconds, or failures in a row. By
    #: count adapts to any traffic; by time suits high traffic; in a row suits a trickle.
    window: Literal["count", "time", "consecutive"] = "count"
    #: Calls in a count window. A hundred make one call one per cent.
    window_size: int = 100
    #: Length of a time window. Ten seconds outlive a garbage collection and not an incident.
    window_seconds: float = 10.0
    #: Parts of a time window that expire one by one. A tenth is a fine enough edge.
    window_buckets: int = 10
    #: Share of failures that opens. At a half, a dependency wastes as much as it serves.
    failure_rate: float = 0.5
    #: Below this many calls in the window, rates mean nothing. Twenty: one bad call is 5 %.
    minimum_calls: int = 20
    #: Bad calls in a row that open a `consecutive` window. Five by chance alone are rare below
    #: a failure rate of a quarter (one in a thousand).
    consecutive_failures: int = 5
    #: A call that takes this long is slow. Keep it below callers' usual deadlines: a call that
    #: hangs until its caller gives up is then still seen, as a slow one.
    slow_seconds: float = 1.0
    #: Share of slow calls that opens. Higher than for failures: a slow answer is still one.
    slow_rate: float = 0.8
    #: The first break. Long enough for a restart or a failover to begin, short enough to retry.
    break_seconds: float = 5.0
    #: Each further break in the same trouble is this many times longer …
    break_growth: float = 2.0
    #: … up to this: a minute is how long a recovered dependency may go unnoticed.
    break_max_seconds: float = 60.0
    #: Breaks are stretched by up to this share at random, so that replicas do not probe at once.
    break_jitter: float = 0.2
    #: Calls let through in half-open. Three good ones are hardly luck.
    probes: int = 3
    #: Probes that are not back after this long count as failed.
    half_open_seconds: float = 30.0
    #: After a recovery, calls are let through in growing numbers for this long; 0 turns it off.
    ramp_seconds: float = 10.0
    #: Share of the calls that pass at the start of the ramp.
    ramp_start: float = 0.1
    #: normal; forced-open: nothing passes; disabled: all pass and nothing is counted;
    #: metrics-only: all pass, and an event tells when it would have opened.
    mode: Literal["normal", "forced-open", "disabled", "metrics-only"] = "normal"

    def __post_init__(self) -> None:
        require(
            self,
            Rule(self.window in ("count", "time", "consecutive"), "window", "is unknown"),
            Rule(1 <= self.window_size <= 100_000, "window_size", "must be 1 to 100,000 calls"),
            Rule(self.window_seconds > 0, "window_seconds", "must be above 0"),
            Rule(1 <= self.window_buckets <= 1_000, "window_buckets", "must be 1 to 1,000"),
            Rule(0 < self.failure_rate <= 1, "failure_rate", "must be above 0 and at most 1"),
            Rule(self.minimum_calls >= 1, "minimum_calls", "must be at least 1"),
            Rule(
                self.window != "count" or self.minimum_calls <= self.window_size,
                "minimum_calls",
                "is more than window_size holds, so the breaker could never open",
            ),
            Rule(self.consecutive_failures >= 1, "consecutive_failures", "must be at least 1"),
            Rule(self.slow_seconds > 0, "slow_seconds", "must be above 0"),
            Rule(0 < self.slow_rate <= 1, "slow_rate", "must be above 0 and at most 1"),
            Rule(self.break_seconds > 0, "break_seconds", "must be above 0"),
            Rule(self.break_growth >= 1, "break_growth", "must be at least 1"),
            Rule(
                self.break_max_seconds >= self.break_seconds,
                "break_max_seconds",
                "must be at least break_seconds",
            ),
            Rule(0 <= self.break_jitter <= 1, "break_jitter", "must be 0 to 1"),
            Rule(self.probes >= 1, "probes", "must be at least 1, or it never closes again"),
            Rule(self.half_open_seconds > 0, "half_open_seconds", "must be above 0"),
            Rule(self.ramp_seconds >= 0, "ramp_seconds", "must be 0 or more"),
            Rule(0 < self.ramp_start <= 1, "ramp_start", "must be above 0 and at most 1"),
            Rule(
                self.mode in ("normal", "forced-open", "disabled", "metrics-only"),
                "mode",
                "is unknown",
            ),
        )


class CircuitBreaker(pybreaker.CircuitBreaker):
    """A pybreaker circuit breaker for asyncio (and for synchronous calls alike).

    Stand-alone: `await breaker.call_async(function, …)`, `@breaker` on a function of either kind,
    or `with breaker.calling():`. The pipeline uses the two halves, `admit` and `succeed`/`fail`.
    """

    #: The state object in force. pybreaker types it as its own states; ours are subclasses.
    _state: Any
    #: `admit(now)` lets a call through, or raises `CircuitOpen`. What it returns is to be settled
    #: exactly once, by `succeed` or `fail`. It is the state's own method, set with the state: a
    #: call in between would be a tenth of what a rejection costs.
    admit: Callable[[float], Epoch | None]
    #: Nothing passes before this time; 0.0 unless open. A quick look before any other work.
    open_until: float

    def __init__(
        self,
        source: str,
        options: BreakerOptions | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
        events: Emitter = SILENT,
        classifier: Classifier = classify,
    ) -> None:
        self.source = source
        self.options = options or BreakerOptions()
        self.clock = clock
        self.events = events
        #: Lowers the thresholds, never raises them (1.0 = as configured). Set by replicas' hints.
        self.threshold_factor = 1.0
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._classify = careful(classifier)
        self._monotonic = clock.monotonic
        #: How long the next break is, if the trouble goes on; 0.0 when it was stable.
        self._next_seconds = 0.0
        self._slow_seconds = self.options.slow_seconds
        # pybreaker asks for the first state while it is being made: all of the above comes first.
        super().__init__(name=source, success_threshold=self.options.probes)
        self._set_gate()

    # -- admission and settlement ---------------------------------------------------------------

    def _set_gate(self) -> None:
        """Let the state in force answer for admission, unless the mode does."""
        if self.options.mode == "disabled":
            self.admit, self.open_until = self._admit_all, 0.0
        elif self.options.mode == "forced-open":
            self.admit, self.open_until = self._admit_none, math.inf
        else:
            self.admit = self._state.admit
            self.open_until = self._state.until if isinstance(self._state, OpenState) else 0.0

    def _admit_all(self, now: float) -> None:
        """Disabled: everything passes, and nothing is counted."""

    def _admit_none(self, now: float) -> Epoch | None:
        """Forced open: nothing passes."""
        raise self.turn_away(now)

    def turn_away(self, now: float) -> CircuitOpen:
        """The error for a call that came before `open_until`."""
        if self.open_until == math.inf:
            return self.rejection(None, "forced open")
        return self.rejection(self.open_until - now, "open")

    def rejection(self, retry_after: float | None, detail: str) -> CircuitOpen:
        """The error for a call that is not let through."""
        rejection = CircuitOpen(self.source, retry_after, detail)
        if self.events.listening:
            tell_rejection(self.events, rejection)
        return rejection

    def succeed(self, epoch: Epoch | None, seconds: float, now: float) -> None:
        """The admitted call came back after `seconds` with an answer."""
        if epoch is None:
            return
        if epoch is self._state:
            epoch.record(SLOW if seconds >= self._slow_seconds else GOOD, now)
        else:
            self._drop(epoch, failed=False)

    def fail(self, epoch: Epoch | None, error: BaseException, seconds: float, now: float) -> None:
        """The admitted call ended in `error` after `seconds`."""
        if epoch is None:
            return
        # A rejection may have waited long in some queue: the dependency was not asked meanwhile.
        asked = not isinstance(error, Rejected)
        slow = SLOW if asked and seconds >= self._slow_seconds else GOOD
        fault = self._classify(error).fault if isinstance(error, Exception) else Fault.UNKNOWN
        if epoch is not self._state:
            self._drop(epoch, failed=fault is Fault.DEPENDENCY)
        elif fault is Fault.DEPENDENCY:
            epoch.record(FAILED | slow, now)
        elif fault is Fault.CALLER or slow:
            # Cancelled or out of its caller's time, but slow: else a hang would never be seen.
            epoch.record(slow, now)
        else:
            epoch.release()

    def _drop(self, epoch: Epoch, *, failed: bool) -> None:
        if self.events.listening:
            self.events.emit(OutcomeDropped(self.source, epoch.name, failed))

    # -- states ---------------------------------------------------------------------------------

    def _create_new_state(
        self,
        new_state: str,
        prev_state: pybreaker.CircuitBreakerState | None = None,
        notify: bool = False,  # noqa: ARG002 - listeners are told after the change, not within it
    ) -> ClosedState | OpenState | HalfOpenState:
        """pybreaker's factory of states."""
        if new_state == pybreaker.STATE_CLOSED:
            return ClosedState(self, recovered=prev_state is not None)
        if new_state == pybreaker.STATE_OPEN:
            return OpenState(self, self._next_break(prev_state))
        if new_state == pybreaker.STATE_HALF_OPEN:
            return HalfOpenState(self)
        raise ValueError(f"unknown state {new_state!r}: use closed, open or half-open")

    def _next_break(self, before: pybreaker.CircuitBreakerState | None) -> float:
        """The length of the break that begins now: longer each time while the trouble lasts."""
        options = self.options
        if isinstance(before, ClosedState):
            stable = max(options.ramp_seconds, options.break_seconds)
            if self.clock.monotonic() - before.since >= stable:
                self._next_seconds = 0.0
        length = min(max(self._next_seconds, options.break_seconds), options.break_max_seconds)
        self._next_seconds = length * options.break_growth
        # Jitter only stretches: nobody is told to come back before the first probe is due.
        jitter = 1 + options.break_jitter * self._rng.random()
        return length * jitter

    @property
    def epoch(self) -> Epoch:
        """The state object in force; outcomes of calls that another one admitted are dropped."""
        epoch: Epoch = self._state
        return epoch

    @property
    def state(self) -> Any:
        """The state object in force (pybreaker's name for `epoch`)."""
        return self._state

    @state.setter
    def state(self, state_str: str) -> None:
        with self._lock:
            self._state = self._create_new_state(state_str, prev_state=self._state)
            self._set_gate()

    def trip(self, reason: str) -> None:
        """Open because of what was seen; in metrics-only mode only say so, and count anew."""
        if self.options.mode != "metrics-only":
            self._change(super().open, reason)
            return
        self._start_anew()
        self._set_gate()
        self.events.emit(BreakerWouldOpen(self.source, reason))

    def open(self) -> bool:
        """Open by hand, for one break."""
        self._change(super().open, "opened by hand")
        return False

    def half_open(self) -> None:
        """Let the probes through."""
        self._change(super().half_open, "the break is over")

    def close(self) -> None:
        """Let calls through, in growing numbers. pybreaker calls this after the last good probe."""
        self._change(super().close, "the probes came back good")

    def _change(self, transition: Callable[[], object], reason: str) -> None:
        before: Any = self._state
        transition()
        after: Any = self._state
        break_seconds = after.break_seconds if isinstance(after, OpenState) else None
        self.events.emit(
            BreakerChanged(self.source, before.name, after.name, reason, break_seconds)
        )
        for listener in self.listeners:
            try:
                listener.state_change(self, before, after)
            except Exception:
                logger.exception("a listener raised on a change of %s", self.source)

    def forget_probes(self) -> None:
        """Start counting good probes at zero."""
        self._state_storage.reset_success_counter()

    def retry_after(self, now: float) -> float | None:
        """Seconds until an open breaker lets its first probe through."""
        state = self._state
        return max(0.0, state.until - now) if isinstance(state, OpenState) else None

    def reconfigure(self, options: BreakerOptions) -> None:
        """Follow other options from now on, keeping the state and what the window holds."""
        reshaped = _window_of(options) != _window_of(self.options)
        self.options = options
        self._slow_seconds = options.slow_seconds
        self._success_threshold = options.probes
        state = self._state
        if options.mode == "metrics-only" and not (
            isinstance(state, ClosedState) and not state.ramp_until
        ):
            # All pass from now on: neither a break nor a trial nor a ramp goes on.
            self._change(self._start_anew, "metrics only")
        elif isinstance(state, HalfOpenState) and self.success_counter >= options.probes:
            # Enough came back already: no further probe would come to say so.
            self.close()
        elif reshaped and isinstance(state, ClosedState):
            state.reshape()
        self._set_gate()

    def _start_anew(self) -> None:
        self._state_storage.state = pybreaker.STATE_CLOSED
        self._state = self._create_new_state(pybreaker.STATE_CLOSED)

    @property
    def fail_counter(self) -> int:
        """Failures in the window; 0 unless closed."""
        return self._state.window.failures if isinstance(self._state, ClosedState) else 0

    @property
    def idle(self) -> bool:
        """Whether forgetting this breaker loses nothing: closed, and nothing bad in sight."""
        state = self._state
        return isinstance(state, ClosedState) and not (
            state.in_flight or state.window.failures or state.window.slow or state.ramp_until
        )

    # -- calls, stand-alone ---------------------------------------------------------------------

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Guard the block, which may await: `with breaker.calling(): …`."""
        started = self._monotonic()
        epoch = self.admit(started)
        try:
            yield
        except BaseException as error:
            now = self._monotonic()
            self.fail(epoch, error, now - started, now)
            raise
        now = self._monotonic()
        self.succeed(epoch, now - started, now)

    async def call_async(
        self, func: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Await `func(*args, **kwargs)` under the breaker, with no lock held meanwhile."""
        started = self._monotonic()
        epoch = self.admit(started)
        try:
            result = await func(*args, **kwargs)
        except BaseException as error:
            now = self._monotonic()
            self.fail(epoch, error, now - started, now)
            raise
        now = self._monotonic()
        self.succeed(epoch, now - started, now)
        return result

    def call(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the synchronous `func` under the breaker."""
        with self.calling():
            return func(*args, **kwargs)

    def __call__(self, function: F) -> F:  # type: ignore[override]
        """Guard an async or a synchronous function, as a decorator. It keeps its signature."""
        guarded: Any
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def guarded(*args: Any, **kwargs: Any) -> Any:
                return await self.call_async(function, *args, **kwargs)

        else:

            @functools.wraps(function)
            def guarded(*args: Any, **kwargs: Any) -> Any:
                return self.call(function, *args, **kwargs)

        face: F = guarded
        return face


def _window_of(options: BreakerOptions) -> tuple[object, ...]:
    return (options.window, options.window_size, options.window_seconds, options.window_buckets)
