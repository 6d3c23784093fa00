"""The rate limiter: a token bucket in one number, against a bucket that counts tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.errors import RateLimited
from resilience.events import CallRejected
from resilience.options import InvalidOptionsError
from resilience.rate_limit import RateLimiter, RateLimitOptions
from resilience.testing import FakeClock, ScriptedCall

from .conftest import Recorder


def taken(limiter: RateLimiter, key: str) -> bool:
    try:
        limiter.acquire(key)
    except RateLimited:
        return False
    return True


@given(
    per_second=st.integers(1, 20),
    burst=st.integers(1, 10),
    gaps=st.lists(st.integers(0, 2_000), max_size=80),
)
def test_it_lets_through_exactly_what_a_token_bucket_would(
    per_second: int, burst: int, gaps: list[int]
) -> None:
    """Over any arrivals (in ms) it agrees with a bucket that counts in exact integers."""
    clock = FakeClock(start=0.0)
    limiter = RateLimiter("login", RateLimitOptions(per_second, burst), clock=clock)
    # A token is 1,000 parts; `per_second` parts come each millisecond.
    parts = burst * 1_000
    now = 0
    for gap in gaps:
        now += gap
        clock._now = now / 1_000
        parts = min(burst * 1_000, parts + gap * per_second)
        expected = parts >= 1_000
        if expected:
            parts -= 1_000
        assert taken(limiter, "a") == expected


def test_the_wait_that_it_tells_is_exactly_long_enough() -> None:
    """After `retry_after` the call passes, and not a millisecond before."""
    clock = FakeClock(start=0.0)
    limiter = RateLimiter("login", RateLimitOptions(per_second=4, burst=2), clock=clock)
    limiter.acquire("a")
    limiter.acquire("a")
    clock.jump(0.05)
    with pytest.raises(RateLimited) as caught:
        limiter.acquire("a")
    wait = caught.value.retry_after
    assert wait == pytest.approx(0.2)
    assert wait is not None
    clock.jump(wait - 0.001)
    assert not taken(limiter, "a")
    clock.jump(0.001)
    assert taken(limiter, "a")


def test_keys_do_not_share_tokens() -> None:
    """One caller's flood takes nothing from another."""
    limiter = RateLimiter("login", RateLimitOptions(1, 1), clock=FakeClock())
    assert taken(limiter, "a")
    assert not taken(limiter, "a")
    assert taken(limiter, "b")


def test_invented_keys_do_not_fill_the_memory() -> None:
    """However many keys come, no more than the maximum are remembered, the newest of them."""
    limiter = RateLimiter("login", RateLimitOptions(1, 1, max_keys=100), clock=FakeClock())
    for number in range(10_000):
        limiter.acquire(number)
    assert len(limiter) == 100
    assert not taken(limiter, 9_999)  # type: ignore[arg-type]


def test_a_flooding_key_is_not_forgotten_for_it() -> None:
    """A key that goes on trying counts as used, so that it is not the one that is forgotten."""
    limiter = RateLimiter("login", RateLimitOptions(1, 1, max_keys=10), clock=FakeClock())
    limiter.acquire("flood")
    for number in range(100):
        limiter.acquire(number)
        assert not taken(limiter, "flood")


async def test_stand_alone_one_bucket_serves_all_calls(recorder: Recorder) -> None:
    """`call` takes from one bucket, tells rejections, and calls nothing without a token."""
    limiter = RateLimiter(
        "search", RateLimitOptions(1, 2), clock=FakeClock(start=0.0), events=recorder
    )
    call = ScriptedCall[str](["rows"])
    assert [await limiter.call(call), await limiter.call(call)] == ["rows", "rows"]
    with pytest.raises(RateLimited):
        await limiter.call(call)
    assert call.calls == 2
    (told,) = recorder.of(CallRejected)
    assert isinstance(told, CallRejected)
    assert told.policy == "rate_limit"
    assert told.retry_after == pytest.approx(1.0)


def test_new_options_keep_debts() -> None:
    """Who has used up the tokens does not get new ones by a reload."""
    limiter = RateLimiter("login", RateLimitOptions(1, 1), clock=FakeClock())
    limiter.acquire("a")
    limiter.reconfigure(RateLimitOptions(0.5, 1))
    assert not taken(limiter, "a")


@pytest.mark.parametrize("wrong", [{"per_second": 0}, {"burst": 0}, {"max_keys": 0}])
def test_a_limit_that_lets_nothing_pass_is_refused(wrong: dict[str, int]) -> None:
    """Rates, bursts and bounds are above zero."""
    with pytest.raises(InvalidOptionsError):
        RateLimitOptions(**wrong)


def test_the_bucket_of_all_calls_fills_with_time_and_no_further(clock: FakeClock) -> None:
    """Ten a second: each tenth of a second is one more call, and a pause is worth one burst."""
    limiter = RateLimiter("users", RateLimitOptions(per_second=10, burst=2), clock=clock)

    def admitted(calls: int) -> int:
        passed = 0
        for _ in range(calls):
            try:
                limiter.admit(clock.monotonic())
                passed += 1
            except RateLimited as rejection:
                assert rejection.source == "users"
                assert rejection.retry_after == pytest.approx(0.1)
        return passed

    assert admitted(5) == 2
    clock.jump(0.1)
    assert admitted(5) == 1
    clock.jump(3_600.0)
    assert admitted(5) == 2


def test_fewer_keys_are_remembered_after_a_reload_the_newest_of_them(clock: FakeClock) -> None:
    """The bound holds from the reload on, and nobody goes who fits."""
    limiter = RateLimiter("users", RateLimitOptions(1, 1), clock=clock)
    for key in "abc":
        limiter.acquire(key)
    limiter.reconfigure(RateLimitOptions(1, 1, max_keys=3))
    assert len(limiter) == 3
    limiter.reconfigure(RateLimitOptions(1, 1, max_keys=2))
    assert len(limiter) == 2
    limiter.acquire("a")
    with pytest.raises(RateLimited):
        limiter.acquire("c")
