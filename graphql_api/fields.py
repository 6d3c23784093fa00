"""Resolver fields with a type that strict checkers accept: Strawberry's own overloads answer `Any`."""

from collections.abc import Callable
from typing import Any

import strawberry

from graphql_api.degradation import Degrades

Resolver = Callable[..., Any]


def field(description: str, *, degrades: Degrades) -> Callable[[Resolver], Any]:
    """A field of a query or of an object, resolved by asking a service.

    Args:
        degrades: what it becomes while that service does not answer; the schema shows it.
    """
    decorate: Callable[[Resolver], Any] = strawberry.field(
        description=description, directives=[degrades]
    )
    return decorate


def mutation(description: str, *, degrades: Degrades) -> Callable[[Resolver], Any]:
    """A mutation, carried out by asking a service; `degrades` as for a field."""
    decorate: Callable[[Resolver], Any] = strawberry.mutation(
        description=description, directives=[degrades]
    )
    return decorate
