"""The work is done, and nobody hears of it: the fault behind every OUTCOME_UNKNOWN."""

from typing import Any

import aiohttp
import pytest
from sqlalchemy import text

from chassis.context import Call
from chassis.database import create_engine, transaction
from chassis.errors import CodedError
from tests.chassis.echo_service import CHANGE, Said, Say
from tests.chassis.faults.faulted import Faulted
from tests.chassis.test_client import call
from tests.conftest import CreateDatabase


async def test_what_the_handler_did_is_committed(
    faulted: Faulted, create_database: CreateDatabase
) -> None:
    """The client sees a broken connection, and the row that the handler wrote is in the database."""
    engine = create_engine(await create_database("lost"), application_name="test")
    async with transaction(engine) as uow:
        await uow.connection.execute(text("CREATE TABLE posted (what text)"))
        await uow.commit()

    async def post(context: Call, request: Any) -> Said:
        async with transaction(engine) as uow:
            await uow.connection.execute(
                text("INSERT INTO posted VALUES (:what)"), {"what": request.text}
            )
            await uow.commit()
        return Said(text=request.text, caller="", user_id=None, correlation_id="", deadline_ms=0)

    faulted.running.echo.instead = post
    await faulted.inject("lose_answer")

    with pytest.raises(aiohttp.ClientConnectionError):
        await faulted.say("salary", "/v1/change")

    async with transaction(engine) as uow:
        rows = (await uow.connection.execute(text("SELECT what FROM posted"))).scalars().all()
    await engine.dispose()
    assert rows == ["salary"]


async def test_our_client_tells_that_it_does_not_know(faulted: Faulted) -> None:
    """A change whose answer was lost is OUTCOME_UNKNOWN, never "nothing was done"."""
    await faulted.inject("lose_answer")

    with pytest.raises(CodedError, match="OUTCOME_UNKNOWN"):
        await faulted.running.client().call(call(), CHANGE, Say(text="oi"))

    assert faulted.calls == 1
