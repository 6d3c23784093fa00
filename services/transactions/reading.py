"""Reading transactions and statements, for those who may see them."""

from chassis.context import Call
from services.transactions.contract import (
    FindTransaction,
    FoundTransaction,
    GetTransactions,
    ListTransactions,
    TransactionPage,
    TransactionPages,
    Transactions,
)
from services.transactions.statements import Statements
from services.transactions.views import may_see, signed_in, view


class Reading:
    """Reads transactions for those who may see them."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def get(self, call: Call, request: GetTransactions) -> Transactions:
        """By id; null for what is not there and for what the user may not see, alike."""
        user = signed_in(call)
        rows = await self._statements.by_ids(request.ids) if request.ids else {}
        visible = {id_: view(row, user) for id_, row in rows.items() if may_see(row, user)}
        return Transactions(transactions=[visible.get(id_) for id_ in request.ids])

    async def find(self, call: Call, request: FindTransaction) -> FoundTransaction:
        """By the user's own idempotency key."""
        user = signed_in(call)
        row = await self._statements.by_key(user.id, request.idempotency_key)
        return FoundTransaction(transaction=None if row is None else view(row, user))

    async def list(self, call: Call, request: ListTransactions) -> TransactionPages:
        """A page per user; null for users whose statement the caller may not see."""
        user = signed_in(call)
        allowed = [
            id_ for id_ in dict.fromkeys(request.user_ids) if user.is_staff or id_ == user.id
        ]
        found = await self._statements.pages(allowed, request) if allowed else []
        pages = {
            id_: TransactionPage(
                transactions=[view(row, user) for row in page.rows], next=page.next
            )
            for id_, page in zip(allowed, found, strict=True)
        }
        return TransactionPages(pages=[pages.get(id_) for id_ in request.user_ids])
