"""slow_close, on a clock that is handed in."""

import pytest

from chaos.proxy.toxics.limit_data import LimitData
from chaos.proxy.toxics.slow_close import SlowClose
from chaos.proxy.toxics.toxic import Mark
from tests.chaos.proxy.fakes import Line


@pytest.mark.parametrize("mark", [Mark.END, Mark.RESET])
def test_only_the_end_is_late(mark: Mark) -> None:
    """Data passes at once, however the stream ends; the end comes after the delay."""
    line = Line(SlowClose(delay=700))

    line.send(b"a", b"b", mark)
    line.run(5.0)

    assert line.arrived == [(0.0, b"a"), (0.0, b"b"), (0.7, mark)]


def test_it_also_delays_a_close_by_another_toxic() -> None:
    """What closes the connection in front of it is late too, as in Toxiproxy."""
    line = Line(LimitData(bytes=1), SlowClose(delay=100))

    line.send(b"ab")
    line.run(5.0)

    assert line.arrived == [(0.0, b"a"), (0.1, Mark.CLOSE)]
