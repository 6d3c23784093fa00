"""limit_data, on a clock that is handed in."""

import pytest

from chaos.proxy.toxics.limit_data import LimitData
from chaos.proxy.toxics.toxic import Mark
from tests.chaos.proxy.fakes import Line


@pytest.mark.parametrize("parts", [[b"abcdef"], [b"abc", b"def"], [b"abcd", b"ef"]])
def test_so_many_bytes_pass_and_then_it_closes(parts: list[bytes]) -> None:
    """Exactly the limit passes, however the data is cut, and the connection is closed."""
    line = Line(LimitData(bytes=4))

    line.send(*parts)

    assert line.data == b"abcd"
    assert line.marks == [Mark.CLOSE]


def test_the_limit_itself_closes() -> None:
    """The connection is closed when the limit is reached, not when it is exceeded."""
    line = Line(LimitData(bytes=3))

    line.send(b"abc")

    assert line.data == b"abc"
    assert line.marks == [Mark.CLOSE]


def test_below_the_limit_nothing_happens() -> None:
    """A stream that ends below the limit ends as it would have."""
    line = Line(LimitData(bytes=100))

    line.send(b"abc", Mark.END)

    assert line.data == b"abc"
    assert line.marks == [Mark.END]


def test_a_limit_of_nothing_closes_at_the_first_byte() -> None:
    """With limit 0 the connection is closed as soon as something is said, and none of it passes."""
    line = Line(LimitData(bytes=0))
    assert not line.out

    line.send(b"a")

    assert line.data == b""
    assert line.marks == [Mark.CLOSE]


def test_the_count_survives_other_attributes() -> None:
    """Bytes that have passed count against a limit given later."""
    line = Line(LimitData(bytes=100))
    line.send(b"abc")

    line.doses[0].toxic = LimitData(bytes=4)
    line.pipe.alter(line.doses[0], line.now)
    line.send(b"def")

    assert line.data == b"abcd"
    assert line.marks == [Mark.CLOSE]


def test_taking_it_away_before_the_limit_loses_nothing() -> None:
    """A connection that did not reach the limit goes on as if nothing had been there."""
    line = Line(LimitData(bytes=100))
    line.send(b"abc")

    line.pipe.remove(line.doses[0], line.now)
    line.send(b"d" * 200)

    assert line.data == b"abc" + b"d" * 200
    assert not line.marks
