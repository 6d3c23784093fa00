"""What may be expected of a run: one file per kind, registered by its name in scenarios."""

from typing import Any, Final

from chaos.expectations import outcomes, recovery
from chaos.expectations.amplification import RetryAmplification
from chaos.expectations.availability import Availability
from chaos.expectations.breaker import Breaker
from chaos.expectations.codes import Codes
from chaos.expectations.expectation import Expectation, ExpectationShape, Judgement, Stated
from chaos.expectations.freshness import Freshness
from chaos.expectations.goodput import Goodput
from chaos.expectations.latency import Latency
from chaos.expectations.met import Met
from chaos.expectations.metric import Metric
from chaos.expectations.money import Money
from chaos.expectations.peak_rate import PeakRate

_ALL: Final[tuple[type[Any], ...]] = (
    Availability,
    *outcomes.KINDS,
    Latency,
    Freshness,
    Codes,
    Breaker,
    RetryAmplification,
    Goodput,
    *recovery.KINDS,
    Money,
    Met,
    Metric,
    PeakRate,
)

REGISTRY: Final[dict[str, type[Any]]] = {kind.name: kind for kind in _ALL}
"""Every kind by the key that a scenario writes."""

EXPECTATION: Final = ExpectationShape(REGISTRY)

__all__ = ["EXPECTATION", "REGISTRY", "Expectation", "Judgement", "Stated"]
