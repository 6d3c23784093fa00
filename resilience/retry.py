"""Retry, on tenacity, try-first: the first attempt runs inline and costs nothing.

Only when an attempt failed in a way that another may mend is a tenacity `AsyncRetrying` made, for
this call alone (a shared one loses failures between tasks), whose first "attempt" raises what was
caught. Before each retry, in this order: are attempts left, is time left, does the dependency not
ask for more patience than we have, and does the budget allow it. The token is taken before the
wait. Cancellation is never retried.
"""

import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, ParamSpec, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from resilience.budget import RetryBudget
from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.context import DEADLINE, IDEMPOTENCY_KEY, Effect, Limit
from resilience.errors import Rejected
from resilience.events import SILENT, CallRetried, Emitter, RetryGivenUp
from resilience.options import Rule, require
from resilience.policy import Policy
from resilience.verdict import Classifier, careful, classify

__all__ = ["Retry", "RetryOptions"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """How often to try again, and how long to wait before."""

    #: Attempts in all. Three: of failures by chance, the third try mends nearly all.
    attempts: int = 3
    #: The first wait is at most this long; about a round trip with some queueing.
    wait_seconds: float = 0.05
    #: Waits grow twofold up to this. Longer waits outlive the deadlines of interactive calls.
    wait_max_seconds: float = 1.0
    #: full: uniform between zero and the grown wait, which spreads callers the most;
    #: decorrelated: between the first wait and three times the last one, never near zero.
    jitter: Literal["full", "decorrelated"] = "full"
    #: A dependency that asks for more patience than this (Retry-After) is not waited for.
    retry_after_max_seconds: float = 5.0
    #: No retry begins with less time than this left before the deadline: it could not finish.
    attempt_seconds: float = 0.01

    def __post_init__(self) -> None:
        require(
            self,
            Rule(1 <= self.attempts <= 10, "attempts", "must be 1 to 10: more is a retry storm"),
            Rule(self.wait_seconds >= 0, "wait_seconds", "must be 0 or more"),
            Rule(
                self.wait_max_seconds >= self.wait_seconds,
                "wait_max_seconds",
                "must be at least wait_seconds",
            ),
            Rule(self.jitter in ("full", "decorrelated"), "jitter", "is unknown"),
            Rule(self.retry_after_max_seconds >= 0, "retry_after_max_seconds", "must be 0 or more"),
            Rule(self.attempt_seconds >= 0, "attempt_seconds", "must be 0 or more"),
        )


class Retry(Policy):
    """Tries again what may succeed the next time."""

    def __init__(
        self,
        source: str,
        options: RetryOptions | None = None,
        *,
        effect: Effect = Effect.READ,
        budget: RetryBudget | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
        events: Emitter = SILENT,
        classifier: Classifier = classify,
    ) -> None:
        self.source = source
        self.options = options or RetryOptions()
        #: What `call` and `wrap` take their functions to be; the pipeline says it for each call.
        self.effect = effect
        self.budget = budget
        self.clock = clock
        self.events = events
        self.classify = careful(classifier)
        self.random = (rng or random.Random()).random  # noqa: S311 - jitter, not a secret

    def reconfigure(self, options: RetryOptions) -> None:
        """Follow other options from the next call on."""
        self.options = options

    async def call(
        self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self.budget is not None:
            self.budget.deposit()
        try:
            return await function(*args, **kwargs)
        except Exception as error:
            if not self.may_help(error, self.effect):
                raise
            first = error
        return await self.again(first, lambda: function(*args, **kwargs), DEADLINE.get())

    def may_help(self, error: Exception, effect: Effect) -> bool:
        """Whether `error` may go away, and the call may be repeated at all."""
        if not self.classify(error).retryable:
            return False
        if effect is Effect.READ or IDEMPOTENCY_KEY.get() is not None:
            return True
        if self.events.listening:
            self.events.emit(RetryGivenUp(self.source, 1, "no-key", error))
        return False

    async def again(
        self,
        first: Exception,
        attempt: Callable[[], Awaitable[T]],
        deadline: Limit | None,
    ) -> T:
        """Go on after the first attempt ended in `first`; raises the last attempt's error."""
        course = _Course(self, deadline)
        pending: list[Exception] = [first]

        async def next_attempt() -> T:
            if pending:
                raise pending.pop()
            try:
                return await attempt()
            except Rejected:
                # Turned away within this process: the retry was never made.
                course.refund()
                raise

        retrying = AsyncRetrying(
            sleep=course.sleep,
            stop=course.stop,
            wait=course.wait,
            retry=retry_if_exception(course.may_help),
            reraise=True,
        )
        result: T = await retrying(next_attempt)
        return result


class _Course:
    """What one call's retries have to agree on: waits, attempts, time and tokens."""

    __slots__ = ("_asked", "_deadline", "_last_wait", "_retry")

    #: Seconds that the dependency asked us to wait after the last attempt; set by `wait`.
    _asked: float | None

    def __init__(self, retry: Retry, deadline: Limit | None) -> None:
        self._retry = retry
        self._deadline = deadline
        self._last_wait = retry.options.wait_seconds

    def may_help(self, error: BaseException) -> bool:
        return isinstance(error, Exception) and self._retry.classify(error).retryable

    def wait(self, state: RetryCallState) -> float:
        """The jittered wait, or what the dependency asked for when that is longer."""
        options = self._retry.options
        if options.jitter == "full":
            highest = options.wait_seconds * 2.0 ** (state.attempt_number - 1)
            wait = self._retry.random() * min(highest, options.wait_max_seconds)
        else:
            spread = max(0.0, 3 * self._last_wait - options.wait_seconds)
            wait = options.wait_seconds + self._retry.random() * spread
            self._last_wait = wait = min(wait, options.wait_max_seconds)
        self._asked = self._retry.classify(_failure(state)).retry_after
        if self._asked is None or not math.isfinite(self._asked):
            # Who asks for for ever is not waited for (`stop`), and what is no number says nothing.
            return wait
        # Up to the next millisecond, never down: event loops round to milliseconds, and a retry
        # that comes too early is refused. (Rounded first: 1.1 s are not 1,101 ms.)
        return max(wait, math.ceil(round(self._asked * 1000, 6)) / 1000)

    def stop(self, state: RetryCallState) -> bool:
        """Whether this was the last attempt. tenacity has computed the wait already."""
        reason = self._reason_to_stop(state)
        if reason is None:
            return False
        events = self._retry.events
        if events.listening:
            attempt = state.attempt_number
            events.emit(RetryGivenUp(self._retry.source, attempt, reason, _failure(state)))
        return True

    def _reason_to_stop(self, state: RetryCallState) -> str | None:
        options = self._retry.options
        if state.attempt_number >= options.attempts:
            return "attempts"
        wait = state.upcoming_sleep
        if self._deadline is not None:
            least = wait + options.attempt_seconds
            if self._retry.clock.monotonic() + least >= self._deadline.at:
                return "deadline"
        if self._asked is not None and self._asked > options.retry_after_max_seconds:
            return "retry-after"
        budget = self._retry.budget
        # Last, because it takes a token.
        if budget is not None and not budget.reserve():
            return "budget"
        events = self._retry.events
        if events.listening:
            events.emit(
                CallRetried(self._retry.source, state.attempt_number, wait, _failure(state))
            )
        return None

    async def sleep(self, seconds: float) -> None:
        try:
            await self._retry.clock.sleep(seconds)
        except BaseException:
            self.refund()
            raise

    def refund(self) -> None:
        """Give back the token of a retry that was not made after all."""
        if self._retry.budget is not None:
            self._retry.budget.refund()


def _failure(state: RetryCallState) -> Exception:
    # tenacity asks for waits and stops only after a failure that `may_help`.
    assert state.outcome is not None  # noqa: S101
    error = state.outcome.exception()
    assert isinstance(error, Exception)  # noqa: S101
    return error
