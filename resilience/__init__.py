"""Resilience for asyncio: deadlines, retries under a budget, breakers, limits and copies.

Each policy stands alone; `Pipeline` composes them in the order that makes sense. Parts that talk
to Redis or read files are modules of their own (`redis_rate_limit`, `redis_copies`, `redis_hints`,
`policy_file`, `policy_set`); `testing` has a clock that tests move.
"""

from resilience.adaptive import AdaptiveLimit, AdaptiveOptions
from resilience.breaker import BreakerOptions, CircuitBreaker
from resilience.budget import BudgetOptions, RetryBudget
from resilience.bulkhead import Bulkhead, BulkheadOptions
from resilience.call_deadline import CallDeadline, DeadlineOptions
from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.context import (
    Effect,
    Priority,
    call_context,
    current_deadline,
    current_idempotency_key,
    current_priority,
)
from resilience.copies import Codec, CopyKey
from resilience.deadline import Deadline
from resilience.errors import (
    AttemptTimedOut,
    BulkheadFull,
    CircuitOpen,
    ConcurrencyLimited,
    DeadlineExceeded,
    LoadShed,
    RateLimited,
    Rejected,
    ResilienceError,
)
from resilience.events import Emitter, Event, Hook
from resilience.fallback import CachedFallback, FallbackOptions, Freshness, Served
from resilience.hedge import Hedge, HedgeOptions
from resilience.options import InvalidOptionsError
from resilience.pipeline import Pipeline, PipelineOptions
from resilience.rate_limit import RateLimiter, RateLimitOptions
from resilience.registry import Registry
from resilience.retry import Retry, RetryOptions
from resilience.shedding import PriorityShedding, SheddingOptions
from resilience.single_flight import SingleFlight
from resilience.timeout import AttemptTimeout, TimeoutOptions
from resilience.verdict import Classifier, Fault, Verdict, classify

__all__ = [
    "SYSTEM_CLOCK",
    "AdaptiveLimit",
    "AdaptiveOptions",
    "AttemptTimedOut",
    "AttemptTimeout",
    "BreakerOptions",
    "BudgetOptions",
    "Bulkhead",
    "BulkheadFull",
    "BulkheadOptions",
    "CachedFallback",
    "CallDeadline",
    "CircuitBreaker",
    "CircuitOpen",
    "Classifier",
    "Clock",
    "Codec",
    "ConcurrencyLimited",
    "CopyKey",
    "Deadline",
    "DeadlineExceeded",
    "DeadlineOptions",
    "Effect",
    "Emitter",
    "Event",
    "FallbackOptions",
    "Fault",
    "Freshness",
    "Hedge",
    "HedgeOptions",
    "Hook",
    "InvalidOptionsError",
    "LoadShed",
    "Pipeline",
    "PipelineOptions",
    "Priority",
    "PriorityShedding",
    "RateLimitOptions",
    "RateLimited",
    "RateLimiter",
    "Registry",
    "Rejected",
    "ResilienceError",
    "Retry",
    "RetryBudget",
    "RetryOptions",
    "Served",
    "SheddingOptions",
    "SingleFlight",
    "TimeoutOptions",
    "Verdict",
    "call_context",
    "classify",
    "current_deadline",
    "current_idempotency_key",
    "current_priority",
]
