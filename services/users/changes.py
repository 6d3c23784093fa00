"""What goes with every change of a user, in its transaction: the event, and the order to renew the cache."""

import msgspec
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import messages, outbox
from chassis.context import Call
from chassis.messages import Event
from services.users.contract import BankingDetailsUpdated, UserActivationUpdated, UserRegistered
from services.users.people import Person
from services.users.schema import cache_refreshes


async def record(connection: AsyncConnection, person: Person, *events: Event) -> None:
    """Note that the cached profile is out of date, and enqueue `events`. The user's row is locked."""
    note = insert(cache_refreshes).values(user_id=person.id, version=person.version)
    await connection.execute(
        note.on_conflict_do_update(
            index_elements=[cache_refreshes.c.user_id],
            set_={
                "version": note.excluded.version,
                "asked_at": func.clock_timestamp(),
                "next_attempt_at": func.clock_timestamp(),
            },
        )
    )
    await announce(connection, *events)


async def announce(connection: AsyncConnection, *events: Event) -> None:
    """Enqueue events. The row of the user that they tell of is locked, or new."""
    await outbox.enqueue(connection, events)


def registered(call: Call, person: Person) -> Event:
    """`user.registered`: a user exists, and needs an account."""
    return _event(call, person, messages.USER_REGISTERED, _public(person))


def profile_updated(call: Call, person: Person) -> Event:
    """`user.profile.updated`: carries the name, for read models."""
    return _event(call, person, messages.USER_PROFILE_UPDATED, _public(person))


def banking_details_updated(call: Call, person: Person) -> Event:
    """`user.banking-details.updated`."""
    details = person.banking_details
    if details is None:
        raise ValueError("a user without banking details cannot have changed them")
    data = BankingDetailsUpdated(
        user_id=person.id,
        agency=details.agency,
        account_number=details.account_number,
        account_type=details.account_type,
    )
    return _event(call, person, messages.USER_BANKING_DETAILS_UPDATED, data)


def activation_updated(call: Call, person: Person) -> Event:
    """`user.activation.updated`: the account follows."""
    data = UserActivationUpdated(user_id=person.id, active=person.active)
    return _event(call, person, messages.USER_ACTIVATION_UPDATED, data)


def _public(person: Person) -> UserRegistered:
    return UserRegistered(user_id=person.id, name=person.name, active=person.active)


def _event(call: Call, person: Person, type_: str, data: msgspec.Struct) -> Event:
    return Event.of(
        data,
        topic=messages.USER_EVENTS,
        type=type_,
        key=person.id,
        version=person.version,
        occurred_at=person.updated_at,
        correlation_id=call.correlation_id,
        traceparent=call.traceparent,
    )
