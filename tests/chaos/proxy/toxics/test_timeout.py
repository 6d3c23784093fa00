"""timeout, on a clock that is handed in."""

from chaos.proxy.toxics.timeout import Timeout
from chaos.proxy.toxics.toxic import Mark
from tests.chaos.proxy.fakes import Line


def test_data_is_dropped_and_the_connection_closed_in_time() -> None:
    """No byte passes; after the timeout the connection is closed, with or without traffic."""
    line = Line(Timeout(timeout=500))

    line.send(b"lost")
    line.run(10.0)

    assert line.arrived == [(0.5, Mark.CLOSE)]


def test_a_talkative_sender_does_not_put_it_off() -> None:
    """The timeout counts from when the toxic met the connection, not from the last byte."""
    line = Line(Timeout(timeout=500))

    for tenth in range(4):
        line.run(tenth / 10)
        line.send(b"x")
    line.run(0.5)

    assert line.arrived == [(0.5, Mark.CLOSE)]


def test_zero_never_closes() -> None:
    """With timeout 0 data is dropped for as long as the toxic is there, and costs no memory."""
    line = Line(Timeout(timeout=0))

    line.send(b"x" * 100_000)
    line.run(100_000.0)

    assert not line.out
    assert line.pipe.wake() is None
    assert line.pipe.held == 0


def test_the_senders_own_end_passes() -> None:
    """A sender that ends is not held open: its end arrives at once, without the data."""
    line = Line(Timeout(timeout=0))

    line.send(b"lost", Mark.END)

    assert line.arrived == [(0.0, Mark.END)]


def test_taking_it_away_closes_the_connection() -> None:
    """Removal closes: going on would hand over a stream with a hole."""
    line = Line(Timeout(timeout=0))
    line.send(b"lost")

    line.pipe.remove(line.doses[0], line.now)
    line.send(b"late")

    assert line.arrived[0] == (0.0, Mark.CLOSE)


def test_other_attributes_start_it_anew() -> None:
    """A changed timeout counts from the change."""
    line = Line(Timeout(timeout=0))
    line.run(10.0)

    line.doses[0].toxic = Timeout(timeout=1_000)
    line.pipe.alter(line.doses[0], line.now)
    line.run(20.0)

    assert line.arrived == [(11.0, Mark.CLOSE)]
