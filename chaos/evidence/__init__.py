"""What a run saw, as values: answers, metrics over time, spans, faults, books."""

from chaos.evidence.evidence import (
    EVERYWHERE,
    FEW,
    KEPT_PROMISES,
    Evidence,
    Span,
    When,
    Where,
    kept,
    latency,
    quantile,
)
from chaos.evidence.metrics import KEPT, Metrics

__all__ = [
    "EVERYWHERE",
    "FEW",
    "KEPT",
    "KEPT_PROMISES",
    "Evidence",
    "Metrics",
    "Span",
    "When",
    "Where",
    "kept",
    "latency",
    "quantile",
]
