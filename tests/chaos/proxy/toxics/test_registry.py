"""The registry, and what all toxics have in common."""

import msgspec
import pytest

from chaos.proxy.toxics import REGISTRY
from chaos.proxy.toxics.slicer import Slicer
from chaos.proxy.toxics.toxic import Mark, Toxic
from tests.chaos.proxy.fakes import Line

EXAMPLES: list[Toxic] = [Slicer(average_size=1) if k is Slicer else k() for k in REGISTRY.values()]


def test_toxiproxys_toxics_are_all_there() -> None:
    """Every toxic that Toxiproxy documents is known by its name."""
    assert set(REGISTRY) == {
        "latency", "bandwidth", "slow_close", "timeout", "slicer", "limit_data", "reset_peer",
    }  # fmt: skip


@pytest.mark.parametrize("kind", REGISTRY.values(), ids=REGISTRY)
def test_an_unknown_attribute_is_refused(kind: type[Toxic]) -> None:
    """A typing error in an attribute must not become a fault that does nothing."""
    with pytest.raises(msgspec.ValidationError, match="unknown field `latecy`"):
        msgspec.convert({"latecy": 5}, kind)


@pytest.mark.parametrize("kind", REGISTRY.values(), ids=REGISTRY)
@pytest.mark.parametrize("value", [-1, 2**60, 1.5, "5", None])
def test_attributes_are_whole_numbers_within_bounds(kind: type[Toxic], value: object) -> None:
    """No attribute takes what is negative, enormous, or no whole number."""
    for name in kind.__struct_fields__:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({name: value}, kind)


@pytest.mark.parametrize("toxic", EXAMPLES, ids=list(REGISTRY))
def test_an_idle_connection_costs_nothing(toxic: Toxic) -> None:
    """A toxic whose attributes ask for nothing holds no bytes and sets no timer before data comes."""
    line = Line(toxic)

    assert line.pipe.wake() is None
    assert line.pipe.held == 0


@pytest.mark.parametrize("toxic", EXAMPLES, ids=list(REGISTRY))
def test_nothing_is_held_after_the_end(toxic: Toxic) -> None:
    """What a toxic held is let go with the end of the stream or the toxic's removal."""
    line = Line(toxic)
    line.send(b"data", Mark.END)

    line.pipe.remove(line.doses[0], line.now)
    line.run(1.0)

    assert line.pipe.held == 0
    assert line.pipe.wake() is None
    assert len(line.marks) == 1
