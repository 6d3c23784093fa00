"""reset_peer, on a clock that is handed in."""

from chaos.proxy.toxics.reset_peer import ResetPeer
from chaos.proxy.toxics.toxic import Mark
from tests.chaos.proxy.fakes import Line


def test_the_first_data_brings_the_reset_after_the_timeout() -> None:
    """Nothing passes; `timeout` milliseconds after the first piece the connection is reset."""
    line = Line(ResetPeer(timeout=200))
    line.run(5.0)

    line.send(b"lost")
    line.run(5.1)
    line.send(b"lost as well")
    line.run(10.0)

    assert line.arrived == [(5.2, Mark.RESET)]


def test_an_idle_connection_is_left_alone() -> None:
    """Without data nothing happens, and nothing waits to happen."""
    line = Line(ResetPeer(timeout=0))

    line.run(1_000.0)

    assert not line.out
    assert line.pipe.wake() is None


def test_an_end_becomes_a_reset() -> None:
    """A sender that closes in good order is told of as a reset."""
    line = Line(ResetPeer(timeout=0))

    line.send(Mark.END)

    assert line.arrived == [(0.0, Mark.RESET)]


def test_taking_it_away_after_data_resets_at_once() -> None:
    """What was swallowed cannot be brought back: removal hastens the reset."""
    line = Line(ResetPeer(timeout=60_000))
    line.send(b"lost")

    line.pipe.remove(line.doses[0], line.now)
    line.run(1.0)

    assert line.arrived == [(0.0, Mark.RESET)]


def test_taking_it_away_before_data_does_nothing() -> None:
    """A connection that had not met it goes on."""
    line = Line(ResetPeer(timeout=0))

    line.pipe.remove(line.doses[0], line.now)
    line.send(b"a")

    assert line.arrived == [(0.0, b"a")]
