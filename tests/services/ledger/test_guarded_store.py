"""The writer's store behind its policies: what fails is left alone, what has begun ends."""

from typing import Any

import pytest

from chassis import database
from chassis.database import DatabaseUnavailable
from resilience import BreakerOptions, Pipeline, PipelineOptions
from services.ledger.book import Book
from services.ledger.guarded_store import GuardedStore
from services.ledger.store import Keys

KEYS = Keys([], [], [])


class Failing:
    """A store whose session is gone."""

    connected = False

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def connect(self) -> None:
        self.asked.append("connect")
        raise ConnectionRefusedError

    async def read(self, keys: Keys) -> Book:
        self.asked.append("read")
        raise DatabaseUnavailable("gone")

    async def write(self, book: Book) -> None:
        self.asked.append("write")

    async def commit(self) -> None:
        self.asked.append("commit")

    async def rollback(self) -> None:
        self.asked.append("rollback")

    def terminate(self) -> None:
        self.asked.append("terminate")


def guarded(store: Failing) -> tuple[GuardedStore, Any]:
    options = PipelineOptions(breaker=BreakerOptions(window="consecutive", consecutive_failures=2))
    pipeline = Pipeline("postgres-writer", options, classifier=database.judge)
    return GuardedStore(store, pipeline), pipeline.breaker


async def test_a_failing_database_is_left_alone() -> None:
    """After two failures batches are refused at once, as certainly not done."""
    store = Failing()
    guard, _ = guarded(store)

    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match="gone"):
            await guard.read(KEYS)
    with pytest.raises(DatabaseUnavailable, match="nothing was done"):
        await guard.read(KEYS)
    with pytest.raises(DatabaseUnavailable, match="nothing was done"):
        await guard.connect()

    assert store.asked == ["read", "read"]


async def test_an_open_breaker_never_stops_the_end_of_a_unit_of_work() -> None:
    """COMMIT, ROLLBACK and the end of the session go past it."""
    store = Failing()
    guard, breaker = guarded(store)
    breaker.open()

    await guard.commit()
    await guard.rollback()
    guard.terminate()

    assert store.asked == ["commit", "rollback", "terminate"]
    assert not guard.connected
