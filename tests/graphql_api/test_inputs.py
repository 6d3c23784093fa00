"""From arguments to contract requests."""

from uuid import uuid4

import pytest

from chassis.errors import CodedError
from graphql_api.inputs import parse_id, request_of
from services.transactions.contract import Create, TransactionType
from services.users.contract import Register

GOOD = {"email": "ana@example.com", "password": "long enough pw", "name": "Ana"}


def test_a_good_request_is_the_contracts() -> None:
    """What fits becomes the service's own request."""
    assert request_of(Register, {**GOOD, "address": None}) == Register(
        email="ana@example.com", password="long enough pw", name="Ana"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", "x" * 250 + "@example.com"),
        ("password", "short"),
        ("name", ""),
        ("name", "a\nb"),
        ("address", "a" * 201),
        ("pictureUrl", "http://example.com/a.png"),
        ("pictureUrl", "javascript:alert(1)"),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not(field: str, value: str) -> None:
    """INVALID_INPUT tells which field and what it must be, without echoing what was sent."""
    with pytest.raises(CodedError) as caught:
        request_of(Register, {**GOOD, field: value})
    assert (caught.value.code, caught.value.field) == ("INVALID_INPUT", field)
    assert not value or value not in caught.value.detail


@pytest.mark.parametrize(
    "metadata",
    [
        {"a b": 1},
        {"a": {"nested": 1}},
        {"a": [1]},
        {"a": 1.5},
        {"a": "x" * 201},
        {f"k{i}": 1 for i in range(21)},
        {"a": 2**70},
        {"": 1},
    ],
)
def test_metadata_is_flat_and_bounded(metadata: dict[str, object]) -> None:
    """Nested, long or many metadata are refused before they reach the service."""
    fields = {
        "idempotencyKey": "key-00000001",
        "type": TransactionType.DEPOSIT,
        "amount": 1,
        "currency": "BRL",
        "metadata": metadata,
    }
    with pytest.raises(CodedError) as caught:
        request_of(Create, fields)
    assert caught.value.code == "INVALID_INPUT"


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_text_that_cannot_be_stored_is_refused(text: str) -> None:
    """U+0000 and half surrogate pairs stop at the gateway, not in a database driver."""
    with pytest.raises(CodedError) as caught:
        request_of(Register, {**GOOD, "password": "long enough pw" + text})
    assert caught.value.code == "INVALID_INPUT"


def test_ids_are_uuids() -> None:
    """Only the canonical form of a UUID is an id."""
    id_ = uuid4()
    assert parse_id(str(id_), "id") == id_
    for text in ("", "1", "{" + str(id_) + "}", id_.hex, str(id_) + "\n", "' OR 1=1 --"):
        with pytest.raises(CodedError) as caught:
            parse_id(text, "id")
        assert (caught.value.code, caught.value.field) == ("INVALID_INPUT", "id")
