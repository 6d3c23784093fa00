"""The echo service with a fault point."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from resilience.testing import FakeClock
from tests.chassis.faults.faulted import Faulted, running_faulted


@pytest.fixture
def clock() -> FakeClock:
    """The clock of leases and pauses in `faulted`."""
    return FakeClock()


@pytest.fixture
async def faulted(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Faulted]:
    """The service, whose faults go by a clock that only the test moves."""
    async with running_faulted(tmp_path, clock) as it:
        yield it
