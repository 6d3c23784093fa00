"""Money from outside."""

from loadtests.journeys.journey import Journey
from loadtests.journeys.pay import MAX_AMOUNT
from loadtests.money import insist
from loadtests.visit import Visit


def run(visit: Visit) -> None:
    """Pay in; insist with the same key."""
    person = visit.person
    amount = person.draw.randint(1, MAX_AMOUNT)
    insist(visit, visit.load.commands.deposit(person.customer, amount), person.session)


JOURNEY = Journey("deposit", "money from outside, by the demonstration rail", run)
