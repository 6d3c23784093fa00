"""What the driver sends: a seeded stream of commands among the parties.

The same seed and parties give the same stream of kinds, parties and amounts. Two things depend on
the run itself: keys carry the run's id (a key must never be one of an earlier run), and a reversal
takes its target from the transfers completed so far.
"""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from chaos.history.client import Command, Parties, Party
from chaos.history.events import Op, Request, Status

MAX_TARGETS: Final = 256
"""Completed transfers remembered for reversal: recent ones are likelier to be disturbed."""
REVERSE_AGAIN: Final = 0.3
"""Share of reversals that ask for one that was asked for before: what check 11 is about."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Weights of the kinds of operation. They need not add up to anything."""

    transfer: float = 0.86
    deposit: float = 0.05
    withdraw: float = 0.04
    reverse: float = 0.05

    def __post_init__(self) -> None:
        if min(self.weights) < 0 or sum(self.weights) <= 0:
            raise ValueError("weights of a mix are ≥ 0, and at least one is positive")

    @property
    def weights(self) -> tuple[float, float, float, float]:
        """The weights in the order of `KINDS`."""
        return (self.transfer, self.deposit, self.withdraw, self.reverse)


KINDS: Final = (Op.TRANSFER, Op.DEPOSIT, Op.WITHDRAW, Op.REVERSE)


@dataclass(frozen=True, slots=True)
class _Target:
    transfer: str
    request: Request


class Workload:
    """Produces commands; learns of completed transfers that a later command may reverse."""

    def __init__(
        self,
        parties: Parties,
        *,
        run: str,
        seed: int,
        mix: Mix,
        max_amount: int,
        currency: str,
    ) -> None:
        if len(parties.customers) < 2:
            raise ValueError("transfers need at least two customers")
        self._parties = parties
        self._run = run
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._mix = mix
        self._max_amount = max_amount
        self._currency = currency
        self._targets: deque[_Target] = deque(maxlen=MAX_TARGETS)
        self._asked: deque[_Target] = deque(maxlen=MAX_TARGETS)
        self._count = 0

    def funding(self, amount: int) -> Iterator[Command]:
        """Yield one deposit per customer: the only way that money enters."""
        for party in self._parties.customers:
            yield self._deposit(party, amount)

    def commands(self, count: int) -> Iterator[Command]:
        """Yield `count` commands, each made when it is asked for."""
        for _ in range(count):
            yield self._next()

    def completed(self, command: Command, transfer: str, status: Status | None) -> None:
        """Note that a command was carried out, so that it may be reversed."""
        if command.op is Op.TRANSFER and status is Status.COMPLETED:
            self._targets.append(_Target(transfer, command.request))

    def _next(self) -> Command:
        kind = self._random.choices(KINDS, self._mix.weights)[0]
        sender, receiver = self._random.sample(self._parties.customers, 2)
        amount = self._random.randint(1, self._max_amount)
        if kind is Op.REVERSE and self._targets and self._parties.staff is not None:
            return self._reverse(self._parties.staff)
        if kind is Op.DEPOSIT:
            return self._deposit(receiver, amount)
        if kind is Op.WITHDRAW:
            request = self._request(sender, debit=sender.account, amount=amount)
            return Command(Op.WITHDRAW, sender, self._key(), request)
        request = self._request(
            sender, debit=sender.account, credit=receiver.account, amount=amount
        )
        return Command(Op.TRANSFER, sender, self._key(), request, receiver)

    def _deposit(self, party: Party, amount: int) -> Command:
        request = self._request(party, credit=party.account, amount=amount)
        return Command(Op.DEPOSIT, party, self._key(), request)

    def _reverse(self, staff: Party) -> Command:
        again = self._asked and self._random.random() < REVERSE_AGAIN
        target = self._random.choice(self._asked if again else self._targets)
        self._asked.append(target)
        original = target.request
        request = Request(
            user=staff.user,
            debit=original.credit,
            credit=original.debit,
            amount=original.amount,
            currency=original.currency,
            target=target.transfer,
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
