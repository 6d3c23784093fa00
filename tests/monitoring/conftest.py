"""What the tests of monitoring share."""

import asyncio

import pytest

from scripts.metrics_page import ANNOUNCED, catalogue


@pytest.fixture(scope="session")
def known_metrics() -> list[str]:
    """Every metric that a process tells, or is announced to tell."""
    told = [item.metric.name for item in asyncio.run(catalogue())]
    return [*told, *(metric.name for metric in ANNOUNCED)]
