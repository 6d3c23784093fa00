"""Replicas take turns, and a sick one is passed over until it is well."""

import pytest

from chassis import codes
from chassis.replicas import PASSED_OVER, Replicas
from resilience.testing import FakeClock

SICK = codes.UNAVAILABLE.error()


def use(replicas: Replicas, sick: set[str]) -> list[str]:
    """One call: the URLs that were tried, up to the first that is not sick."""
    tried = []
    for attempt in replicas.in_turn():
        tried.append(attempt.url)
        replicas.settle(attempt, SICK if attempt.url in sick else None)
        if attempt.url not in sick:
            break
    return tried


def test_healthy_replicas_take_turns() -> None:
    """Each is asked as often as the others."""
    replicas = Replicas("users", ("a", "b", "c"))

    first = [use(replicas, set())[0] for _ in range(9)]

    assert {url: first.count(url) for url in "abc"} == {"a": 3, "b": 3, "c": 3}


async def test_a_sick_replica_is_passed_over_and_tried_again_later() -> None:
    """After three failures in a row it gets nothing for a while, then one call shows that it is well."""
    clock = FakeClock()
    replicas = Replicas("users", ("a", "b"), clock=clock)

    tried = [url for _ in range(20) for url in use(replicas, {"a"})]
    assert tried.count("a") == 3

    await clock.advance(PASSED_OVER.break_seconds * (1 + PASSED_OVER.break_jitter))
    tried = [url for _ in range(10) for url in use(replicas, set())]
    assert tried.count("a") == 5


def test_all_sick_means_that_none_is_passed_over() -> None:
    """With nobody in good health every replica is tried, as if nothing were known."""
    replicas = Replicas("users", ("a", "b"))
    for _ in range(6):
        use(replicas, {"a", "b"})

    assert sorted(use(replicas, {"a", "b"})) == ["a", "b"]


def test_a_refusal_is_a_sign_of_health() -> None:
    """A replica that answers no is not sick."""
    replicas = Replicas("users", ("a", "b"))
    for _ in range(10):
        attempt = next(replicas.in_turn())
        replicas.settle(attempt, codes.INSUFFICIENT_FUNDS.error())

    assert {next(replicas.in_turn()).url for _ in range(2)} == {"a", "b"}


def test_a_single_replica_is_never_passed_over() -> None:
    """Where there is no other, the service's own breaker decides."""
    replicas = Replicas("users", ("a",))
    for _ in range(10):
        assert use(replicas, {"a"}) == ["a"]


def test_no_replica_at_all_is_a_mistake() -> None:
    """A client without an address is refused when it is made."""
    with pytest.raises(ValueError, match="no URL for the users service"):
        Replicas("users", ())
