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
from chaos.history.commands import Commands
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
        self._commands = Commands(run, currency)
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._mix = mix
        self._max_amount = max_amount
        self._targets: deque[_Target] = deque(maxlen=MAX_TARGETS)
        self._asked: deque[_Target] = deque(maxlen=MAX_TARGETS)

    def funding(self, amount: int) -> Iterator[Command]:
        """Yield one deposit per customer: the only way that money enters."""
        for party in self._parties.customers:
            yield self._commands.deposit(party, amount)

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
            return self._commands.deposit(receiver, amount)
        if kind is Op.WITHDRAW:
            return self._commands.withdraw(sender, amount)
        return self._commands.transfer(sender, receiver, amount)

    def _reverse(self, staff: Party) -> Command:
        again = self._asked and self._random.random() < REVERSE_AGAIN
        target = self._random.choice(self._asked if again else self._targets)
        self._asked.append(target)
        return self._commands.reverse(staff, target.transfer, target.request)
