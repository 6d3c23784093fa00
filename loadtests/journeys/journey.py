"""What a journey is: something that a person does, request after request."""

from collections.abc import Callable
from dataclasses import dataclass

from loadtests.visit import Visit


@dataclass(frozen=True, slots=True)
class Journey:
    """One thing that people do."""

    name: str
    text: str
    """In a sentence, for `python -m loadtests list`."""
    run: Callable[[Visit], object]
