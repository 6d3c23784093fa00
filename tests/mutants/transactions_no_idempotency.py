"""A transactions service that forgets the keys it has seen: a double click pays twice."""

from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette

from chassis.database import transaction
from chassis.server import run
from chassis.settings import Settings
from services.transactions import app
from services.transactions.contract import SERVICE
from services.transactions.intake import Intake, Outcome
from services.transactions.rows import Draft

_FORGET = text("DELETE FROM idempotency WHERE user_id = :user AND key = :key")


class Forgetful(Intake):
    """Deletes the key before it looks for it."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self._own = engine

    async def take(self, drafts: Sequence[Draft]) -> Sequence[Outcome]:
        async with transaction(self._own) as uow:
            for draft in drafts:
                await uow.connection.execute(
                    _FORGET, {"user": draft.initiated_by, "key": draft.idempotency_key}
                )
            await uow.commit()
        return await super().take(drafts)


async def compose(environ: Mapping[str, str]) -> tuple[Starlette, Settings]:
    return await app.compose(environ, intake=Forgetful)


if __name__ == "__main__":
    run(SERVICE, compose)
