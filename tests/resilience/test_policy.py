"""What every policy has in common: it hands the call on as it is, and wraps without a trace."""

import inspect

import pytest

from resilience.adaptive import AdaptiveLimit
from resilience.breaker import CircuitBreaker
from resilience.bulkhead import Bulkhead
from resilience.call_deadline import CallDeadline, DeadlineOptions
from resilience.errors import RateLimited
from resilience.events import CallRejected
from resilience.hedge import Hedge
from resilience.policy import Policy, tell_rejection
from resilience.rate_limit import RateLimiter
from resilience.retry import Retry, RetryOptions
from resilience.shedding import PriorityShedding
from resilience.timeout import AttemptTimeout

from .conftest import Recorder

POLICIES: list[Policy] = [
    AdaptiveLimit("users"),
    AttemptTimeout("users"),
    Bulkhead("users"),
    CallDeadline("users"),
    CallDeadline("users", DeadlineOptions(enforce=False)),
    Hedge("users"),
    PriorityShedding("users", lambda: 0.0),
    RateLimiter("users"),
    Retry("users"),
]


async def lookup(user: int, *, fresh: bool = False) -> str:
    """Look a user up."""
    return f"{user} {fresh}"


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
async def test_a_policy_hands_the_arguments_on(policy: Policy) -> None:
    """By position and by name, called through and wrapped; and the wrapped one keeps its face."""
    assert await policy.call(lookup, 7, fresh=True) == "7 True"
    wrapped = policy.wrap(lookup)
    assert await wrapped(7, fresh=True) == "7 True"
    assert inspect.signature(wrapped) == inspect.signature(lookup)
    assert (wrapped.__name__, wrapped.__doc__) == ("lookup", "Look a user up.")


async def test_a_retry_and_a_breaker_hand_the_arguments_on_too() -> None:
    """A second attempt is made with what the first one was."""
    assert await CircuitBreaker("users").call_async(lookup, 7, fresh=True) == "7 True"
    tries = []

    async def flaky(user: int, *, fresh: bool = False) -> str:
        tries.append((user, fresh))
        if len(tries) == 1:
            raise ConnectionError("down")
        return await lookup(user, fresh=fresh)

    retry = Retry("users", RetryOptions(wait_seconds=0.0))
    assert await retry.call(flaky, 7, fresh=True) == "7 True"
    assert tries == [(7, True)] * 2


def test_a_rejection_is_told_as_what_it_is(recorder: Recorder) -> None:
    """Whose it is, which policy's, which kind and for how long; and it is handed on to be raised."""
    rejection = RateLimited("users", 1.5)
    assert tell_rejection(recorder, rejection) is rejection
    assert recorder.events == [CallRejected("users", "rate_limit", "RateLimited", 1.5)]
