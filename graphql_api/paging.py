"""Connections in the manner of Relay, over the services' keyset pages."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Generic, Protocol, TypeVar
from uuid import UUID

import strawberry

from chassis import codes
from chassis.paging import encode_cursor
from graphql_api.degradation import Freshness

Node = TypeVar("Node")

DEFAULT_PAGE = 20
LARGEST_PAGE = 100
"""Most rows of one page: the services' own bound."""

FIRST = "How many to return, 1 to 100."
AFTER = "The cursor after which the page starts: `pageInfo.endCursor` of the page before."


class Row(Protocol):
    """What a service's row needs for a cursor."""

    @property
    def id(self) -> UUID: ...
    @property
    def created_at(self) -> datetime: ...


RowT = TypeVar("RowT", bound=Row)


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follow after `endCursor`.")
    has_previous_page: bool = strawberry.field(
        description="Whether this page began after a cursor."
    )
    start_cursor: str | None = strawberry.field(description="Cursor of the first; null when empty.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last; null when empty.")


@strawberry.type(description="An entry of a page.")
class Edge(Generic[Node]):
    node: Node = strawberry.field(description="The entry itself.")
    cursor: str = strawberry.field(description="Opaque position; valid as `after`.")


@strawberry.type(description="A page of a list, newest first.")
class Connection(Generic[Node]):
    edges: list[Edge[Node]] = strawberry.field(description="The entries of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page lies in the list.")
    freshness: Freshness = strawberry.field(
        description="Whether the page is current, which an empty one could not say otherwise."
    )


def connection(
    rows: Iterable[RowT],
    following: str | None,
    after: str | None,
    of: Callable[[RowT], Node],
    freshness: Freshness,
) -> Connection[Node]:
    """The page of `rows`, of which `following` is the service's cursor for the next one."""
    edges = [Edge(node=of(row), cursor=encode_cursor(row.created_at, row.id)) for row in rows]
    return Connection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=following is not None,
            has_previous_page=after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=following or (edges[-1].cursor if edges else None),
        ),
        freshness=freshness,
    )


def page_size(first: int) -> int:
    """`first` if it is in bounds.

    Raises:
        CodedError: INVALID_INPUT.
    """
    if not 1 <= first <= LARGEST_PAGE:
        raise codes.INVALID_INPUT.error(
            f"`first` must be between 1 and {LARGEST_PAGE}.", field="first"
        )
    return first
