"""The shapes of load, by name."""

from typing import Final

from loadtests.shapes import constant, poisson, spike
from loadtests.shapes.shape import Shape

SHAPES: Final[dict[str, Shape]] = {
    shape.name: shape for shape in (constant.SHAPE, poisson.SHAPE, spike.SHAPE)
}

__all__ = ["SHAPES", "Shape"]
