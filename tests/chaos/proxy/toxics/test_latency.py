"""latency, on a clock that is handed in."""

from chaos.proxy.toxics.latency import Latency
from chaos.proxy.toxics.toxic import Mark
from tests.chaos.proxy.fakes import Line


def test_everything_comes_late_by_the_latency() -> None:
    """Data and the end of the stream arrive `latency` milliseconds after they were sent."""
    line = Line(Latency(latency=250))

    line.send(b"a")
    line.run(1.0)
    line.send(Mark.END)
    line.run(2.0)

    assert line.arrived == [(0.25, b"a"), (1.25, Mark.END)]


def test_pipelined_data_does_not_add_up() -> None:
    """Ten pieces sent at once all arrive after one latency, not one after the other."""
    line = Line(Latency(latency=100))

    line.send(*[b"x"] * 10)
    line.run(0.1)

    assert line.arrived == [(0.1, b"x")] * 10


def test_two_latencies_add_up() -> None:
    """Two toxics in a row delay by the sum of both."""
    line = Line(Latency(latency=100), Latency(latency=30))

    line.send(b"x")
    line.run(1.0)

    assert line.arrived == [(0.13, b"x")]


def test_jitter_stays_within_its_bounds_and_keeps_the_order() -> None:
    """Each delay is within latency ± jitter, not always the same, and nothing overtakes."""
    line = Line(Latency(latency=100, jitter=50))

    for number in range(100):
        line.run(float(number))
        line.send(bytes([number]))
    line.run(200.0)

    delays = [when - sent for sent, (when, _) in enumerate(line.arrived)]
    assert line.data == bytes(range(100))
    assert 0.05 <= min(delays) < 0.07
    assert 0.13 < max(delays) <= 0.15


def test_jitter_never_overtakes_within_a_burst() -> None:
    """Pieces sent at once come out in order even where a later one drew a shorter delay."""
    line = Line(Latency(latency=10, jitter=10))

    line.send(*[bytes([number]) for number in range(200)])
    line.run(1.0)

    assert line.data == bytes(range(200))
    assert line.times == sorted(line.times)
    handed_on = [piece.at for piece in line.out]
    assert handed_on == sorted(handed_on), "the next toxic counts from when it really came"


def test_jitter_above_latency_never_goes_back_in_time() -> None:
    """A delay that would be negative is none."""
    line = Line(Latency(latency=0, jitter=50))

    line.send(*[b"x"] * 50)
    line.run(0.05)

    assert len(line.out) == 50
    assert min(line.times) == 0.0


def test_a_shorter_latency_frees_what_waits() -> None:
    """Changing the latency applies to data that is held already."""
    line = Line(Latency(latency=10_000))
    line.send(b"x")
    line.run(1.0)

    line.doses[0].toxic = Latency(latency=1_500)
    line.pipe.alter(line.doses[0], line.now)
    line.run(5.0)

    assert line.arrived == [(1.5, b"x")]
