"""An answer of the gateway, as it came: read strictly, because whatever cannot be read is a finding."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

Path = tuple[str | int, ...]
"""Response path of a field."""


class _Extensions(msgspec.Struct, frozen=True, rename="camel"):
    code: str = ""
    service: str = ""


class Problem(msgspec.Struct, frozen=True):
    """An entry of `errors`."""

    message: str
    path: tuple[str | int, ...] = ()
    extensions: _Extensions = _Extensions()

    @property
    def code(self) -> str:
        return self.extensions.code


class Degraded(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An entry of `extensions.degraded`."""

    path: tuple[str | int, ...]
    service: str
    reason: str
    served_from: str
    age_seconds: int | None = None


class _Summary(msgspec.Struct, frozen=True):
    degraded: tuple[Degraded, ...] = ()


class Body(msgspec.Struct, frozen=True):
    """A GraphQL answer."""

    data: dict[str, Any] | None = None
    errors: tuple[Problem, ...] = ()
    extensions: _Summary = _Summary()


_DECODER: Final = msgspec.json.Decoder(Body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got.

    Attributes:
        status: HTTP's; 0 when there was no answer.
        body: None when there was none, or none that can be read.
        seconds: until it was there, or given up.
        ended: when that was, on the machine's monotonic clock.
        trouble: why there is no body.
    """

    status: int
    body: Body | None = None
    seconds: float = 0.0
    ended: float = 0.0
    trouble: str = ""

    @property
    def codes(self) -> tuple[str, ...]:
        """Of all errors, each once, sorted."""
        return tuple(sorted({error.code for error in self.body.errors} if self.body else ()))

    @property
    def degraded(self) -> tuple[Degraded, ...]:
        return self.body.extensions.degraded if self.body else ()


def read(status: int, content: bytes, seconds: float, ended: float) -> Answer:
    """The answer in what came over the wire."""
    try:
        return Answer(status, _DECODER.decode(content), seconds, ended)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        start = content[:80].decode(errors="replace")
        trouble = f"HTTP {status} with a body that is no GraphQL answer ({error}): {start!r}"
        return Answer(status, None, seconds, ended, trouble)
