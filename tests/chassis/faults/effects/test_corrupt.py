"""A damaged answer is as long as the good one, and nobody can take it for one."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import CodedError
from chassis.faults.effects.corrupt import _damaged
from tests.chassis.echo_service import SAY, Say
from tests.chassis.faults.faulted import Faulted, active
from tests.chassis.test_client import call

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(value=JSON, count=st.integers(1, 50), seed=st.integers())
def test_no_damaged_document_parses(value: object, count: int, seed: int) -> None:
    """Whatever was answered: the damage keeps its length, and every decoder of JSON notices."""
    body = msgspec.json.encode(value)
    noise = active("corrupt", seed=seed).noise

    damaged = _damaged(body, count, noise)

    assert len(damaged) == len(body)
    assert 1 <= sum(a != b for a, b in zip(body, damaged, strict=True)) <= count
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        msgspec.json.decode(damaged)


def test_the_damage_is_drawn_from_the_seed() -> None:
    """The same seed does the same harm."""
    body = b"[" + b"1," * 500 + b"1]"
    damages = {_damaged(body, 20, active("corrupt", seed=seed).noise) for seed in (1, 1, 2)}

    assert len(damages) == 2


async def test_our_client_notices(faulted: Faulted) -> None:
    """The platform's own client tells an unusable answer from a good one."""
    await faulted.inject("corrupt")

    with pytest.raises(CodedError, match="no usable answer"):
        await faulted.running.client().call(call(), SAY, Say(text="oi"))

    assert faulted.calls == 1
    assert (await faulted.faults())[0].met == 1
