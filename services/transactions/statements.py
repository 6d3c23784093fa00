"""Reading transactions: by id, by idempotency key, and in pages per user. One statement each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis import codes
from chassis.database import autocommit
from chassis.paging import decode_cursor, encode_cursor
from services.transactions.contract import ListTransactions
from services.transactions.rows import COLUMNS, NAMES, Row

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""No transaction lies outside; bounds beyond are pulled in, since the driver takes no others."""

_BY_ID: Final = text(f"""
SELECT {COLUMNS} FROM transactions t {NAMES} WHERE t.id = ANY(CAST(:ids AS uuid[]))
""")

_BY_KEY: Final = text(f"""
SELECT {COLUMNS}
FROM idempotency i JOIN transactions t ON t.id = i.transaction_id {NAMES}
WHERE i.user_id = :user_id AND i.key = :key
""")


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first; `next` is the cursor of the following page, None at the end."""

    rows: list[Row]
    next: str | None


class Statements:
    """Answers what is known; who may know it is the caller's question."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def by_ids(self, ids: Sequence[UUID]) -> dict[UUID, Row]:
        """Those that exist."""
        async with autocommit(self._engine) as connection:
            rows = await _rows(connection, _BY_ID, {"ids": list(ids)})
        return {row.id: row for row in rows}

    async def by_key(self, user_id: UUID, key: str) -> Row | None:
        """What the user's idempotency key names, as long as the key is kept."""
        async with autocommit(self._engine) as connection:
            rows = await _rows(connection, _BY_KEY, {"user_id": user_id, "key": key})
        return rows[0] if rows else None

    async def pages(self, user_ids: Sequence[UUID], request: ListTransactions) -> list[Page]:
        """A page for each of `user_ids`, in their order.

        Raises:
            CodedError: INVALID_INPUT for a forged cursor or a time without a zone.
        """
        query, parameters = page_query(user_ids, request)
        async with autocommit(self._engine) as connection:
            result = await connection.execute(text(query), parameters)
            found: list[list[Row]] = [[] for _ in user_ids]
            for record in result.mappings():
                found[record["n"] - 1].append(Row.of(record))
        return [_page(rows, request.first) for rows in found]


def page_query(user_ids: Sequence[UUID], request: ListTransactions) -> tuple[str, dict[str, Any]]:
    """The statement for a page per user, and its parameters.

    Each user's page is the newest of two index scans, as sender and as receiver, each of which ends
    after a page. Status and type stand in the text (they come from enums), for the planner to see.
    """
    conditions, parameters = _filters(request)
    as_sender, as_receiver = conditions, conditions
    if request.counterparty_id is not None:
        parameters["counterparty"] = request.counterparty_id
        as_sender += " AND t.receiver_id = :counterparty"
        as_receiver += " AND t.sender_id = :counterparty"
    newest = "ORDER BY created_at DESC, id DESC LIMIT :count"
    query = f"""
    SELECT u.n, {COLUMNS}
    FROM unnest(CAST(:users AS uuid[])) WITH ORDINALITY AS u (user_id, n)
    CROSS JOIN LATERAL (
        (SELECT t.id, t.created_at FROM transactions t
        WHERE t.sender_id = u.user_id{as_sender} {newest})
        UNION ALL
        (SELECT t.id, t.created_at FROM transactions t
        WHERE t.receiver_id = u.user_id{as_receiver} {newest})
        {newest}
    ) page
    JOIN transactions t ON t.id = page.id
    {NAMES}
    ORDER BY u.n, t.created_at DESC, t.id DESC
    """
    parameters["users"] = list(user_ids)
    parameters["count"] = request.first + 1  # one more tells whether there is a next page
    return query, parameters


def _filters(request: ListTransactions) -> tuple[str, dict[str, Any]]:
    conditions: list[str] = []
    parameters: dict[str, Any] = {}
    if request.status is not None:
        conditions.append(f"t.status = '{request.status.value}'")
    if request.type is not None:
        conditions.append(f"t.type = '{request.type.value}'")
    if request.since is not None:
        conditions.append("t.created_at >= :since")
        parameters["since"] = _instant(request.since, "since")
    if request.until is not None:
        conditions.append("t.created_at < :until")
        parameters["until"] = _instant(request.until, "until")
    if request.after is not None:
        conditions.append("(t.created_at, t.id) < (:after_time, :after_id)")
        at, parameters["after_id"] = decode_cursor(request.after)
        parameters["after_time"] = _instant(at, "after")
    return "".join(f" AND {condition}" for condition in conditions), parameters


def _instant(value: datetime, field: str) -> datetime:
    if value.tzinfo is None:
        raise codes.INVALID_INPUT.error(
            "A time needs a zone, as in 2026-01-31T12:00:00Z.", field=field
        )
    return max(EARLIEST, min(value, LATEST))


def _page(rows: list[Row], first: int) -> Page:
    if len(rows) <= first:
        return Page(rows, None)
    last = rows[first - 1]
    return Page(rows[:first], encode_cursor(last.created_at, last.id))


async def _rows(connection: AsyncConnection, query: Any, parameters: dict[str, Any]) -> list[Row]:
    result = await connection.execute(query, parameters)
    return [Row.of(record) for record in result.mappings()]
