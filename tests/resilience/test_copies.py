"""Copies: keys that never meet, and a local tier bounded by bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.copies import ENTRY_BYTES, Copy, CopyKey, LocalCopies

PART = st.text(min_size=1, max_size=8)
KEYS = st.builds(CopyKey, PART, PART, PART)


@given(one=KEYS, other=KEYS)
def test_different_keys_never_share_a_name(one: CopyKey, other: CopyKey) -> None:
    """Whatever characters the parts hold (separators, too), names differ when keys do."""
    assert (one.text() == other.text()) == (one == other)


def test_a_separator_in_an_entity_reaches_no_other_view() -> None:
    """`a:owner` seen by a counterparty is not `a` seen by its owner."""
    assert CopyKey("c", "a:owner", "x").text() != CopyKey("c", "a", "owner:x").text()


@pytest.mark.parametrize("parts", [("", "a", "b"), ("a", "", "b"), ("a", "b", "")])
def test_a_key_without_a_viewer_or_entity_is_no_key(parts: tuple[str, str, str]) -> None:
    """An empty part would make a copy everybody's."""
    with pytest.raises(ValueError, match=r"^a copy's key needs a contract, an entity and a view$"):
        CopyKey(*parts)


@given(
    puts=st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 900), st.integers(0, 50)), max_size=60
    )
)
def test_the_local_tier_never_holds_more_than_its_bytes(puts: list[tuple[str, int, int]]) -> None:
    """After any puts the bytes are counted right and within the bound; older never replaces."""
    local = LocalCopies(2_500)
    newest: dict[str, float] = {}
    for key, size, born in puts:
        local.put(key, Copy(b"x" * size, float(born)))
        newest[key] = max(newest.get(key, 0.0), float(born))
        held = {key: local.get(key) for key in "abcdefgh"}
        used = sum(400 + 1 + len(copy.data) for copy in held.values() if copy)
        assert local.bytes == used <= 2_500
        for name, copy in held.items():
            assert copy is None or copy.born <= newest[name]


def test_what_was_not_used_for_longest_goes_first() -> None:
    """Reading a copy keeps it; room is made at the expense of the least recently used."""
    local = LocalCopies(1_000)
    local.put("a", Copy(b"", 1.0))
    local.put("b", Copy(b"", 1.0))
    local.get("a")
    local.put("c", Copy(b"", 1.0))
    assert local.get("b") is None
    assert local.get("a") is not None
    local.shrink(401)
    assert len(local) == 1


def test_a_late_answer_does_not_replace_a_younger_one() -> None:
    """The copy of a call that began earlier is refused, however late it comes."""
    local = LocalCopies(10_000)
    assert local.put("a", Copy(b"new", 2.0))
    assert not local.put("a", Copy(b"old", 1.0))
    copy = local.get("a")
    assert copy is not None
    assert copy.data == b"new"
    assert not local.put("b", Copy(b"x" * 20_000, 1.0))


def test_of_two_answers_asked_for_at_once_the_last_one_stays() -> None:
    """Neither is older than the other; what came last is nearer to the truth."""
    copies = LocalCopies(10_000)
    assert copies.put("a", Copy(b"one", 5.0))
    assert copies.put("a", Copy(b"two", 5.0))
    assert copies.get("a") == Copy(b"two", 5.0)


def test_a_copy_that_fits_exactly_is_kept() -> None:
    """The bound is what may be held, and one byte more is too much."""
    copies = LocalCopies(ENTRY_BYTES + 1 + 10)
    assert copies.put("a", Copy(b"x" * 10, 1.0))
    assert copies.bytes == copies.maximum_bytes
    assert not copies.put("b", Copy(b"x" * 11, 1.0))
    assert copies.get("a") is not None
