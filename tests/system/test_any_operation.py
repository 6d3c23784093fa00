"""The gateway answers any operation that its schema allows with data or with a coded error, never INTERNAL.

Schemathesis makes operations from the schema that the gateway shows: every field, with arguments of the
right types and any value, sent by nobody, by a customer and by staff.
"""

import json
import math
from functools import cache
from typing import Any

import graphql
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.graphql import nodes

from chassis import codes
from graphql_api.schema import build_schema, core_schema
from tests.kill.platform import Platform
from tests.system.clients import Person

EXAMPLES = 10
"""Operations of each root field."""

_TEXTS = st.text(max_size=20)
_AMOUNTS = st.decimals(-10, 10**9, places=2).map(str) | st.sampled_from(["", "NaN", "1e9", "0.001"])
_INSTANTS = st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
_VALUES = st.integers() | st.booleans() | st.none() | _TEXTS | st.just(math.pi)


def _node(value: object) -> graphql.ValueNode:
    """`value` as it is written in a document."""
    if isinstance(value, dict):
        fields = [
            graphql.ObjectFieldNode(name=graphql.NameNode(value=name), value=_node(item))
            for name, item in value.items()
        ]
        return graphql.ObjectValueNode(fields=tuple(fields))
    made = graphql.parse_value(json.dumps(value))
    assert isinstance(made, graphql.ValueNode)
    return made


SCALARS = {
    "DecimalString": (_AMOUNTS | _TEXTS).map(nodes.String),
    "DateTime": (_INSTANTS | _TEXTS).map(nodes.String),
    "Metadata": st.dictionaries(st.from_regex(r"\A[A-Za-z_]{1,9}\Z"), _VALUES, max_size=4).map(
        _node
    ),
}


@pytest.fixture(scope="module", autouse=True)
def scalars() -> None:
    """What our own scalars look like."""
    for name, strategy in SCALARS.items():
        schemathesis.graphql.scalar(name, strategy)


@cache
def _operations(url: str) -> dict[str, Any]:
    """Every root field, from the schema that the gateway shows to tools."""
    schema = schemathesis.graphql.from_url(url)
    found: list[Any] = list(schema.get_all_operations())
    return {result.ok().label: result.ok() for result in found}


def _root_fields() -> list[str]:
    schema = core_schema(build_schema())
    assert schema.query_type is not None
    assert schema.mutation_type is not None
    return [
        f"{kind}.{name}"
        for kind, type_ in (("Query", schema.query_type), ("Mutation", schema.mutation_type))
        for name in type_.fields
    ]


@pytest.mark.parametrize("field", _root_fields())
def test_any_operation_is_answered(system: Platform, people: dict[str, Person], field: str) -> None:
    """Data, or errors with codes of ours; INTERNAL would be a bug."""
    url = f"{system.url}/graphql"
    session = requests.Session()
    callers = {
        "nobody": "",
        "customer": people["mallory"].token,
        "support": people["support"].token,
        "admin": people["admin"].token,
    }

    @settings(
        max_examples=EXAMPLES,
        deadline=None,  # a busy machine is no finding
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=_operations(url)[field].as_strategy(), caller=st.sampled_from(sorted(callers)))
    def attempt(case: Any, caller: str) -> None:
        token = callers[caller]
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = case.call(base_url=url, headers=headers, session=session)
        told = answer.json()
        errors = told.get("errors", [])
        for error in errors:
            code = error["extensions"]["code"]
            assert codes.known(code) is not None, told
            assert code != "INTERNAL", told
        assert errors or told["data"], told
        assert answer.status_code < 500 or errors, told

    attempt()
