"""The statement, page by page."""

from typing import Any, Final

from loadtests.documents import STATEMENT
from loadtests.journeys.journey import Journey
from loadtests.sessions import look
from loadtests.visit import Visit

PAGES: Final = 3
"""Nobody scrolls further."""
ROWS: Final = 20


def run(visit: Visit) -> None:
    """The first pages, each from where the one before ended."""
    after: str | None = None
    for _ in range(PAGES):
        page: Any = look(visit, STATEMENT, {"first": ROWS, "after": after}).node
        if page is None or not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


JOURNEY = Journey("statement", f"the statement, up to {PAGES} pages of {ROWS}", run)
