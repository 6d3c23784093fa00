"""A payment to another user."""

from typing import Final

from chaos.history.client import Command
from loadtests.journeys.journey import Journey
from loadtests.money import insist
from loadtests.visit import Visit

MAX_AMOUNT: Final = 2_000
"""Minor units: so little that nobody runs out of money, since a refusal for want of funds tests nothing."""


def payment(visit: Visit) -> Command:
    """A transfer to one of the others, drawn."""
    person = visit.person
    others = [other for other in visit.load.people if other is not person and other.party]
    receiver = person.draw.choice(others).customer
    amount = person.draw.randint(1, MAX_AMOUNT)
    return visit.load.commands.transfer(person.customer, receiver, amount)


def run(visit: Visit) -> None:
    """Pay; insist with the same key; follow it while it is pending."""
    insist(visit, payment(visit), visit.person.session)


JOURNEY = Journey("pay", "a transfer, sent again with its key until its outcome is known", run)
