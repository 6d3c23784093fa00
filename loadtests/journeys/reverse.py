"""Staff take a payment back."""

from chaos.history.events import Status
from loadtests.journeys.journey import Journey
from loadtests.journeys.pay import payment
from loadtests.load import Target
from loadtests.money import insist
from loadtests.visit import Visit


def run(visit: Visit) -> None:
    """Reverse a payment that was completed before; make one where there is none yet.

    Each is reversed by one key only: a second would be refused, which is right and tells nothing.
    """
    load, staff = visit.load, visit.load.staff
    if staff is None:
        raise RuntimeError("the configuration lets nobody reverse without staff")
    if load.targets:
        index = visit.person.draw.randrange(len(load.targets))
        target = load.targets[index]
        del load.targets[index]
    else:
        command = payment(visit)
        outcome = insist(visit, command, visit.person.session)
        if outcome.answer.status is not Status.COMPLETED or outcome.answer.transfer is None:
            return
        target = Target(outcome.answer.transfer, command.request)
        if target in load.targets:
            load.targets.remove(target)
    command = load.commands.reverse(staff.customer, target.transfer, target.request)
    insist(visit, command, staff.session)


JOURNEY = Journey("reverse", "staff take a completed payment back", run)
