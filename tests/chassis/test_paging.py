"""Cursors come back as they went, and forged ones are refused."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import CodedError
from chassis.paging import decode_cursor, encode_cursor

moments = st.datetimes(
    min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)
)


@given(created_at=moments, row=st.uuids())
def test_a_cursor_stands_for_its_row(created_at: datetime, row: UUID) -> None:
    """Encoding loses nothing, to the microsecond."""
    assert decode_cursor(encode_cursor(created_at, row)) == (created_at, row)


@given(st.text(max_size=60))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    """What no page gave is a coded error at most, never a crash."""
    try:
        created_at, _ = decode_cursor(text)
    except CodedError as error:
        assert (error.code, error.field) == ("INVALID_INPUT", "after")
    else:
        assert created_at.tzinfo is UTC


@pytest.mark.parametrize("text", ["", "AAAA", "é" * 32, "_" * 32])
def test_forged_cursors(text: str) -> None:
    """The usual inventions are refused with the way out."""
    with pytest.raises(CodedError, match="start without it"):
        decode_cursor(text)
