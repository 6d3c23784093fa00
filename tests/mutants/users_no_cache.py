"""A users service without its cache of profiles: every name that is shown is a question to PostgreSQL."""

from collections.abc import Mapping

from starlette.applications import Starlette

from chassis.server import run
from chassis.settings import Settings
from services.users import app
from services.users.contract import SERVICE


async def compose(environ: Mapping[str, str]) -> tuple[Starlette, Settings]:
    return await app.compose({**environ, "BALUARTE_REDIS_URL": ""})


if __name__ == "__main__":
    run(SERVICE, compose)
