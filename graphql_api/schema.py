"""The schema, put together from its domains, and its text.

`graphql_api/schema.graphql` is this schema as text, served at `/schema.graphql`. After a change:
`python -m graphql_api.schema`.
"""

from functools import cache
from pathlib import Path

import strawberry
from graphql import GraphQLSchema
from strawberry.printer import print_schema
from strawberry.schema.config import StrawberryConfig

from graphql_api.accounts.queries import AccountQueries
from graphql_api.notifications.queries import NotificationQueries
from graphql_api.scalars import SCALARS
from graphql_api.sessions.mutations import SessionMutations
from graphql_api.transactions.mutations import TransactionMutations
from graphql_api.transactions.queries import TransactionQueries
from graphql_api.users.mutations import UserMutations
from graphql_api.users.queries import UserQueries

SDL_FILE = Path(__file__).with_name("schema.graphql")

HEADER = "# DO NOT EDIT: written by `python -m graphql_api.schema`.\n\n"


@strawberry.type(
    description=(
        "What can be asked. Fields that cross a service are nullable: when it does not answer they are "
        "null, and an error with a stable code says why."
    )
)
class Query(UserQueries, AccountQueries, TransactionQueries, NotificationQueries):
    pass


@strawberry.type(
    description=(
        "What can be changed. At most one credential or money mutation in an operation; every money "
        "mutation takes an idempotency key."
    )
)
class Mutation(SessionMutations, UserMutations, TransactionMutations):
    pass


CREDENTIAL_MUTATIONS = frozenset({"register", "login", "refreshToken", "logout"})
MONEY_MUTATIONS = frozenset({"transfer", "deposit", "withdraw", "reverse"})
SINGLE_MUTATIONS = CREDENTIAL_MUTATIONS | MONEY_MUTATIONS
"""Mutations of which an operation may have one in all."""


@cache
def build_schema() -> strawberry.Schema:
    """The schema: immutable, so one serves the whole process; building takes some ten milliseconds."""
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
    )


def core_schema(schema: strawberry.Schema) -> GraphQLSchema:
    """The graphql-core schema inside, which we validate against and execute."""
    return schema._schema  # noqa: SLF001 - Strawberry has no public name for it


def sdl(schema: strawberry.Schema) -> str:
    """The schema as text, as committed and served."""
    return HEADER + print_schema(schema) + "\n"


if __name__ == "__main__":
    SDL_FILE.write_text(sdl(build_schema()))
