"""How options validate themselves: each rule at its edge, and what it tells."""

import math
from dataclasses import dataclass, field, fields
from typing import Any

import pytest

from resilience.adaptive import AdaptiveOptions
from resilience.breaker import BreakerOptions
from resilience.budget import BudgetOptions
from resilience.bulkhead import BulkheadOptions
from resilience.call_deadline import DeadlineOptions
from resilience.fallback import FallbackOptions
from resilience.hedge import HedgeOptions
from resilience.hints import HintOptions
from resilience.options import InvalidOptionsError, Rule, require
from resilience.rate_limit import RateLimitOptions
from resilience.redis_rate_limit import SharedRateLimitOptions
from resilience.retry import RetryOptions
from resilience.shedding import SheddingOptions
from resilience.timeout import TimeoutOptions

#: The least above zero that matters.
A_BIT = 1e-9


@dataclass(frozen=True)
class Edge:
    """One rule: values just beyond it, and just within, beside other options where it needs some."""

    options: type
    option: str
    message: str
    refused: tuple[object, ...]
    accepted: tuple[object, ...]
    beside: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.options.__name__}.{self.option} {self.message}"


def above_zero(options: type, *names: str) -> list[Edge]:
    return [Edge(options, name, "must be above 0", (0.0, -1.0), (A_BIT,)) for name in names]


def zero_or_more(options: type, *names: str) -> list[Edge]:
    return [Edge(options, name, "must be 0 or more", (-A_BIT,), (0.0,)) for name in names]


def at_least_one(options: type, *names: str) -> list[Edge]:
    return [Edge(options, name, "must be at least 1", (0,), (1,)) for name in names]


def share(options: type, *names: str) -> list[Edge]:
    message = "must be above 0 and at most 1"
    return [Edge(options, name, message, (0.0, 1.001), (A_BIT, 1.0)) for name in names]


EDGES = [
    *at_least_one(AdaptiveOptions, "window_samples"),
    *above_zero(AdaptiveOptions, "window_seconds", "probe_seconds"),
    *share(AdaptiveOptions, "smoothing"),
    Edge(AdaptiveOptions, "minimum", "must be at least 1, or nothing is ever measured", (0,), (1,)),
    Edge(
        AdaptiveOptions,
        "maximum",
        "must be at least minimum",
        (4,),
        (5,),
        {"minimum": 5, "initial": 5},
    ),
    Edge(
        AdaptiveOptions,
        "initial",
        "must lie between minimum and maximum",
        (4, 11),
        (5, 10),
        {"minimum": 5, "maximum": 10},
    ),
    Edge(
        AdaptiveOptions,
        "window_samples_max",
        "must be at least window_samples",
        (4,),
        (5,),
        {"window_samples": 5},
    ),
    Edge(AdaptiveOptions, "tolerance", "must be at least 1", (0.999,), (1.0,)),
    Edge(AdaptiveOptions, "backoff", "must be between 0 and 1", (0.0, 1.0), (A_BIT, 0.999)),
    Edge(AdaptiveOptions, "baseline_windows", "must be 1 to 10,000", (0, 10_001), (1, 10_000)),
    *above_zero(
        BreakerOptions, "window_seconds", "slow_seconds", "break_seconds", "half_open_seconds"
    ),
    *at_least_one(BreakerOptions, "minimum_calls", "consecutive_failures"),
    *zero_or_more(BreakerOptions, "ramp_seconds"),
    *share(BreakerOptions, "failure_rate", "slow_rate", "ramp_start"),
    Edge(BreakerOptions, "window", "is unknown", ("", "Count"), ("count", "time", "consecutive")),
    Edge(
        BreakerOptions,
        "window_size",
        "must be 1 to 100,000 calls",
        (0, 100_001),
        (1, 100_000),
        {"minimum_calls": 1},
    ),
    Edge(BreakerOptions, "window_buckets", "must be 1 to 1,000", (0, 1_001), (1, 1_000)),
    Edge(
        BreakerOptions,
        "minimum_calls",
        "is more than window_size holds, so the breaker could never open",
        (11,),
        (10,),
        {"window_size": 10},
    ),
    Edge(BreakerOptions, "break_growth", "must be at least 1", (0.999,), (1.0,)),
    Edge(
        BreakerOptions,
        "break_max_seconds",
        "must be at least break_seconds",
        (9.999,),
        (10.0,),
        {"break_seconds": 10.0},
    ),
    Edge(BreakerOptions, "break_jitter", "must be 0 to 1", (-A_BIT, 1.001), (0.0, 1.0)),
    Edge(BreakerOptions, "probes", "must be at least 1, or it never closes again", (0,), (1,)),
    Edge(
        BreakerOptions,
        "mode",
        "is unknown",
        ("", "off"),
        ("normal", "forced-open", "disabled", "metrics-only"),
    ),
    *zero_or_more(BudgetOptions, "minimum_per_second"),
    Edge(
        BudgetOptions,
        "ratio",
        "must be 0 to 1: more would double the load",
        (-A_BIT, 1.001),
        (0.0, 1.0),
    ),
    Edge(
        BudgetOptions,
        "burst",
        "must be at least 1, or no token ever becomes whole",
        (0.999,),
        (1.0,),
    ),
    *at_least_one(BulkheadOptions, "max_concurrent"),
    *zero_or_more(BulkheadOptions, "queue_seconds"),
    Edge(BulkheadOptions, "max_queue", "must be 0 to 100,000", (-1, 100_001), (0, 100_000)),
    Edge(
        DeadlineOptions,
        "seconds",
        "must be above 0 and at most an hour",
        (0.0, 3_600.5),
        (A_BIT, 3_600.0),
        {"minimum_seconds": 0.0},
    ),
    Edge(
        DeadlineOptions,
        "minimum_seconds",
        "must be 0 or more and below seconds, or no call could begin",
        (-A_BIT, 1.0),
        (0.0, 0.999),
        {"seconds": 1.0},
    ),
    *zero_or_more(
        FallbackOptions,
        "fresh_seconds",
        "revalidate_seconds",
        "reserve_seconds",
        "shared_rewrite_seconds",
    ),
    *above_zero(
        FallbackOptions, "shared_timeout_seconds", "shared_bypass_seconds", "revalidation_seconds"
    ),
    *at_least_one(FallbackOptions, "copy_bytes", "shared_backlog", "revalidations"),
    Edge(
        FallbackOptions,
        "stale_seconds",
        "must be above 0 and at least fresh_seconds + revalidate_seconds",
        (2.999, 0.0),
        (3.0,),
        {"fresh_seconds": 1.0, "revalidate_seconds": 2.0},
    ),
    Edge(
        FallbackOptions,
        "stale_seconds",
        "must be above 0 and at least fresh_seconds + revalidate_seconds",
        (0.0,),
        (A_BIT,),
    ),
    Edge(
        FallbackOptions,
        "local_bytes",
        "must hold one copy at least",
        (99,),
        (100,),
        {"copy_bytes": 100},
    ),
    *zero_or_more(HedgeOptions, "minimum_seconds"),
    Edge(
        HedgeOptions,
        "quantile",
        "must be at least 0.5 and below 1: less would double the load",
        (0.499, 1.0),
        (0.5, 0.999),
    ),
    Edge(
        HedgeOptions,
        "maximum_seconds",
        "must be above 0 and at least minimum_seconds",
        (0.499,),
        (0.5,),
        {"minimum_seconds": 0.5},
    ),
    Edge(
        HedgeOptions,
        "maximum_seconds",
        "must be above 0 and at least minimum_seconds",
        (0.0,),
        (A_BIT,),
        {"minimum_seconds": 0.0},
    ),
    Edge(HedgeOptions, "minimum_samples", "must be 1 to 128", (0, 129), (1, 128)),
    *share(HintOptions, "factor", "quorum"),
    *above_zero(HintOptions, "heartbeat_seconds"),
    Edge(
        HintOptions,
        "minimum_replicas",
        "must be at least 2, or one bad replica sways all",
        (1,),
        (2,),
    ),
    Edge(
        HintOptions,
        "forget_seconds",
        "must be above heartbeat_seconds",
        (5.0,),
        (5.001,),
        {"heartbeat_seconds": 5.0},
    ),
    *above_zero(RateLimitOptions, "per_second"),
    Edge(RateLimitOptions, "burst", "must be at least 1, or nothing ever passes", (0,), (1,)),
    Edge(RateLimitOptions, "max_keys", "must be 1 to 10,000,000", (0, 10_000_001), (1, 10_000_000)),
    *above_zero(SharedRateLimitOptions, "timeout_seconds"),
    Edge(
        SharedRateLimitOptions,
        "prefix",
        "must not be empty: keys share one namespace",
        ("",),
        ("x",),
    ),
    Edge(
        SharedRateLimitOptions,
        "bypass_seconds",
        "must be above 0, at most 60",
        (0.0, 60.5),
        (A_BIT, 60.0),
    ),
    *zero_or_more(RetryOptions, "wait_seconds", "retry_after_max_seconds", "attempt_seconds"),
    Edge(RetryOptions, "attempts", "must be 1 to 10: more is a retry storm", (0, 11), (1, 10)),
    Edge(
        RetryOptions,
        "wait_max_seconds",
        "must be at least wait_seconds",
        (0.499,),
        (0.5,),
        {"wait_seconds": 0.5},
    ),
    Edge(RetryOptions, "jitter", "is unknown", ("", "Full"), ("full", "decorrelated")),
    *share(SheddingOptions, "background"),
    *above_zero(SheddingOptions, "retry_after_seconds"),
    Edge(
        SheddingOptions, "low", "must be at least background", (0.499,), (0.5,), {"background": 0.5}
    ),
    Edge(SheddingOptions, "normal", "must be at least low", (0.599,), (0.6,), {"low": 0.6}),
    Edge(SheddingOptions, "high", "must be at least normal", (0.699,), (0.7,), {"normal": 0.7}),
    Edge(SheddingOptions, "high", "must be at most 1", (1.001,), (1.0,)),
    Edge(
        TimeoutOptions,
        "seconds",
        "must be above 0 (nothing could ever answer) and at most an hour",
        (0.0, -1.0, 3_600.5),
        (A_BIT, 3_600.0),
    ),
]


@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_each_rule_holds_exactly_at_its_edge_and_says_what_it_asks_for(edge: Edge) -> None:
    """Just beyond it the options are refused, in the rule's own words; just within they are made."""
    for value in edge.refused:
        with pytest.raises(InvalidOptionsError) as caught:
            edge.options(**{**edge.beside, edge.option: value})
        assert (edge.option, edge.message) in caught.value.problems
        assert str(caught.value).startswith(f"{edge.options.__name__}: ")
        assert f"{edge.option} {edge.message}" in str(caught.value)
    for value in edge.accepted:
        beside = dict(edge.beside)
        if edge.options is SheddingOptions and edge.option == "background":
            beside = {"low": 1.0, "normal": 1.0, "high": 1.0}
        made = edge.options(**{**beside, edge.option: value})
        assert getattr(made, edge.option) == value


@pytest.mark.parametrize(
    ("options", "name"),
    sorted(
        {
            (edge.options, option.name)
            for edge in EDGES
            for option in fields(edge.options)
            if option.type in (float, "float")
        },
        key=str,
    ),
)
def test_what_is_no_number_is_refused_everywhere(options: type, name: str) -> None:
    """NaN compares false with everything, so a rule that asks for the wrong would let it pass."""
    with pytest.raises(InvalidOptionsError):
        options(**{name: math.nan})


def test_a_time_window_may_ask_for_more_calls_than_a_count_window_would_hold() -> None:
    """The size of a count window says nothing about the others."""
    for window in ("time", "consecutive"):
        made = BreakerOptions(window=window, window_size=10, minimum_calls=11)
        assert made.minimum_calls == 11


def test_every_broken_rule_is_told_at_once() -> None:
    """Whoever mends a policy file is told everything that is wrong with it, in one error."""
    rules = (
        Rule(False, "one", "is odd"),
        Rule(True, "two", "is even"),
        Rule(False, "three", "ends"),
    )
    with pytest.raises(InvalidOptionsError, match="object: one is odd; three ends") as caught:
        require(object(), *rules)
    assert caught.value.problems == (("one", "is odd"), ("three", "ends"))
    require(object(), rules[1])
