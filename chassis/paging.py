"""Opaque cursors for keyset paging: a page starts after a row, so rows that arrive meanwhile do no harm."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from uuid import UUID

from chassis import codes

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def encode_cursor(created_at: datetime, row_id: UUID) -> str:
    """The cursor that stands for the row created then with that id."""
    microseconds = (created_at - EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(microseconds.to_bytes(8) + row_id.bytes).decode().rstrip("=")


def decode_cursor(text: str) -> tuple[datetime, UUID]:
    """The row that a cursor stands for.

    Raises:
        CodedError: INVALID_INPUT when it is none of ours.
    """
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if len(raw) != 24:
            raise ValueError
        microseconds = int.from_bytes(raw[:8])
        created_at = EPOCH + timedelta(microseconds=microseconds)
    except (ValueError, OverflowError, binascii.Error):
        raise codes.INVALID_INPUT.error(
            "The cursor is not one that an earlier page gave; start without it.", field="after"
        ) from None
    return created_at, UUID(bytes=raw[8:])
