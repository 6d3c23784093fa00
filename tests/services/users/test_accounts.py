"""The ledger is told at once, best effort, and never at the cost of what is committed."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.ledger.contract import OPEN_ACCOUNT, SET_ACCOUNT_ACTIVE
from services.users.accounts import PATIENCE
from services.users.contract import SET_USER_ACTIVE, Role, SetUserActive
from tests.asgi import serving
from tests.services.users.conftest import one_key
from tests.services.users.running import Users, running_users


class Ledger:
    """What the service asks of the ledger, noted; answers as told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, object]]] = []
        self.status = 503
        self.hang = asyncio.Event()
        self.hang.set()

    async def answer(self, request: Request) -> JSONResponse:
        self.asked.append((request.url.path, await request.json()))
        await self.hang.wait()
        return JSONResponse({}, self.status)

    def asked_for(self, path: str, user_id: UUID) -> list[dict[str, object]]:
        return [
            body for asked, body in self.asked if (asked, body["ownerId"]) == (path, str(user_id))
        ]


@pytest.fixture
async def ledger() -> Ledger:
    """A ledger that refuses, unless told otherwise."""
    return Ledger()


@pytest.fixture
async def users(database_url: str, tmp_path: Path, ledger: Ledger) -> AsyncIterator[Users]:
    """The users service beside that ledger."""
    routes = [
        Route(operation.path, ledger.answer, methods=["POST"])
        for operation in (OPEN_ACCOUNT, SET_ACCOUNT_ACTIVE)
    ]
    async with (
        serving(Starlette(routes=routes)) as url,
        running_users(database_url, tmp_path, one_key, ledger_url=url) as running,
    ):
        yield running


async def test_account_is_asked_for_after_commit(users: Users, ledger: Ledger) -> None:
    """A registration succeeds although the ledger refuses; it was asked once, for the new user."""
    ana = await users.register()
    assert len(ledger.asked_for(OPEN_ACCOUNT.path, ana.user.id)) == 1


async def test_hanging_ledger_costs_a_second(
    users: Users, ledger: Ledger, engine: AsyncEngine
) -> None:
    """A ledger that never answers delays a registration by a bounded time and loses nothing."""
    ledger.hang.clear()
    started = time.monotonic()
    ana = await users.register()
    assert PATIENCE * 0.8 < time.monotonic() - started < PATIENCE + 4
    ledger.hang.set()
    async with engine.connect() as connection:
        found = await connection.execute(
            text("SELECT count(*) FROM users WHERE id = :id"), {"id": ana.user.id}
        )
        assert found.scalar() == 1


async def test_account_follows_activation(users: Users, ledger: Ledger) -> None:
    """The ledger hears of a deactivation at once, and not of one that changed nothing."""
    admin, ana = await users.staff(Role.ADMIN), await users.register()
    for _ in range(2):
        await users.call(
            SET_USER_ACTIVE,
            SetUserActive(user_id=ana.user.id, active=False),
            token=admin.access_token,
        )
    told = ledger.asked_for(SET_ACCOUNT_ACTIVE.path, ana.user.id)
    assert [body["active"] for body in told] == [False]
