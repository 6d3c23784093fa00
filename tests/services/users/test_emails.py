"""When two addresses are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.users import emails


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ana@example.com", "ANA@EXAMPLE.COM"),
        ("jos\u00e9@example.com", "jose\u0301@example.com"),
        ("stra\u00dfe@example.com", "STRASSE@example.com"),
        ("\u03a3@example.com", "\u03c2@example.com"),
    ],
    ids=["case", "composition", "sharp s", "final sigma"],
)
def test_same(one: str, other: str) -> None:
    """Case and composition do not make another address."""
    assert emails.key_of(one) == emails.key_of(other)


@pytest.mark.parametrize("other", ["ana+1@example.com", "an.a@example.com", "ana@example.org"])
def test_different(other: str) -> None:
    """Whatever a provider may ignore, we do not guess."""
    assert emails.key_of("ana@example.com") != emails.key_of(other)


@given(st.text(max_size=50))
def test_key_of_a_key_is_itself(text: str) -> None:
    """Normalising is idempotent and knows what is stored from what was typed."""
    key = emails.key_of(text)
    assert emails.key_of(key) == key
    assert emails.key_of(emails.as_stored(text)) == key
