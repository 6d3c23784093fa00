"""bandwidth, on a clock that is handed in."""

import pytest

from chaos.proxy.toxics.bandwidth import Bandwidth
from chaos.proxy.toxics.toxic import Mark
from tests.chaos.proxy.fakes import Line


@pytest.mark.parametrize("size", [1, 1_000, 65_536])
@pytest.mark.parametrize("rate", [1, 10, 1_000])
def test_the_last_byte_arrives_when_the_rate_allows(rate: int, size: int) -> None:
    """N bytes take N / (rate × 1,000) seconds, however they are cut."""
    line = Line(Bandwidth(rate=rate))

    line.send(b"x" * size)
    line.run(1_000.0)

    assert line.times[-1] == pytest.approx(size / rate / 1_000)
    assert line.data == b"x" * size


def test_many_small_pieces_share_the_rate() -> None:
    """The rate is of the stream, not of each piece."""
    line = Line(Bandwidth(rate=1))

    line.send(*[b"x" * 10] * 100)
    line.run(10.0)

    assert line.times[-1] == pytest.approx(1.0)


def test_large_data_comes_as_a_trickle() -> None:
    """No single part takes the line for more than 100 ms."""
    line = Line(Bandwidth(rate=10))

    line.send(b"x" * 5_000)
    line.run(10.0)

    assert [len(piece.data) for piece in line.out] == [1_000] * 5
    assert line.times == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_idle_time_is_not_saved_up() -> None:
    """After a pause the rate is the same as before, without a burst."""
    line = Line(Bandwidth(rate=1))
    line.run(60.0)

    line.send(b"x" * 1_000)
    line.run(100.0)

    assert line.times[-1] == pytest.approx(61.0)


def test_the_end_waits_for_the_data_and_no_longer() -> None:
    """The end of the stream costs no bandwidth and comes right behind the last byte."""
    line = Line(Bandwidth(rate=1))

    line.send(b"x" * 100, Mark.END)
    line.run(10.0)

    assert line.arrived == [(0.1, b"x" * 100), (0.1, Mark.END)]


def test_rate_zero_stops_everything_until_it_changes() -> None:
    """At rate 0 nothing passes; a rate given later applies to what waits."""
    line = Line(Bandwidth(rate=0))
    line.send(b"x" * 100)
    line.run(1_000.0)
    assert not line.out
    assert line.pipe.wake() is None

    line.doses[0].toxic = Bandwidth(rate=1)
    line.pipe.alter(line.doses[0], line.now)
    line.run(2_000.0)

    assert line.data == b"x" * 100
