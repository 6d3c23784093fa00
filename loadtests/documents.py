"""The GraphQL documents of the journeys; those that move money are `chaos.history`'s.

Everything that may be a copy is asked with its `freshness`, since that is how a client learns of it.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Query:
    """One document.

    Attributes:
        field: the root field, which names the step.
        document: GraphQL.
        effect: whether it changes something.
        nullable: whether null without an error is a good answer.
    """

    field: str
    document: str
    effect: bool = False
    nullable: bool = False

    @property
    def shows_freshness(self) -> bool:
        """Whether it asks what is a copy."""
        return "freshness" in self.document


_SESSION: Final = "{ accessToken refreshToken user { id } }"
_FRESHNESS: Final = "freshness { state ageSeconds }"
_PARTY: Final = f"{{ id name {_FRESHNESS} }}"
_TRANSACTION: Final = f"""{{
  id type status amount {{ amount currency }} description createdAt {_FRESHNESS}
  sender {_PARTY} receiver {_PARTY}
}}"""
_ACCOUNT: Final = f"""{{
  id balance {{ amount currency }} available {{ amount }} balanceAsOf {_FRESHNESS}
}}"""

REGISTER: Final = Query(
    "register",
    f"mutation Register($input: RegisterInput!) {{ register(input: $input) {_SESSION} }}",
    effect=True,
)
LOGIN: Final = Query(
    "login",
    f"mutation Login($input: LoginInput!) {{ login(input: $input) {_SESSION} }}",
    effect=True,
)
REFRESH: Final = Query(
    "refreshToken",
    f"mutation Refresh($input: RefreshTokenInput!) {{ refreshToken(input: $input) {_SESSION} }}",
    effect=True,
)
PROFILE: Final = Query(
    "updateProfile",
    "mutation Profile($input: UpdateProfileInput!)"
    " { updateProfile(input: $input) { id name updatedAt } }",
    effect=True,
)
ACCOUNT: Final = Query("account", f"query Account {{ account {_ACCOUNT} }}", nullable=True)
OVERVIEW: Final = Query(
    "me", f"query Overview {{ me {{ id name {_FRESHNESS} account {_ACCOUNT} }} }}"
)
STATEMENT: Final = Query(
    "transactions",
    f"""query Statement($first: Int!, $after: String) {{
  transactions(first: $first, after: $after) {{
    {_FRESHNESS} edges {{ cursor node {_TRANSACTION} }} pageInfo {{ hasNextPage endCursor }}
  }}
}}""",
)
NOTIFICATIONS: Final = Query(
    "notifications",
    f"""query Notifications {{
  notifications(first: 10) {{
    {_FRESHNESS}
    edges {{ node {{ id type title body createdAt transaction {{ id status {_FRESHNESS} }} }} }}
  }}
}}""",
)
