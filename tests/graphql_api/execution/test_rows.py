"""Counting the rows that an operation may ask for."""

from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse

from graphql_api.execution.rows import Rows, paged_fields
from graphql_api.schema import build_schema, core_schema
from services.users.contract import Role
from tests.graphql_api.driving import Gateway
from tests.graphql_api.fakes import Platform

PAGED = paged_fields(core_schema(build_schema()))
INNER = "{ edges { node { id } } }"
NESTED = (
    "query Q($n: Int! = 10) { users(first: $n) { edges { node { transactions(first: $n) %s } } } }"
)


def count(source: str, **variables: Any) -> int:
    document = parse(source)
    (operation,) = (
        node for node in document.definitions if isinstance(node, OperationDefinitionNode)
    )
    return Rows.of(document, PAGED).count(operation, variables)


def test_the_paged_fields_are_the_connections() -> None:
    """Whatever takes `first` is counted."""
    assert {"users", "transactions", "notifications"} == PAGED


@pytest.mark.parametrize(
    ("source", "variables", "rows"),
    [
        ("{ me { id account { id } } }", {}, 0),
        (f"{{ transactions {INNER} }}", {}, 20),
        (f"{{ transactions(first: 7) {INNER} notifications(first: 5) {INNER} }}", {}, 12),
        (NESTED % INNER, {}, 10 * 11),
        (NESTED % INNER, {"n": 50}, 50 * 51),
        (NESTED % INNER, {"n": 10**9}, 100 * 101),
        (NESTED % INNER, {"n": -3}, 2),
        (NESTED % INNER, {"n": "fifty"}, 110),
        (NESTED % INNER, {"n": True}, 110),
        (f"{{ a: transactions(first: 3) {INNER} b: transactions(first: 3) {INNER} }}", {}, 6),
        (
            f"{{ me {{ ...F }} ... {{ me {{ ...F }} }} }} fragment F on User {{ transactions {INNER} }}",
            {},
            40,
        ),
    ],
)
def test_page_sizes_add_and_multiply(source: str, variables: dict[str, Any], rows: int) -> None:
    """Side by side they add, one in the other they multiply, fragments count where they are spread."""
    assert count(source, **variables) == rows


async def test_too_many_rows_are_refused_before_anything_is_asked(
    gateway: Gateway, platform: Platform
) -> None:
    """Page sizes in variables count too."""
    admin = platform.add_user(role=Role.ADMIN)
    reply = await gateway.query(NESTED % INNER, {"n": 100}, user=admin)
    assert reply.codes == ["OPERATION_TOO_LARGE"]
    assert "10100 rows" in reply.errors[0]["message"]
    assert sum(platform.counts().values()) == 0
    assert (await gateway.query(NESTED % INNER, {"n": 60}, user=admin)).errors == []
