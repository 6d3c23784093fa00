"""Moving money as a careful client does: the same key until its outcome is known, each attempt noted."""

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from gevent.pool import Pool

from chaos.history.answers import SIGNED_OUT, Unanswered, classify, variables
from chaos.history.book import FINAL
from chaos.history.case import Kind
from chaos.history.client import Command, Outcome, Party
from chaos.history.events import Op, Request, Status
from loadtests.answers import money_query
from loadtests.limits import LOOK_UPS, MAX_PAUSE, RESOLVE_SECONDS, RESOLVERS, SEND_ATTEMPTS
from loadtests.load import Load, Target
from loadtests.people import Person, Session
from loadtests.sessions import renew
from loadtests.visit import Visit


def send(
    visit: Visit,
    command: Command,
    session: Session,
    *,
    attempt: int = 1,
    process: int | None = None,
) -> Outcome:
    """Send a command once. The invoke line is in the history before the request leaves."""
    load, number = visit.load, visit.person.number if process is None else process
    load.book.ask(number, command.op, command.key, command.request)
    with _abandoned(load, number, command.op, command.key, command.party):
        _, reply = visit.exchange(money_query(command.op), variables(command), session, attempt)
    outcome = classify(command.op, reply)
    load.book.told(number, command.op, command.key, command.party, outcome)
    transfer, status = outcome.answer.transfer, outcome.answer.status
    if command.op is Op.TRANSFER and status is Status.COMPLETED and transfer is not None:
        load.targets.append(Target(transfer, command.request))
    return outcome


def insist(visit: Visit, command: Command, session: Session, *, attempts: int = 0) -> Outcome:
    """Send the same key until its outcome is definite, or patience, or the load, is at an end.

    Args:
        attempts: how often it was sent before.
    """
    outcome = send(visit, command, session, attempt=attempts + 1)
    for attempt in range(SEND_ATTEMPTS - 1):
        if not _worth_another(outcome):
            break
        if not visit.load.pause(attempt, outcome.retry_after):
            break
        if outcome.answer.code in SIGNED_OUT and not renew(visit, session):
            break
        outcome = send(visit, command, session, attempt=attempts + attempt + 2)
    if outcome.answer.status is Status.PENDING:
        return follow(visit, command, session, outcome)
    return outcome


def follow(visit: Visit, command: Command, session: Session, outcome: Outcome) -> Outcome:
    """Look a PENDING payment up by its key until it is final, a bounded number of times."""
    for attempt in range(LOOK_UPS):
        if not visit.load.pause(attempt + 1, outcome.retry_after):
            break
        outcome = find(visit, command.key, command.party, session, attempt=attempt + 1)
        if outcome.answer.code in SIGNED_OUT:
            renew(visit, session)
        if outcome.answer.status in FINAL:
            break
    return outcome


def find(visit: Visit, key: str, party: Party, session: Session, *, attempt: int = 1) -> Outcome:
    """Ask what became of a key."""
    load, number = visit.load, visit.person.number
    load.book.ask(number, Op.FIND, key, Request(user=party.user))
    with _abandoned(load, number, Op.FIND, key, party):
        _, reply = visit.exchange(money_query(Op.FIND), {"key": key}, session, attempt)
    outcome = classify(Op.FIND, reply)
    load.book.told(number, Op.FIND, key, party, outcome)
    return outcome


@contextmanager
def _abandoned(load: Load, process: int, op: Op, key: str, party: Party) -> Iterator[None]:
    """Note that nobody knows, when the waiting for an answer is cut short: Locust ends users so."""
    try:
        yield
    except BaseException:
        reply = Unanswered("the user was stopped while it waited")
        load.book.told(process, op, key, party, classify(op, reply))
        raise


def _worth_another(outcome: Outcome) -> bool:
    patient = outcome.retry_after is None or outcome.retry_after <= MAX_PAUSE
    return outcome.retry and patient


def resolve(load: Load) -> int:
    """Look up every open key until it is final, or the time for that is over. Return how many stay open.

    Call it when no journey runs any more: each person's number is a process of the history.
    """
    deadline = load.clock() + RESOLVE_SECONDS
    owners = {person.session.user: person for person in (*load.people, *_staff(load))}
    round_number = 0
    while load.clock() < deadline:
        asked: dict[str, list[str]] = {}
        for key, party in load.book.to_look_up():
            asked.setdefault(party.user, []).append(key)
        if not asked:
            break
        if round_number:
            pause = load.backoff.pause(round_number, None, load.jitter)
            gevent.sleep(min(pause, deadline - load.clock()))
        pool = Pool(RESOLVERS)
        for user, keys in asked.items():
            pool.spawn(_look_up, load, owners[user], keys, deadline)
        pool.join()
        round_number += 1
    return len(load.book.open)


def _staff(load: Load) -> Iterator[Person]:
    if load.staff is not None:
        yield load.staff


def _look_up(load: Load, person: Person, keys: list[str], deadline: float) -> None:
    """Ask for all open keys of one person, one after the other."""
    visit = Visit(load, person, "resolve")
    for key in keys:
        if load.clock() >= deadline:
            return
        outcome = find(visit, key, load.book.open[key], person.session)
        if outcome.kind is Kind.INFO and outcome.answer.code in SIGNED_OUT:
            renew(visit, person.session)
