"""The three states of a circuit breaker, on pybreaker's state classes.

pybreaker makes a new state object at every transition, so **the object is the epoch**: a caller
keeps the state that admitted it, and an outcome whose state is no longer current is dropped. What
belongs to an epoch lives on its state: the window on Closed, the probes' permits on HalfOpen, the
end of the break on Open. Nothing here waits, and no lock is held while a call runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pybreaker

from resilience.window import FAILED, SLOW, ConsecutiveWindow, CountWindow, TimeWindow, Window

if TYPE_CHECKING:
    from resilience.breaker import BreakerOptions, CircuitBreaker

__all__ = ["ClosedState", "Epoch", "HalfOpenState", "OpenState", "make_window"]


class Epoch(Protocol):
    """What the breaker asks of the state that it is in."""

    @property
    def name(self) -> str: ...

    def admit(self, now: float) -> Epoch:
        """The epoch that the call now belongs to; raises `CircuitOpen`."""
        ...

    def record(self, outcome: int, now: float) -> None:
        """Count the outcome of a call that this epoch admitted."""
        ...

    def release(self) -> None:
        """A call that this epoch admitted ended without an outcome worth counting."""
        ...


def make_window(options: BreakerOptions) -> Window:
    """The window that the options ask for."""
    if options.window == "count":
        return CountWindow(options.window_size)
    if options.window == "time":
        return TimeWindow(options.window_seconds, options.window_buckets)
    return ConsecutiveWindow()


class ClosedState(pybreaker.CircuitClosedState):
    """Calls pass and are counted. After a recovery, they pass in growing numbers."""

    def __init__(self, cb: CircuitBreaker, recovered: bool) -> None:
        super().__init__(cb, notify=False)
        self.breaker = cb
        self.window = make_window(cb.options)
        self.since = cb.clock.monotonic()
        self.in_flight = 0
        ramp = cb.options.ramp_seconds if recovered else 0.0
        #: Until when calls are thinned out; 0.0 when they are not.
        self.ramp_until = self.since + ramp if ramp else 0.0
        self._ramp_credit = 0.0

    def admit(self, now: float) -> ClosedState:
        if self.ramp_until:
            self._admit_on_ramp(now)
        self.in_flight += 1
        return self

    def _admit_on_ramp(self, now: float) -> None:
        """Let through a share of the calls that grows to all of them.

        As many calls at a time as there were probes always pass: the dependency has just shown
        that it bears those, and a service with little traffic loses nothing to the ramp.
        """
        options = self.breaker.options
        left = self.ramp_until - now
        if left <= 0:
            self.ramp_until = 0.0
            return
        share = 1 - (1 - options.ramp_start) * left / options.ramp_seconds
        self._ramp_credit += share
        if self._ramp_credit >= 1.0:
            self._ramp_credit -= 1.0
        elif self.in_flight >= options.probes:
            raise self.breaker.rejection(left, "ramping")

    def record(self, outcome: int, now: float) -> None:
        self.in_flight -= 1
        window = self.window
        window.record(outcome, now)
        if window.failures or window.slow:
            self._judge(window)

    def release(self) -> None:
        self.in_flight -= 1

    def _judge(self, window: Window) -> None:
        options = self.breaker.options
        factor = self.breaker.threshold_factor
        if options.window == "consecutive":
            if window.failures >= max(1, options.consecutive_failures * factor):
                self.breaker.trip(f"{window.failures} bad calls in a row")
        elif window.calls >= options.minimum_calls:
            if window.failures >= window.calls * options.failure_rate * factor:
                self.breaker.trip(f"{window.failures} of {window.calls} calls failed")
            elif window.slow >= window.calls * options.slow_rate * factor:
                self.breaker.trip(f"{window.slow} of {window.calls} calls were slow")

    def reshape(self) -> None:
        """Follow new options, keeping as much of what was seen as the new window can hold."""
        old, self.window = self.window, make_window(self.breaker.options)
        if isinstance(old, CountWindow) and isinstance(self.window, CountWindow):
            self.window = old.resized(self.breaker.options.window_size)


class OpenState(pybreaker.CircuitOpenState):
    """Nothing passes until the break is over."""

    def __init__(self, cb: CircuitBreaker, break_seconds: float) -> None:
        super().__init__(cb, notify=False)
        self.breaker = cb
        self.break_seconds = break_seconds
        self.until = cb.clock.monotonic() + break_seconds

    def admit(self, now: float) -> Epoch:
        if now < self.until:
            raise self.breaker.turn_away(now)
        self.breaker.half_open()
        return self.breaker.epoch.admit(now)

    def record(self, outcome: int, now: float) -> None:
        """No call is admitted by an open breaker, so none comes back."""

    def release(self) -> None:
        """No call is admitted by an open breaker, so none comes back."""


class HalfOpenState(pybreaker.CircuitHalfOpenState):
    """Exactly `probes` calls pass. All good: closed. One bad: open again.

    A permit whose call was cancelled comes back, so the next call is a probe in its place. When the
    last of them is out for `half_open_seconds` and they are not all back, they count as bad.
    """

    #: Set anew with each probe: one that has just been sent gets its time.
    give_up_at: float

    def __init__(self, cb: CircuitBreaker) -> None:
        super().__init__(cb, prev_state=None, notify=False)
        self.breaker = cb
        cb.forget_probes()
        #: Probes that are under way or came back good.
        self.granted = 0

    def admit(self, now: float) -> HalfOpenState:
        options = self.breaker.options
        if self.granted < options.probes:
            self.granted += 1
            self.give_up_at = now + options.half_open_seconds
            return self
        if now >= self.give_up_at:
            self.breaker.trip("the probes did not come back")
            raise self.breaker.rejection(self.breaker.retry_after(now), "open")
        # A probe that takes longer than a slow call decides against the dependency anyway.
        raise self.breaker.rejection(options.slow_seconds, "half-open")

    def record(self, outcome: int, now: float) -> None:  # noqa: ARG002 - the epochs' common face
        if outcome & FAILED:
            self.breaker.trip("a probe failed")
        elif outcome & SLOW:
            self.breaker.trip("a probe was slow")
        else:
            # pybreaker counts the good probes and closes at its success threshold.
            self.on_success()

    def release(self) -> None:
        self.granted -= 1
