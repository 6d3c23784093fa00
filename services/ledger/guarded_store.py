"""The writer's store behind the policies of its database session.

Connecting, reading and writing are attempts of the pipeline: while the database fails, batches are refused
at once instead of each waiting for its time-out. COMMIT and ROLLBACK go past it, because a unit of work
that has begun must end, and only the writer knows what a lost COMMIT means.
"""

from chassis.database import DatabaseUnavailable
from resilience import Pipeline, Rejected
from services.ledger.book import Book
from services.ledger.store import Keys, Store


class GuardedStore:
    """`Store` over another one.

    Args:
        pipeline: must not retry: a unit of work is repeated as a whole, by the writer.
    """

    def __init__(self, store: Store, pipeline: Pipeline) -> None:
        self._store = store
        self._connect = pipeline.mutation(store.connect)
        self._read = pipeline.mutation(store.read)
        self._write = pipeline.mutation(store.write)

    @property
    def connected(self) -> bool:
        return self._store.connected

    async def connect(self) -> None:
        try:
            await self._connect()
        except Rejected as rejection:
            raise _resting(rejection) from None

    async def read(self, keys: Keys) -> Book:
        try:
            return await self._read(keys)
        except Rejected as rejection:
            raise _resting(rejection) from None

    async def write(self, book: Book) -> None:
        try:
            await self._write(book)
        except Rejected as rejection:
            raise _resting(rejection) from None

    async def commit(self) -> None:
        await self._store.commit()

    async def rollback(self) -> None:
        await self._store.rollback()

    def terminate(self) -> None:
        self._store.terminate()


def _resting(rejection: Rejected) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "The database is given a rest; nothing was done.", retry_after=rejection.retry_after
    )
