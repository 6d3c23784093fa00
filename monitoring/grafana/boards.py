"""The dashboards, in the order in which one looks."""

from typing import Final

from monitoring.grafana import (
    async_ledger,
    business,
    gateway,
    infrastructure,
    overview,
    resilience,
)
from monitoring.grafana.panel import Board

BOARDS: Final[tuple[Board, ...]] = (
    overview.BOARD,
    gateway.BOARD,
    resilience.BOARD,
    async_ledger.BOARD,
    business.BOARD,
    infrastructure.BOARD,
)
