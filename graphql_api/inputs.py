"""From GraphQL arguments to the services' requests, with the contract's own checks."""

import re
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from chassis import codes

Request = TypeVar("Request", bound=msgspec.Struct)

_PATH = re.compile(r" - at `\$\.?([^`]*)`\Z")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")


def parse_id(text: str, field: str) -> UUID:
    """The id that `text` writes.

    Raises:
        CodedError: INVALID_INPUT.
    """
    if not _UUID.match(text):
        raise codes.INVALID_INPUT.error(f"`{field}` is not an id (a UUID).", field=field)
    return UUID(text)


def request_of(kind: type[Request], fields: dict[str, Any]) -> Request:
    """A request of a service's contract, checked as the service will check it.

    Args:
        fields: by their names on the wire (camelCase), values as JSON has them or already typed.

    Raises:
        CodedError: INVALID_INPUT, naming the field and what is wrong, never its value.
    """
    try:
        checked = msgspec.convert(fields, kind, strict=True)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _PATH.search(text)
        field = found.group(1) if found else None
        detail = _PATH.sub("", text)
        raise codes.INVALID_INPUT.error(
            f"`{field}`: {detail}." if field else f"{detail}.", field=field
        ) from None
    if _unstorable(fields):
        raise codes.INVALID_INPUT.error(
            "A text contains U+0000 or half of a surrogate pair; remove it."
        )
    return checked


def _unstorable(value: Any) -> bool:
    """Whether a text in it cannot be stored: PostgreSQL keeps no U+0000, UTF-8 no lone surrogate."""
    if isinstance(value, str):
        return "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, dict):
        return any(_unstorable(key) or _unstorable(item) for key, item in value.items())
    return False
