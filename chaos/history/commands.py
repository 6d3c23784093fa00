"""Commands, each under an idempotency key of the run that sends them."""

from chaos.history.client import Command, Party
from chaos.history.events import Op, Request


class Commands:
    """Makes the commands of one run.

    Args:
        run: the run's id, which every key begins with: a key must never be one of an earlier run.
        currency: of all amounts, which are in minor units.
    """

    def __init__(self, run: str, currency: str) -> None:
        self._run = run
        self._currency = currency
        self._count = 0

    def transfer(self, sender: Party, receiver: Party, amount: int) -> Command:
        """Pay another customer."""
        request = self._request(
            sender, debit=sender.account, credit=receiver.account, amount=amount
        )
        return Command(Op.TRANSFER, sender, self._key(), request, receiver)

    def deposit(self, party: Party, amount: int) -> Command:
        """Pay money in from outside."""
        request = self._request(party, credit=party.account, amount=amount)
        return Command(Op.DEPOSIT, party, self._key(), request)

    def withdraw(self, party: Party, amount: int) -> Command:
        """Pay money out to outside."""
        request = self._request(party, debit=party.account, amount=amount)
        return Command(Op.WITHDRAW, party, self._key(), request)

    def reverse(self, staff: Party, transfer: str, original: Request) -> Command:
        """Take back the completed `transfer` that `original` asked for."""
        request = Request(
            user=staff.user,
            debit=original.credit,
            credit=original.debit,
            amount=original.amount,
            currency=original.currency,
            target=transfer,
        )
        return Command(Op.REVERSE, staff, self._key(), request)

    def _request(
        self, party: Party, *, amount: int, debit: str | None = None, credit: str | None = None
    ) -> Request:
        return Request(
            user=party.user, debit=debit, credit=credit, amount=amount, currency=self._currency
        )

    def _key(self) -> str:
        self._count += 1
        return f"{self._run}-{self._count:07d}"
