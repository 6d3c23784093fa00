"""The bounded registry: invented keys cost nothing, and busy parts are not forgotten for them."""

import pytest

from resilience.breaker import BreakerOptions, CircuitBreaker
from resilience.registry import SCAN, Registry
from resilience.testing import FakeClock


def test_a_part_is_made_once_and_kept() -> None:
    """The same key yields the same part."""
    made: list[str] = []
    registry: Registry[str, list[str]] = Registry(lambda key: made.append(key) or [key], maximum=3)  # type: ignore[func-returns-value]
    assert registry.get("a") is registry.get("a")
    assert made == ["a"]
    assert registry.peek("b") is None
    registry.discard("a")
    registry.discard("a")
    assert len(registry) == 0


def test_the_least_recently_used_goes_first() -> None:
    """A part that was asked for lately stays."""
    registry: Registry[str, list[str]] = Registry(lambda key: [key], maximum=2)
    registry.get("a")
    registry.get("b")
    registry.get("a")
    registry.get("c")
    assert [key for key, _ in registry.items()] == ["a", "c"]


def test_invented_keys_do_not_evict_an_open_breaker(clock: FakeClock) -> None:
    """Ten thousand idle keys pass by; the breaker that is open is still there, and open."""
    registry: Registry[str, CircuitBreaker] = Registry(
        lambda key: CircuitBreaker(key, BreakerOptions(), clock=clock),
        maximum=50,
        idle=lambda breaker: breaker.idle,
    )
    registry.get("victim").open()
    for number in range(2_000):
        registry.get(f"invented-{number}")
    assert len(registry) == 50
    victim = registry.peek("victim")
    assert victim is not None
    assert victim.epoch.name == "open"
    assert registry.evicted_busy == 0


def test_when_all_are_busy_the_oldest_goes_and_it_is_counted() -> None:
    """The bound holds whatever happens; that it was too small can be seen."""
    registry: Registry[int, list[int]] = Registry(
        lambda key: [key], maximum=SCAN * 2, idle=lambda _: False
    )
    for number in range(SCAN * 2 + 5):
        registry.get(number)
    assert len(list(registry)) == SCAN * 2
    assert registry.evicted_busy == 5
    assert registry.peek(0) is None


def test_a_registry_without_room_is_refused() -> None:
    """At least one part must fit."""
    with pytest.raises(ValueError, match="room"):
        Registry(lambda key: key, maximum=0)
