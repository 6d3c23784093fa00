"""The fingerprint of a request, ids, and the demonstration rail."""

import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import CodedError
from services.ledger.contract import reversal_id_of
from services.transactions.contract import Create, Reverse, TransactionType
from services.transactions.requests import DemoRail, draft_of, fingerprint
from services.transactions.rows import new_id

RECEIVERS = [uuid4(), uuid4()]
metadata = st.none() | st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["", "1", 1, 0, True, False, None]),
    max_size=3,
)
requests = st.builds(
    Create,
    idempotency_key=st.sampled_from(["key-one-1", "key-two-2"]),
    type=st.sampled_from([TransactionType.TRANSFER, TransactionType.DEPOSIT]),
    receiver_id=st.sampled_from([None, *RECEIVERS]),
    amount=st.sampled_from([1, 2, 12]),
    currency=st.just("BRL"),
    description=st.sampled_from([None, "", "1", "a"]),
    metadata=metadata,
)


def meaning(request: Create) -> tuple[Any, ...]:
    """What a request asks for, with types told apart as JSON does."""
    pairs: dict[str, Any] | None = None
    if request.metadata is not None:
        pairs = {key: (type(value).__name__, value) for key, value in request.metadata.items()}
    return (request.type, request.receiver_id, request.amount, request.description, pairs)


@given(requests, requests)
def test_fingerprint_is_the_meaning(one: Create, other: Create) -> None:
    """Two requests have the same fingerprint exactly if they ask for the same, whatever their key."""
    same = meaning(one) == meaning(other)
    assert (fingerprint("create", one) == fingerprint("create", other)) is same


def test_fingerprint_ignores_the_order_of_metadata() -> None:
    """The order in which a client writes its metadata does not make another request."""

    def request(metadata: dict[str, str | int | bool | None]) -> Create:
        return Create(
            idempotency_key="some-key",
            type=TransactionType.DEPOSIT,
            amount=1,
            currency="BRL",
            metadata=metadata,
        )

    assert fingerprint("create", request({"a": 1, "b": 2})) == fingerprint(
        "create", request({"b": 2, "a": 1})
    )


def test_fingerprint_tells_operations_apart() -> None:
    """The same arguments to another operation are another request."""
    request = Reverse(idempotency_key="some-key", transaction_id=uuid4())
    assert fingerprint("reverse", request) != fingerprint("create", request)
    assert len(fingerprint("reverse", request)) == 32


def test_fingerprint_is_stable() -> None:
    """A fingerprint written by an earlier version still matches: clients retry across deployments."""
    request = Create(
        idempotency_key="some-key",
        type=TransactionType.TRANSFER,
        receiver_id=UUID(int=1),
        amount=100,
        currency="BRL",
        metadata={"b": None, "a": True},
    )
    assert fingerprint("create", request).hex() == FROZEN


FROZEN = "64b6e9d1656a9caeb2976613ee12a76b6005123fdce0e56ec3ba6cf571fa033c"


def test_ids_are_version_7() -> None:
    """Ids are RFC 9562 version 7: unique, and near each other when made near each other."""
    before = time.time_ns() // 1_000_000
    ids = [new_id() for _ in range(1_000)]
    after = time.time_ns() // 1_000_000
    assert len(set(ids)) == 1_000
    for id_ in ids:
        assert (id_.version, id_.variant) == (7, "specified in RFC 4122")
        assert before <= id_.int >> 80 <= after


def test_reversal_id_is_deterministic() -> None:
    """A transaction has one possible reversal id."""
    id_ = uuid4()
    assert reversal_id_of(id_) == reversal_id_of(id_) != id_


@pytest.mark.parametrize("cap", [0, -1, 10**15 + 1])
def test_rail_cap_is_bounded(cap: int) -> None:
    """A cap that could not bound anything is refused."""
    with pytest.raises(ValueError, match="cap"):
        DemoRail(cap=cap)


@given(st.integers(1, 10**15), st.integers(1, 10**15))
def test_rail_admits_up_to_its_cap(amount: int, cap: int) -> None:
    """A deposit passes exactly if it is at most the cap."""
    request = Create(
        idempotency_key="some-key", type=TransactionType.DEPOSIT, amount=amount, currency="BRL"
    )
    rail, user = DemoRail(cap=cap), uuid4()
    if amount <= cap:
        assert draft_of(request, user, rail, correlation_id="c" * 8).receiver_id == user
    else:
        with pytest.raises(CodedError) as refused:
            draft_of(request, user, rail, correlation_id="c" * 8)
        assert refused.value.code == "DEPOSIT_LIMIT"
