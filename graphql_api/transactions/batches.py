"""Batch functions over the transactions service, and the names of counterparties."""

from collections.abc import Sequence
from uuid import UUID

from chassis.context import Call
from chassis.errors import CodedError
from graphql_api.batching import Ask, Failure, each, for_owners, may_see
from graphql_api.degradation import NAME, TRANSACTION
from graphql_api.downstream.last_good import COUNTERPARTY, OWNER, STAFF, JsonCodec, Kept
from graphql_api.transactions.pages import KeptPage, Statement, kept_pages
from resilience import Served
from services.transactions import contract
from services.users.contract import PublicName

STATEMENTS_LIMIT = 100
"""Most users of one statement call, as the contract says."""


def _reader(call: Call) -> str:
    """Who reads: what is seen of a transaction depends on the reader, staff or not."""
    return str(call.user.id) if call.user is not None else ""


def _view(call: Call, _: object) -> str:
    return STAFF if call.user is not None and call.user.is_staff else OWNER


def _may_read_transaction(call: Call, id_: UUID, row: contract.Transaction) -> bool:
    return row.id == id_ and takes_part(call, row)


def _may_read_name(call: Call, user_id: UUID, name: PublicName) -> bool:
    return name.id == user_id and call.user is not None


KEPT_TRANSACTIONS = Kept(
    contract="transactions.transaction.v1",
    codec=JsonCodec(contract.Transaction),
    max_stale_seconds=TRANSACTION.seconds,
    entity=lambda call, id_: f"{id_}:{_reader(call)}",
    view=_view,
    may_read=_may_read_transaction,
)
"""By id only. A look-up by idempotency key has no copies: finding nothing means "not seen yet", and what
the client does next hangs on it."""

KEPT_NAMES = Kept(
    contract="users.name.v1",
    codec=JsonCodec(PublicName),
    max_stale_seconds=NAME.seconds,
    entity=lambda _, user_id: str(user_id),
    view=lambda *_: COUNTERPARTY,
    may_read=_may_read_name,
)


async def transactions(
    ask: Ask, ids: Sequence[UUID]
) -> list[Served[contract.Transaction] | Failure | None]:
    """Each transaction; None where there is none or the caller takes no part in it."""
    service = ask.downstream.transactions
    rows = await each(
        ids,
        lambda keys: service.last_good.read(
            ask.call, KEPT_TRANSACTIONS, keys, lambda call: service.by_id(call, keys)
        ),
    )
    return [
        row if not isinstance(row, Served) or takes_part(ask.call, row.value) else None
        for row in rows
    ]


async def statements(
    ask: Ask, statement: Statement, user_ids: Sequence[UUID]
) -> list[Served[contract.TransactionPage] | Failure | None]:
    """The page of each user that `statement` describes."""
    service = ask.downstream.transactions
    digest = statement.digest()

    async def fetch(ids: list[UUID]) -> Sequence[Served[KeptPage] | CodedError | None]:
        async def ask_service(call: Call) -> list[KeptPage | None]:
            pages = await service.pages(call, statement.request(ids))
            return [KeptPage(statement=digest, page=page) if page else None for page in pages]

        return await service.last_good.read(ask.call, kept_pages(digest), ids, ask_service)

    outcomes = await for_owners(ask.call, user_ids, fetch)
    return [_unwrapped(item) if isinstance(item, Served) else item for item in outcomes]


def _unwrapped(kept: Served[KeptPage]) -> Served[contract.TransactionPage]:
    return Served(kept.value.page, kept.freshness, kept.age, kept.tier, kept.error)


async def names(ask: Ask, user_ids: Sequence[UUID]) -> list[Served[PublicName] | Failure | None]:
    """The name of each user: all that a counterparty may know."""
    users = ask.downstream.users
    return await each(
        user_ids,
        lambda ids: users.last_good.read(
            ask.call, KEPT_NAMES, ids, lambda call: users.names(call, ids)
        ),
    )


def takes_part(call: Call, row: contract.Transaction) -> bool:
    """Whether the caller may see the transaction: as a party, as its initiator, or as staff."""
    parties = (row.sender_id, row.receiver_id, row.initiated_by)
    return any(party is not None and may_see(call, party) for party in parties)
