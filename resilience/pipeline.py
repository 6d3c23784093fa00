"""The pipeline: every policy around one dependency, in the one order that makes sense.

    stale fallback → single flight → deadline → shedding → rate limit → retry (budget) → hedge
        → breaker → bulkhead → adaptive limit → attempt timeout → the call

Why this order: a copy stands in for whatever went wrong further in; equal calls are joined before
they cost anything; what is too late, too unimportant or too much is turned away once and not once
per attempt; each retry and each hedge asks the breaker anew; the breaker sees attempts and not
calls, and a timeout inside it, so that a hang counts; slots are held by attempts, never by waits.

An open breaker is looked at once more before everything else but copies and single flight: what it
will turn away anyway takes nobody's tokens.

A wrapped function keeps its signature. The success path is one coroutine for the call and one for
the attempt; policies that are admission and settlement are asked in line.
"""

import functools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeAlias, TypeVar

from resilience.adaptive import AdaptiveLimit, AdaptiveOptions
from resilience.breaker import BreakerOptions, CircuitBreaker
from resilience.breaker_states import Epoch
from resilience.budget import BudgetOptions, RetryBudget
from resilience.bulkhead import Bulkhead, BulkheadOptions
from resilience.call_deadline import CallDeadline, DeadlineOptions
from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.context import DEADLINE, PRIORITY, Effect, Limit
from resilience.copies import Codec, CopyKey, SharedCopies
from resilience.errors import Rejected
from resilience.events import SILENT, AttemptFinished, Emitter
from resilience.fallback import CachedFallback, FallbackOptions, Freshness, Served, may_read
from resilience.hedge import Hedge, HedgeOptions
from resilience.options import Rule, require
from resilience.rate_limit import RateLimiter, RateLimitOptions
from resilience.retry import Retry, RetryOptions
from resilience.shedding import PriorityShedding, SheddingOptions
from resilience.single_flight import SingleFlight
from resilience.timeout import AttemptTimeout, TimeoutOptions
from resilience.verdict import Classifier, classify

__all__ = ["Pipeline", "PipelineOptions"]

P = ParamSpec("P")
T = TypeVar("T")

#: How far an attempt got: which parts have admitted it and must be settled.
_BREAKER, _BULKHEAD, _ALL = 1, 2, 3
_Parts: TypeAlias = tuple[
    CircuitBreaker | None, Epoch | None, Bulkhead | None, AdaptiveLimit | None
]


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """Which policies protect a dependency. What is None is off."""

    fallback: FallbackOptions | None = None
    #: Join equal reads that are under way.
    single_flight: bool = False
    deadline: DeadlineOptions | None = None
    shedding: SheddingOptions | None = None
    rate_limit: RateLimitOptions | None = None
    retry: RetryOptions | None = None
    #: The budget of retries and hedges.
    budget: BudgetOptions | None = None
    hedge: HedgeOptions | None = None
    breaker: BreakerOptions | None = None
    bulkhead: BulkheadOptions | None = None
    adaptive: AdaptiveOptions | None = None
    timeout: TimeoutOptions | None = None

    def __post_init__(self) -> None:
        amplifies = self.retry is not None or self.hedge is not None
        limited = self.bulkhead is not None or self.adaptive is not None
        fits = self.timeout is None or self.deadline is None
        require(
            self,
            Rule(
                self.budget is not None or not amplifies,
                "budget",
                "is missing: retries and hedges without one multiply an outage's load",
            ),
            Rule(
                limited or self.shedding is None,
                "shedding",
                "needs a bulkhead or an adaptive limit to know the load by",
            ),
            Rule(
                fits or self.timeout.seconds <= self.deadline.seconds,  # type: ignore[union-attr]
                "timeout",
                "is longer than the deadline, so it would never end an attempt",
            ),
        )


class Pipeline:
    """The policies around one dependency. Make one per dependency, and wrap its calls."""

    def __init__(
        self,
        source: str,
        options: PipelineOptions,
        *,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
        events: Emitter = SILENT,
        classifier: Classifier = classify,
        shared_copies: SharedCopies | None = None,
    ) -> None:
        self.source = source
        self._clock = clock
        self._monotonic = clock.monotonic
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._events = events
        self._classify = classifier
        self._shared_copies = shared_copies
        #: Every part ever made. One that is turned off and on again still knows what it knew.
        self._made: dict[str, Any] = {}
        self.reconfigure(options)

    # -- parts ----------------------------------------------------------------------------------

    def reconfigure(self, options: PipelineOptions) -> None:
        """Follow other options from the next call on, losing no state. Calls under way go on."""
        self.options = options
        part = self._part
        self.budget: RetryBudget | None = part("budget", options.budget)
        self.fallback: CachedFallback | None = part("fallback", options.fallback)
        self.deadline: CallDeadline | None = part("deadline", options.deadline)
        self.bulkhead: Bulkhead | None = part("bulkhead", options.bulkhead)
        self.adaptive: AdaptiveLimit | None = part("adaptive", options.adaptive)
        self.shedding: PriorityShedding | None = part("shedding", options.shedding)
        self.rate_limit: RateLimiter | None = part("rate_limit", options.rate_limit)
        self.breaker: CircuitBreaker | None = part("breaker", options.breaker)
        self.timeout: AttemptTimeout | None = part("timeout", options.timeout)
        self.retry: Retry | None = part("retry", options.retry)
        self.hedge: Hedge | None = part("hedge", options.hedge)
        for spender in (self.retry, self.hedge):
            if spender is not None:
                spender.budget = self.budget
        self.single_flight: SingleFlight | None = None
        if options.single_flight:
            flight = SingleFlight(self.source, clock=self._clock, events=self._events)
            self.single_flight = self._made.setdefault("single_flight", flight)
        self._timer = self.timeout
        if self._timer is None and self.deadline is not None and self.deadline.options.enforce:
            self._timer = self.deadline.timer

    def _part(self, name: str, options: Any) -> Any:
        if options is None:
            return None
        part = self._made.get(name)
        if part is None:
            part = self._made[name] = self._make(name, options)
        elif part.options != options:
            part.reconfigure(options)
        return part

    def _make(self, name: str, options: Any) -> Any:
        source, clock, events = self.source, self._clock, self._events
        told: dict[str, Any] = {"clock": clock, "events": events}
        judging: dict[str, Any] = {**told, "classifier": self._classify}
        makers: dict[str, Callable[[], Any]] = {
            "budget": lambda: RetryBudget(options, clock=clock),
            "fallback": lambda: CachedFallback(
                source, options, shared=self._shared_copies, **judging
            ),
            "deadline": lambda: CallDeadline(source, options, **told),
            "bulkhead": lambda: Bulkhead(source, options, **told),
            "adaptive": lambda: AdaptiveLimit(source, options, rng=self._rng, **judging),
            "shedding": lambda: PriorityShedding(source, self.load, options, events=events),
            "rate_limit": lambda: RateLimiter(source, options, **told),
            "breaker": lambda: CircuitBreaker(source, options, rng=self._rng, **judging),
            "timeout": lambda: AttemptTimeout(source, options, clock=clock),
            "retry": lambda: Retry(source, options, rng=self._rng, **judging),
            "hedge": lambda: Hedge(source, options, **told),
        }
        return makers[name]()

    def load(self) -> float:
        """The share of the room for calls that is taken; what shedding goes by."""
        load = self.adaptive.load if self.adaptive is not None else 0.0
        return max(load, self.bulkhead.load) if self.bulkhead is not None else load

    @property
    def idle(self) -> bool:
        """Whether forgetting this pipeline loses nothing worth keeping."""
        busy = (self.bulkhead is not None and self.bulkhead.in_flight) or (
            self.adaptive is not None and self.adaptive.in_flight
        )
        return not busy and (self.breaker is None or self.breaker.idle)

    async def aclose(self) -> None:
        """End what runs behind calls."""
        fallback = self._made.get("fallback")
        if fallback is not None:
            await fallback.aclose()

    # -- wrapping -------------------------------------------------------------------------------

    def read(
        self, function: Callable[P, Awaitable[T]], *, key: Callable[P, Hashable] | None = None
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """`function`, which only reads: may be retried and hedged, and joined where `key` is given.

        `key` takes the same arguments and names everything that the answer depends on, the
        viewer's rights included. A read never returns a copy: that is what `served` is for.
        """
        guarded = self._guarded(function, Effect.READ)
        return guarded if key is None else self._joined(function, guarded, key, None)

    def _joined(
        self,
        function: Callable[P, Awaitable[T]],
        guarded: Callable[P, Coroutine[Any, Any, T]],
        key: Callable[P, Hashable],
        authorise: Callable[P, Awaitable[bool]] | None,
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """`guarded`, of which equal calls are one: of those whom `authorise` lets join, if given."""

        @functools.wraps(function)
        async def joined(*args: P.args, **kwargs: P.kwargs) -> T:
            flights = self.single_flight
            if flights is None:
                return await guarded(*args, **kwargs)
            name = (function, key(*args, **kwargs))
            if authorise is not None and name in flights:
                # The answer comes to somebody else: who may not have it asks for themselves.
                allowed = lambda: authorise(*args, **kwargs)  # noqa: E731 - of two arguments
                if not await may_read(allowed, self._clock):
                    return await guarded(*args, **kwargs)
            seconds = None if self.deadline is None else self.deadline.options.seconds
            return await flights.call(name, lambda: guarded(*args, **kwargs), seconds=seconds)

        return joined

    def served(
        self,
        function: Callable[P, Awaitable[T]],
        *,
        key: Callable[P, CopyKey],
        codec: Codec[T],
        authorise: Callable[P, Awaitable[bool]],
    ) -> Callable[P, Coroutine[Any, Any, Served[T]]]:
        """`function`, which only reads, with copies: what it returns says if it is live or how old.

        `key` and `authorise` take the same arguments. Neither a copy nor the answer to an equal
        call that is under way is served to whom `authorise` does not allow it now.
        """
        live = self._joined(function, self._guarded(function, Effect.READ), key, authorise)

        @functools.wraps(function)
        async def answered(*args: P.args, **kwargs: P.kwargs) -> Served[T]:
            if self.fallback is None:
                return Served(await live(*args, **kwargs), Freshness.LIVE)
            return await self.fallback.serve(
                key(*args, **kwargs),
                lambda: live(*args, **kwargs),
                codec,
                lambda: authorise(*args, **kwargs),
            )

        return answered

    def mutation(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        """`function`, which changes something: retried only under an idempotency key."""
        return self._guarded(function, Effect.MUTATION)

    @asynccontextmanager
    async def section(self) -> AsyncIterator[None]:
        """A block as one attempt, for work that is no function: a unit of work, a subscription.

        It is admitted and settled like any attempt (deadline, shedding, rate limit, breaker,
        bulkhead, adaptive limit). A block cannot be run again or ended from outside, so there is
        no retry, hedge, copy or timer: what runs inside bounds itself.
        """
        now = self._monotonic()
        breaker = self.breaker
        if breaker is not None and now < breaker.open_until:
            raise breaker.turn_away(now)
        deadline = DEADLINE.get()
        if self.deadline is not None:
            deadline = self.deadline.enter(now, deadline)
        if self.shedding is not None:
            self.shedding.admit(PRIORITY.get())
        if self.rate_limit is not None:
            self.rate_limit.admit(now)
        parts: _Parts = (breaker, None, self.bulkhead, self.adaptive)
        if breaker is not None:
            parts = (breaker, breaker.admit(now), self.bulkhead, self.adaptive)
        held, started = _BREAKER, now
        try:
            if self.bulkhead is not None:
                await self.bulkhead.acquire(deadline)
                started = self._monotonic()
            held = _BULKHEAD
            if self.adaptive is not None:
                self.adaptive.acquire()
            held = _ALL
            yield
        except BaseException as error:
            self._failed(error, started, held, parts)
            raise
        self._succeeded(started, parts)

    # -- calls ----------------------------------------------------------------------------------

    def _guarded(  # noqa: C901 - flat: a call more per policy would double what they cost
        self, function: Callable[P, Awaitable[T]], effect: Effect
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(function)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            now = self._monotonic()
            breaker = self.breaker
            if breaker is not None and now < breaker.open_until:
                raise breaker.turn_away(now)
            deadline = DEADLINE.get()
            if self.deadline is not None:
                deadline = self.deadline.enter(now, deadline)
            if self.shedding is not None:
                self.shedding.admit(PRIORITY.get())
            if self.rate_limit is not None:
                self.rate_limit.admit(now)
            if self.hedge is not None and effect is Effect.READ:
                attempt = self._hedged(self.hedge, function, args, kwargs, deadline)
            else:
                epoch = breaker.admit(now) if breaker is not None else None
                attempt = self._attempt(function, args, kwargs, deadline, now, epoch)
            try:
                result = await attempt
            except Exception as error:
                if not self._may_retry(error, effect):
                    raise
                first = error
            else:
                if self.budget is not None:
                    self.budget.deposit()
                return result
            try:
                return await self._retried(first, effect, function, args, kwargs, deadline)
            finally:
                # The error's traceback holds this frame: do not hold the error from here as well.
                del first

        return guarded

    def _may_retry(self, error: Exception, effect: Effect) -> bool:
        if isinstance(error, Rejected):
            # It cost the dependency nothing: it pays nothing in, and is not tried again.
            return False
        if self.budget is not None:
            self.budget.deposit()
        return self.retry is not None and self.retry.may_help(error, effect)

    async def _retried(
        self,
        first: Exception,
        effect: Effect,
        function: Callable[..., Awaitable[T]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        deadline: Limit | None,
    ) -> T:
        def attempt() -> Awaitable[T]:
            if self.hedge is not None and effect is Effect.READ:
                return self._hedged(self.hedge, function, args, kwargs, deadline)
            return self._admitted(function, args, kwargs, deadline)

        retry = self.retry
        if retry is None:
            raise first
        return await retry.again(first, attempt, deadline)

    def _hedged(
        self,
        hedge: Hedge,
        function: Callable[..., Awaitable[T]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        deadline: Limit | None,
    ) -> Coroutine[Any, Any, T]:
        return hedge.run(lambda: self._admitted(function, args, kwargs, deadline), deadline)

    def _admitted(
        self,
        function: Callable[..., Awaitable[T]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        deadline: Limit | None,
    ) -> Coroutine[Any, Any, T]:
        """An attempt that the breaker lets through. It must be awaited: it holds a permit."""
        now = self._monotonic()
        epoch = self.breaker.admit(now) if self.breaker is not None else None
        return self._attempt(function, args, kwargs, deadline, now, epoch)

    async def _attempt(  # noqa: C901 - flat: a coroutine more would cost more than all of it
        self,
        function: Callable[..., Awaitable[T]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        deadline: Limit | None,
        started: float,
        epoch: Epoch | None,
    ) -> T:
        """An attempt that the breaker let through, and all of it settled."""
        breaker, bulkhead, adaptive, timer = self.breaker, self.bulkhead, self.adaptive, self._timer
        held = _BREAKER
        attempt = token = None
        try:
            if bulkhead is not None:
                if not bulkhead.try_acquire():
                    await bulkhead.acquire(deadline)
                    started = self._monotonic()
                held = _BULKHEAD
            if adaptive is not None:
                adaptive.acquire()
            held = _ALL
            if timer is not None:
                attempt = timer.start(started, deadline)
                token = DEADLINE.set(attempt)
            elif deadline is not None and deadline is not DEADLINE.get():
                token = DEADLINE.set(deadline)
            result = await function(*args, **kwargs)
        except BaseException as error:
            if token is not None:
                DEADLINE.reset(token)
            outcome = (timer.end(attempt, error) if timer and attempt else None) or error
            self._failed(outcome, started, held, (breaker, epoch, bulkhead, adaptive))
            if outcome is error:
                raise
            raise outcome from error
        if token is not None:
            DEADLINE.reset(token)
            if timer is not None and attempt is not None:
                timer.end(attempt, None)
        now = self._monotonic()
        seconds = now - started
        if adaptive is not None:
            adaptive.succeed(seconds, now)
        if bulkhead is not None:
            bulkhead.release()
        if breaker is not None:
            breaker.succeed(epoch, seconds, now)
        if self._events.listening:
            self._events.emit(AttemptFinished(self.source, seconds, None))
        return result

    def _succeeded(self, started: float, parts: _Parts) -> None:
        """Settle an attempt that ended well. (`_attempt` does the same in line: it is hot.)"""
        breaker, epoch, bulkhead, adaptive = parts
        now = self._monotonic()
        seconds = now - started
        if adaptive is not None:
            adaptive.succeed(seconds, now)
        if bulkhead is not None:
            bulkhead.release()
        if breaker is not None:
            breaker.succeed(epoch, seconds, now)
        if self._events.listening:
            self._events.emit(AttemptFinished(self.source, seconds, None))

    def _failed(self, error: BaseException, started: float, held: int, parts: _Parts) -> None:
        """Settle an attempt that ended in `error`, with the parts that had admitted it by then."""
        breaker, epoch, bulkhead, adaptive = parts
        now = self._monotonic()
        # What ended in a queue has not asked the dependency: no time passed for the breaker.
        seconds = now - started if held >= _ALL else 0.0
        if adaptive is not None and held >= _ALL:
            adaptive.fail(error, seconds, now)
        if bulkhead is not None and held >= _BULKHEAD:
            bulkhead.release()
        if breaker is not None:
            breaker.fail(epoch, error, seconds, now)
        if held >= _ALL and self._events.listening:
            self._events.emit(AttemptFinished(self.source, seconds, error))
