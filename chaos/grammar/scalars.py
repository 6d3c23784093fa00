"""Single values as a scenario writes them, with their units: `5 s`, `99 %`, `12/s`, `2 x baseline`.

Each is read, shown and described to an editor from one definition.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

_NUMBER: Final = r"(\d+(?:\.\d+)?)"


@dataclass(frozen=True, slots=True)
class Scalar(Generic[T]):
    """A kind of value: what it looks like, and what it becomes.

    Attributes:
        wanted: for messages: `a duration such as 5 s or 300 ms`.
        pattern: of the whole text.
        convert: what matched, as a value; may raise ValueError with what is wrong.
        numeric: whether YAML may see a number in it, which is for the JSON Schema.
    """

    wanted: str
    pattern: str
    convert: Callable[[re.Match[str]], T]
    numeric: bool = False

    def read(self, text: str) -> T:
        """The value. Raises ValueError with what is wanted instead."""
        found = re.fullmatch(self.pattern, text.strip())
        if found is None:
            raise ValueError(f"{text.strip()!r} is not {self.wanted}")
        return self.convert(found)

    def schema(self) -> dict[str, Any]:
        """For JSON Schema."""
        pattern = self.pattern.removeprefix("(?s)").replace(".+", r"[\s\S]+")
        text: dict[str, Any] = {"type": "string", "pattern": f"^(?:{pattern})$"}
        found = {"anyOf": [{"type": "number"}, text]} if self.numeric else text
        return {"title": self.wanted.partition(" such as")[0], **found, "description": self.wanted}


_UNITS: Final = {"ms": 0.001, "s": 1.0, "min": 60.0}
_MILLISECONDS: Final = {"ms": 1.0, "s": 1_000.0, "": 1.0}


def _seconds(found: re.Match[str]) -> float:
    return float(found[1]) * _UNITS[found[2]]


DURATION: Final = Scalar(
    "a duration such as `5 s`, `300 ms` or `2 min`",
    _NUMBER + r" ?(ms|s|min)(?: at most)?",
    _seconds,
)
"""Seconds."""

PLAIN_SECONDS: Final = Scalar(
    "a number of seconds such as `5` or `0.5 s`",
    _NUMBER + r"(?: ?(ms|s|min))?",
    lambda found: float(found[1]) * _UNITS[found[2] or "s"],
    numeric=True,
)
"""Seconds, as a fault point takes them: the unit may be left out."""

SIGNED_SECONDS: Final = Scalar(
    "a number of seconds such as `300` or `-300`",
    r"(-?\d+(?:\.\d+)?)(?: ?(ms|s|min))?",
    lambda found: float(found[1]) * _UNITS[found[2] or "s"],
    numeric=True,
)
"""Seconds ahead, or behind."""

MILLISECONDS: Final = Scalar(
    "a number of milliseconds such as `300` or `300 ms`",
    _NUMBER + r" ?(ms|s|)",
    lambda found: float(found[1]) * _MILLISECONDS[found[2]],
    numeric=True,
)
"""Milliseconds, as Toxiproxy takes them."""

TIMES: Final = Scalar(
    "a number such as `1.3`", _NUMBER, lambda found: float(found[1]), numeric=True
)

COUNT: Final = Scalar(
    "a whole number such as `20`", r"(\d+)", lambda found: int(found[1]), numeric=True
)


def _share(found: re.Match[str]) -> float:
    share = float(found[1]) / 100
    if share > 1:
        raise ValueError(f"{found[1]} % is more than everything")
    return share


SHARE: Final = Scalar("a share such as `99 %`", _NUMBER + r" ?%", _share)
"""0 to 1."""

RATE: Final = Scalar("a rate such as `12/s`", _NUMBER + r" ?/ ?s", lambda found: float(found[1]))
"""Per second."""

TEXT: Final = Scalar("a text", r"(?s).+", lambda found: found[0].strip(), numeric=True)

NAME: Final = Scalar(
    "a name of letters, digits, `-`, `_` and `.`", r"[A-Za-z][\w.:-]*", lambda found: found[0]
)


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit: so much, or so many times what the run's own baseline had."""

    value: float
    of_baseline: bool = False

    def against(self, baseline: float | None) -> float | None:
        """The limit as a number; None when it needs a baseline that was not measured."""
        if not self.of_baseline:
            return self.value
        return None if baseline is None else self.value * baseline


_TIMES_BASELINE: Final = r" ?(?:x|×) baseline"


def _time_bound(found: re.Match[str]) -> Bound:
    if found[1] is not None:
        return Bound(float(found[1]), of_baseline=True)
    return Bound(float(found[2]) * _UNITS[found[3]])


def _number_bound(found: re.Match[str]) -> Bound:
    if found[1] is not None:
        return Bound(float(found[1]), of_baseline=True)
    return Bound(float(found[2]))


TIME_BOUND: Final = Scalar(
    "a duration or a multiple of the baseline such as `1 s`, or `2 x baseline`",
    rf"{_NUMBER}{_TIMES_BASELINE}|{_NUMBER} ?(ms|s|min)",
    _time_bound,
)

NUMBER_BOUND: Final = Scalar(
    "a number or a multiple of the baseline such as `40`, or `3 x baseline`",
    rf"{_NUMBER}{_TIMES_BASELINE}|{_NUMBER}",
    _number_bound,
    numeric=True,
)


def duration(seconds: float) -> str:
    """Seconds for people: `300 ms`, `5 s`, `1.5 s`."""
    if 0 < seconds < 1:
        return f"{seconds * 1_000:.3g} ms"
    return f"{seconds:.4g} s"


def share(part: float) -> str:
    """A share for people: `99 %`, `99.5 %`."""
    return f"{part * 100:.4g} %"


def time_bound(bound: Bound) -> str:
    """A limit for people."""
    return f"{bound.value:g} × the baseline's" if bound.of_baseline else duration(bound.value)


def number_bound(bound: Bound) -> str:
    """A limit for people."""
    return f"{bound.value:g} × the baseline's" if bound.of_baseline else f"{bound.value:g}"
