"""slicer, on a clock that is handed in."""

import msgspec
import pytest

from chaos.proxy.toxics.slicer import Slicer
from tests.chaos.proxy.fakes import Line

DATA = bytes(range(256)) * 4


def test_slices_have_the_size_that_was_asked_for() -> None:
    """Without variation all slices but the last are `average_size` long, and nothing is lost."""
    line = Line(Slicer(average_size=100))

    line.send(DATA)

    assert [len(piece.data) for piece in line.out] == [100] * 10 + [24]
    assert line.data == DATA


def test_slices_vary_within_bounds() -> None:
    """Sizes are within average ± variation, use the whole width, and average out."""
    line = Line(Slicer(average_size=10, size_variation=4))

    line.send(DATA * 10)

    sizes = [len(piece.data) for piece in line.out[:-1]]
    assert {min(sizes), max(sizes)} == {6, 14}
    assert sum(sizes) / len(sizes) == pytest.approx(10, abs=0.5)
    assert line.data == DATA * 10


def test_slices_are_apart_by_the_delay() -> None:
    """Each slice leaves `delay` microseconds after the one before, also across pieces."""
    line = Line(Slicer(average_size=2, delay=500))

    line.send(b"aabb", b"ccdd")
    line.run(1.0)

    assert line.arrived == [(0.0, b"aa"), (0.0005, b"bb"), (0.001, b"cc"), (0.0015, b"dd")]


@pytest.mark.parametrize(
    ("attributes", "complaint"),
    [
        ({}, "average_size must be at least 1"),
        ({"average_size": 5, "size_variation": 5}, "size_variation must be below average_size"),
    ],
)
def test_attributes_that_make_no_slices_are_refused(
    attributes: dict[str, int], complaint: str
) -> None:
    """Slices of no size, or of a size that may be none, are an error."""
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.convert(attributes, Slicer)
