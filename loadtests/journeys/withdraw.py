"""Money to outside."""

from loadtests.journeys.journey import Journey
from loadtests.journeys.pay import MAX_AMOUNT
from loadtests.money import insist
from loadtests.visit import Visit


def run(visit: Visit) -> None:
    """Pay out; insist with the same key."""
    person = visit.person
    amount = person.draw.randint(1, MAX_AMOUNT)
    insist(visit, visit.load.commands.withdraw(person.customer, amount), person.session)


JOURNEY = Journey("withdraw", "money to outside, by the demonstration rail", run)
