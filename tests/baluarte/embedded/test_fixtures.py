"""The servers that all other tests stand on."""

import asyncio
import logging
import time

import aio_pika
import pytest
import redis.asyncio

from baluarte import databases
from tests import conftest
from tests.conftest import BLOCKED_SECONDS, CreateDatabase
from tests.servers import PostgresServer, unavailable
from tests.waiting import eventually


async def test_a_created_database_is_empty_and_ours(create_database: CreateDatabase) -> None:
    """Each call of the factory gives another empty database that the test may write to."""
    first, second = await create_database("users"), await create_database("users")
    assert first != second
    async with databases.connection(first) as connection:
        await connection.execute("CREATE TABLE t (x int)")
    async with databases.connection(second) as connection:
        assert await connection.fetchval("SELECT to_regclass('t')") is None


async def test_a_database_can_be_copied_from_a_template(create_database: CreateDatabase) -> None:
    """A template's content is in the copy."""
    template = await create_database("template")
    async with databases.connection(template) as connection:
        await connection.execute("CREATE TABLE t AS SELECT 7 AS x")
    copy = await create_database("copy", template=template.rpartition("/")[2])
    async with databases.connection(copy) as connection:
        assert await connection.fetchval("SELECT x FROM t") == 7


async def test_text_is_compared_by_unicode_rules(postgres_server: PostgresServer) -> None:
    """lower() knows Portuguese letters, so that e-mails differ by more than case."""
    async with databases.connection(postgres_server.url) as connection:
        assert await connection.fetchval("SELECT lower('JOÃO')") == "joão"


async def test_valkey_answers(valkey_url: str) -> None:
    """Valkey takes a key with a TTL and gives it back."""
    client = redis.asyncio.Redis.from_url(valkey_url)
    await client.set("fixture", "1", ex=10)
    assert await client.get("fixture") == b"1"
    await client.aclose()


async def test_the_broker_carries_a_message(amqp_url: str) -> None:
    """RabbitMQ takes a message with a confirm and gives it back."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await channel.default_exchange.publish(aio_pika.Message(b"hello"), queue.name)

        async def received() -> bool:
            message = await queue.get(fail=False)
            return message is not None and message.body == b"hello"

        await eventually(received)


def test_a_missing_server_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is a skip with a reason at a desk is a failure with CI=true."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no broker"):
        unavailable("no broker")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no broker"):
        unavailable("no broker")


async def test_waiting_is_bounded() -> None:
    """A condition that never holds fails after its timeout, and shows the last failed assertion."""

    seen: list[int] = []

    def never() -> bool:
        assert seen == [1], "one is missing"
        return True

    started = time.monotonic()
    with pytest.raises(AssertionError, match=r"not true within 0\.05 s") as failed:
        await eventually(never, timeout=0.05)
    assert "one is missing" in str(failed.value.__cause__)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(("starved", "reports"), [(0.0, 1), (4.0, 0)], ids=["its-own", "starved"])
def test_a_callback_is_not_blamed_for_a_busy_machine(
    monkeypatch: pytest.MonkeyPatch, starved: float, reports: int
) -> None:
    """A callback that held the loop is reported, but not for time in which others had the processors."""
    readings = iter([1.0, 1.0 + starved])
    monkeypatch.setattr(conftest, "starved", lambda: next(readings))
    handler = conftest._BlockedCallbacks()
    with conftest.watching(handler):
        logging.getLogger("asyncio").warning("Executing %s took %.3f seconds", "<Task>", 5.0)
    assert len(handler.reports) == reports


@pytest.mark.may_block
async def test_a_test_may_be_allowed_to_block() -> None:
    """The marker switches the blocked-loop check off."""
    await asyncio.sleep(0)
    time.sleep(BLOCKED_SECONDS + 0.1)
