"""The operations to explore: one for each root field of the schema, by domain."""

from collections.abc import Mapping
from typing import Final

from chaos.explore.operations import accounts, notifications, sessions, transactions, users
from chaos.explore.operations.operation import Actor, Effect, Operation, Person, Scene

__all__ = ["OPERATIONS", "Actor", "Effect", "Operation", "Person", "Scene"]

OPERATIONS: Final[Mapping[str, Operation]] = {
    operation.name: operation
    for operation in (
        *users.OPERATIONS,
        *accounts.OPERATIONS,
        *transactions.OPERATIONS,
        *notifications.OPERATIONS,
        *sessions.OPERATIONS,
    )
}
"""By name. A test fails when a root field of the schema is missing."""
