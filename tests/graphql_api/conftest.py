"""Fixtures of the gateway's tests."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from chassis import logs
from tests.graphql_api.driving import Gateway
from tests.graphql_api.fakes import Platform

LogLines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def log_lines() -> Iterator[LogLines]:
    """What was logged in this test, line by line."""
    stream = io.StringIO()
    logs.configure("gateway", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()


@pytest.fixture
def platform() -> Platform:
    """An empty platform in memory."""
    return Platform()


@pytest.fixture
def gateway(platform: Platform) -> Gateway:
    """The gateway over that platform, with limits on rate that tests do not reach."""
    return Gateway(platform)
