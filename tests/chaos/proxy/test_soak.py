"""The short form of the proof that nothing is leaked; `make prove` has the long one."""

import sys

import pytest

from tests.chaos.proxy.soak import Soak, run_soak


@pytest.mark.may_block  # while the child starts
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
async def test_nothing_is_left_of_a_hundred_connections() -> None:
    """Through toxics that come and go, every echo is right, and then no connection or descriptor is left."""
    soak = Soak(connections=100, seconds=4.0)

    figures = await run_soak(soak)

    assert soak.opened >= 100
    assert soak.echoed >= 100
    assert figures["connections at once"] > 10
