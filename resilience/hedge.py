"""Hedging: when a read takes longer than most, ask a second time and take the first answer.

After "The Tail at Scale" (Dean and Barroso, 2013). The first try runs inline in the caller's task;
a task is made only for a hedge. A hedge takes a token from the retry budget, so that a slow
dependency is not asked twice as often, and is not sent when it could not come back in time.

For idempotent reads only.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

from resilience.budget import RetryBudget
from resilience.clock import SYSTEM_CLOCK, Clock, Timer
from resilience.context import DEADLINE, Limit
from resilience.errors import Rejected
from resilience.events import SILENT, CallHedged, Emitter
from resilience.interruption import Interruption, running_task
from resilience.latency import RecentLatency
from resilience.options import Rule, require
from resilience.policy import Policy

__all__ = ["Hedge", "HedgeOptions"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HedgeOptions:
    """When to ask a second time."""

    #: Ask again after this quantile of recent latencies: at 0.95, of one call in twenty.
    quantile: float = 0.95
    #: Never before this: a faster second answer would not be noticed.
    minimum_seconds: float = 0.005
    #: After this at the latest, and until there are samples enough.
    maximum_seconds: float = 1.0
    #: Below this many latencies the quantile is a guess.
    minimum_samples: int = 20

    def __post_init__(self) -> None:
        require(
            self,
            Rule(
                0.5 <= self.quantile < 1,
                "quantile",
                "must be at least 0.5 and below 1: less would double the load",
            ),
            Rule(self.minimum_seconds >= 0, "minimum_seconds", "must be 0 or more"),
            Rule(
                self.maximum_seconds >= self.minimum_seconds and self.maximum_seconds > 0,
                "maximum_seconds",
                "must be above 0 and at least minimum_seconds",
            ),
            Rule(1 <= self.minimum_samples <= 128, "minimum_samples", "must be 1 to 128"),
        )


class Hedge(Policy):
    """Sends a second try beside a slow one."""

    def __init__(
        self,
        source: str,
        options: HedgeOptions | None = None,
        *,
        budget: RetryBudget | None = None,
        clock: Clock = SYSTEM_CLOCK,
        events: Emitter = SILENT,
    ) -> None:
        self.source = source
        self.options = options or HedgeOptions()
        self.budget = budget
        self.clock = clock
        self.events = events
        self.latency = RecentLatency()
        #: Hedges that lost and are ending; held so that they are not collected half-way.
        self.ending: set[asyncio.Task[Any]] = set()

    def reconfigure(self, options: HedgeOptions) -> None:
        """Follow other options from the next call on; latencies stay."""
        self.options = options

    def delay(self) -> float:
        """Seconds after which a call is hedged now."""
        options = self.options
        if len(self.latency) < options.minimum_samples:
            return options.maximum_seconds
        usual = self.latency.quantile(options.quantile)
        return min(max(usual, options.minimum_seconds), options.maximum_seconds)

    async def call(
        self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self.budget is not None:
            self.budget.deposit()
        return await self.run(lambda: function(*args, **kwargs), DEADLINE.get())

    async def run(self, attempt: Callable[[], Awaitable[T]], deadline: Limit | None) -> T:
        """Await `attempt()`, hedged by another `attempt()` when it takes long."""
        started = self.clock.monotonic()
        race = _Race(self, attempt, deadline, started)
        try:
            answer = await attempt()
        except BaseException as error:  # noqa: BLE001 - raised again there, or answered
            return await race.first_failed(error)
        race.first_answered()
        self.latency.add(self.clock.monotonic() - started)
        return answer


class _Race(Generic[T]):
    """A first try in the caller's task, and perhaps a hedge in one of its own."""

    __slots__ = ("_after", "_attempt", "_deadline", "_first", "_hedge", "_owner", "_timer")

    def __init__(
        self,
        owner: Hedge,
        attempt: Callable[[], Awaitable[T]],
        deadline: Limit | None,
        started: float,
    ) -> None:
        self._owner = owner
        self._attempt = attempt
        self._deadline = deadline
        self._first = Interruption(running_task())
        self._hedge: asyncio.Task[T] | None = None
        self._after = owner.delay()
        self._timer: Timer = owner.clock.call_at(started + self._after, self._send_hedge)

    def _send_hedge(self) -> None:
        owner = self._owner
        # Half of all answers take longer than the median: with less time left it is not worth it.
        least = owner.latency.quantile(0.5) if len(owner.latency) else 0.0
        if self._deadline is not None and self._deadline.at - owner.clock.monotonic() <= least:
            return
        if owner.budget is not None and not owner.budget.reserve():
            return

        async def hedge() -> T:
            try:
                return await self._attempt()
            except Rejected:
                # Turned away within this process: the hedge was never sent.
                if owner.budget is not None:
                    owner.budget.refund()
                raise

        self._hedge = asyncio.get_running_loop().create_task(hedge())
        self._hedge.add_done_callback(self._hedge_done)

    def _hedge_done(self, hedge: "asyncio.Task[T]") -> None:
        # A hedge that failed does not end the first try: that may still answer.
        if not hedge.cancelled() and hedge.exception() is None:
            self._first.fire()

    def first_answered(self) -> None:
        self._timer.cancel()
        hedge = self._hedge
        if hedge is None:
            return
        self._first.settled(None)
        self._tell("first")
        self._end(hedge)

    async def first_failed(self, error: BaseException) -> T:
        """The first try ended in `error`, by itself or because the hedge answered."""
        self._timer.cancel()
        hedge = self._hedge
        if hedge is None:
            raise error
        if self._first.settled(error):
            self._tell("hedge")
            self._owner.latency.add(self._after)
            return hedge.result()
        if not isinstance(error, Exception):
            self._end(hedge)
            raise error
        # The first try failed by itself, and the hedge is under way: it decides.
        try:
            answer = await hedge
        except Exception:  # noqa: BLE001 - the first try's error tells as much, and came first
            raise error from None
        except BaseException:
            self._end(hedge)
            raise
        self._tell("hedge")
        return answer

    def _end(self, hedge: "asyncio.Task[T]") -> None:
        """Have the loser end by itself; nobody waits for it."""
        if not hedge.done():
            hedge.cancel()
            ending = self._owner.ending
            ending.add(hedge)
            hedge.add_done_callback(ending.discard)

    def _tell(self, won: str) -> None:
        if self._owner.events.listening:
            self._owner.events.emit(CallHedged(self._owner.source, self._after, won))
