"""Scalars of the schema. They check the shape only; what a value means is checked where it is used."""

from datetime import datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError, ValueNode
from graphql.utilities import value_from_ast_untyped
from strawberry.types.scalar import ScalarDefinition

DecimalString = NewType("DecimalString", str)
"""An exact decimal number as text."""

MetadataObject = NewType("MetadataObject", dict[str, Any])
"""A flat JSON object."""

MAX_DECIMAL = 32
"""Longest decimal text looked at, characters: the largest amount has 16 digits."""


def _decimal(value: object) -> str:
    if not isinstance(value, str):
        raise GraphQLError(
            'DecimalString is written as text, such as "12.50", so that no digit is lost.'
        )
    if len(value) > MAX_DECIMAL:
        raise GraphQLError(f"DecimalString has {MAX_DECIMAL} characters at most.")
    return value


def _metadata(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise GraphQLError("Metadata is a JSON object.")
    return value


def _metadata_literal(node: ValueNode, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    return _metadata(value_from_ast_untyped(node, variables))


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise GraphQLError("DateTime is written as text.")
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise GraphQLError(
            "DateTime is an ISO 8601 instant with its offset from UTC, such as 2026-01-31T12:00:00Z."
        )
    return instant


SCALARS: dict[object, ScalarDefinition] = {
    DecimalString: strawberry.scalar(
        name="DecimalString",
        description=(
            'An exact decimal number as text, such as "12.50": digits and at most one point, no '
            "exponent, no thousands separator; a minus only in answers."
        ),
        serialize=str,
        parse_value=_decimal,
    ),
    MetadataObject: strawberry.scalar(
        name="Metadata",
        description=(
            "A flat JSON object of at most 20 keys ([A-Za-z0-9_.-], up to 40 characters) whose values "
            "are texts of up to 200 characters, integers, booleans or null."
        ),
        serialize=lambda value: value,
        parse_value=_metadata,
        parse_literal=_metadata_literal,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description=(
            "An instant as ISO 8601 text with its offset from UTC, such as 2026-01-31T12:00:00Z."
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=datetime.isoformat,
        parse_value=_instant,
    ),
}
"""What `StrawberryConfig.scalar_map` takes."""

__all__ = ["SCALARS", "DecimalString", "MetadataObject"]
