"""Resolver fields with a type that strict checkers accept: Strawberry's own overloads answer `Any`."""

from collections.abc import Callable
from typing import Any

import strawberry

Resolver = Callable[..., Any]


def field(description: str) -> Callable[[Resolver], Any]:
    """A field of a query or of an object, resolved by the decorated function."""
    decorate: Callable[[Resolver], Any] = strawberry.field(description=description)
    return decorate


def mutation(description: str) -> Callable[[Resolver], Any]:
    """A mutation, carried out by the decorated function."""
    decorate: Callable[[Resolver], Any] = strawberry.mutation(description=description)
    return decorate
