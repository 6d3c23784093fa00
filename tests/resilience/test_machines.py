"""Breaker and bulkhead against models, with admission and settlement as separate steps.

Calls overlap in any order here: admitted in one state, settled in another, cancelled, late. The
models are small enough to be right by looking at them.
"""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
)

from resilience.breaker import BreakerOptions, CircuitBreaker
from resilience.breaker_states import ClosedState, Epoch, HalfOpenState
from resilience.bulkhead import Bulkhead, BulkheadOptions
from resilience.errors import BulkheadFull, CircuitOpen
from resilience.testing import FakeClock

PROBES = 3
FAILURES = 3
BREAK = 10.0


@dataclass
class Admitted:
    """A call that was let through, and in which epoch of the model."""

    epoch: Epoch | None
    model_epoch: int


class BreakerMachine(RuleBasedStateMachine):
    """The breaker, beside a model of a few integers."""

    admitted = Bundle("admitted")

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock(start=0.0)
        options = BreakerOptions(
            window="consecutive",
            consecutive_failures=FAILURES,
            break_seconds=BREAK,
            break_growth=1.0,
            break_jitter=0.0,
            probes=PROBES,
            half_open_seconds=1e9,
            ramp_seconds=0.0,
        )
        self.breaker = CircuitBreaker("users", options, clock=self.clock)
        self.state = "closed"
        self.model_epoch = 0
        self.run = 0
        self.open_until = 0.0
        self.probes_out = 0
        self.probes_good = 0

    def enter(self, state: str) -> None:
        self.state = state
        self.model_epoch += 1
        self.run = self.probes_out = self.probes_good = 0
        if state == "open":
            self.open_until = self.clock.monotonic() + BREAK

    @rule(target=admitted)
    def admit(self) -> Admitted:
        now = self.clock.monotonic()
        if self.state == "open" and now >= self.open_until:
            self.enter("half-open")
        expected = self.state == "closed" or (
            self.state == "half-open" and self.probes_out + self.probes_good < PROBES
        )
        try:
            epoch = self.breaker.admit(now)
        except CircuitOpen:
            assert not expected
            return Admitted(None, -1)
        assert expected
        if self.state == "half-open":
            self.probes_out += 1
        return Admitted(epoch, self.model_epoch)

    @rule(call=consumes(admitted), outcome=st.sampled_from(["good", "bad", "cancelled", "slow"]))
    def settle(self, call: Admitted, outcome: str) -> None:
        if call.epoch is None:
            return
        now = self.clock.monotonic()
        if outcome in ("good", "slow"):
            self.breaker.succeed(call.epoch, 5.0 if outcome == "slow" else 0.0, now)
        elif outcome == "bad":
            self.breaker.fail(call.epoch, ConnectionError(), 0.0, now)
        else:
            self.breaker.fail(call.epoch, asyncio.CancelledError(), 0.0, now)
        if call.model_epoch == self.model_epoch:
            self.model_settle("bad" if outcome == "slow" else outcome)

    def model_settle(self, outcome: str) -> None:
        if self.state == "half-open":
            self.probes_out -= 1
            if outcome == "bad":
                self.enter("open")
            elif outcome == "good":
                self.probes_good += 1
                if self.probes_good == PROBES:
                    self.enter("closed")
        elif outcome == "bad":
            self.run += 1
            if self.run == FAILURES:
                self.enter("open")
        elif outcome == "good":
            self.run = 0

    @rule(seconds=st.sampled_from([0.5, 9.5, 10.0]))
    def wait(self, seconds: float) -> None:
        self.clock.jump(seconds)

    @precondition(lambda self: self.state != "open")
    @rule()
    def open_by_hand(self) -> None:
        self.breaker.open()
        self.enter("open")

    @invariant()
    def the_states_agree(self) -> None:
        assert self.breaker.epoch.name == self.state

    @invariant()
    def permits_agree(self) -> None:
        epoch = self.breaker.epoch
        if isinstance(epoch, HalfOpenState):
            assert epoch.granted == self.probes_out + self.probes_good <= PROBES
        if isinstance(epoch, ClosedState):
            assert epoch.in_flight >= 0
            assert epoch.window.failures == self.run


class BulkheadMachine(RuleBasedStateMachine):
    """The bulkhead: callers come, wait, are cancelled, give up and leave, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock(start=0.0)
        self.limit = 2
        options = BulkheadOptions(self.limit, 2, 1.0)
        self.bulkhead = Bulkhead("users", options, clock=self.clock)
        self.waiting: list[asyncio.Task[None]] = []
        self.running = 0

    def teardown(self) -> None:
        for task in self.waiting:
            task.cancel()
        self.turn(0.0)
        self.loop.close()

    def turn(self, seconds: float) -> None:
        self.loop.run_until_complete(self.clock.advance(seconds))
        for task in [task for task in self.waiting if task.done()]:
            self.waiting.remove(task)
            if not task.cancelled() and task.exception() is None:
                self.running += 1
            elif not task.cancelled():
                assert isinstance(task.exception(), BulkheadFull)

    @rule()
    def arrive(self) -> None:
        self.waiting.append(self.loop.create_task(self.bulkhead.acquire()))
        self.turn(0.0)

    @precondition(lambda self: self.running)
    @rule()
    def leave(self) -> None:
        self.running -= 1
        self.bulkhead.release()
        self.turn(0.0)

    @precondition(lambda self: self.waiting)
    @rule(first=st.booleans())
    def be_cancelled(self, first: bool) -> None:
        self.waiting[0 if first else -1].cancel()
        self.turn(0.0)

    @precondition(lambda self: self.waiting and self.running)
    @rule()
    def be_cancelled_while_handed_a_slot(self) -> None:
        self.running -= 1
        self.bulkhead.release()
        self.waiting[0].cancel()
        self.turn(0.0)

    @precondition(lambda self: self.waiting and self.running)
    @rule(first=st.booleans())
    def a_slot_comes_in_the_moment_of_a_cancellation(self, first: bool) -> None:
        self.waiting[0 if first else -1].cancel()
        self.running -= 1
        self.bulkhead.release()
        self.turn(0.0)

    @rule()
    def lose_patience(self) -> None:
        self.turn(1.0)

    @rule(limit=st.integers(1, 4))
    def reconfigure(self, limit: int) -> None:
        self.limit = limit
        self.bulkhead.reconfigure(BulkheadOptions(limit, 2, 1.0))
        self.turn(0.0)

    @invariant()
    def slots_are_neither_lost_nor_made_up(self) -> None:
        assert self.bulkhead.in_flight == self.running
        assert self.bulkhead.queued == len(self.waiting) <= 2

    @invariant()
    def nobody_waits_while_a_slot_is_free(self) -> None:
        assert not self.waiting or self.running >= self.limit


# Hundreds of runs each: they take their time on a busy machine.
TestBreakerMachine = pytest.mark.timeout(120)(BreakerMachine.TestCase)
TestBulkheadMachine = pytest.mark.timeout(120)(BulkheadMachine.TestCase)
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBulkheadMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
