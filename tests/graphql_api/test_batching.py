"""Batch functions: apart from GraphQL, and how many calls an operation makes."""

import itertools
from typing import TypeVar
from uuid import UUID, uuid4

import pytest

from chassis import codes
from chassis.context import Call, UserIdentity
from chassis.contract import BATCH_LIMIT
from graphql_api.accounts.batches import accounts
from graphql_api.batching import Ask, Failure, for_owners, loader
from graphql_api.transactions.batches import names, transactions
from resilience import Freshness, Served
from resilience.deadline import Deadline
from services.users.contract import Profile, Role
from tests.graphql_api.driving import Gateway
from tests.graphql_api.fakes import Platform

T = TypeVar("T")

DEEP = """
query Overview($first: Int!) {
  me {
    name
    account { balance { amount } }
    transactions(first: $first) {
      edges { node { id sender { name freshness { state } } receiver { name } } }
    }
  }
  notifications(first: $first) {
    edges { node { title transaction { id sender { name } receiver { name } } } }
  }
}
"""

STAFF_LIST = """
query All($first: Int!) {
  users(first: $first) {
    edges { node {
      name
      account { balance { amount } }
      transactions(first: 3) { edges { node { sender { name } receiver { name } } } }
    } }
  }
}
"""


def ask_as(platform: Platform, profile: Profile | None) -> Ask:
    user = UserIdentity(profile.id, profile.role) if profile else None
    return Ask(Call("correlation-1", Deadline.after(5), user=user), platform.downstream)


def live(value: T) -> Served[T]:
    return Served(value, Freshness.LIVE)


async def test_calls_do_not_grow_with_rows(gateway: Gateway, platform: Platform) -> None:
    """A page of 2 and a page of 100 cost the same downstream calls."""
    ana = platform.add_user("Ana")
    for number in range(100):
        row = platform.add_transfer(ana, platform.add_user(f"Receiver {number}"))
        platform.add_note(ana, row)
    counts = []
    for first in (2, 100):
        platform.forget_calls()
        reply = await gateway.query(DEEP, {"first": first}, user=ana)
        assert reply.errors == []
        assert len(reply.data["me"]["transactions"]["edges"]) == first
        counts.append(platform.counts())
    assert counts[0] == counts[1]
    assert counts[1]["ledger"] == 1
    assert counts[1]["notifications"] == 1
    assert counts[1]["transactions"] == 2  # the statement, and the notifications' transactions
    assert counts[1]["users"] <= 3  # the profile, and names at two depths


async def test_calls_do_not_grow_with_users(gateway: Gateway, platform: Platform) -> None:
    """A list of users with accounts and statements costs four calls, however long it is."""
    support = platform.add_user("Support", role=Role.SUPPORT)
    people = [platform.add_user(f"Person {number}") for number in range(60)]
    for one, other in itertools.pairwise(people):
        platform.add_transfer(one, other)
    counts = []
    for first in (2, 60):
        platform.forget_calls()
        reply = await gateway.query(STAFF_LIST, {"first": first}, user=support)
        assert reply.errors == []
        counts.append(platform.counts())
    assert (
        counts[0] == counts[1] == {"users": 2, "ledger": 1, "transactions": 1, "notifications": 0}
    )


async def test_names_are_asked_only_where_selected(gateway: Gateway, platform: Platform) -> None:
    """A statement that shows ids only does not ask the users service."""
    ana, bia = platform.add_user("Ana"), platform.add_user("Bia")
    platform.add_transfer(ana, bia)
    await gateway.query("{ transactions { edges { node { receiver { id } } } } }", user=ana)
    assert platform.counts()["users"] == 0


async def test_loads_are_not_shared_between_operations(
    gateway: Gateway, platform: Platform
) -> None:
    """The second operation asks anew: nothing that one caller loaded is there for the next."""
    ana = platform.add_user("Ana")
    for _ in range(2):
        await gateway.query("{ me { name } again: me { name } }", user=ana)
    assert platform.users.operations == ["get_users", "get_users"]


async def test_a_customer_gets_only_their_own_rows_even_from_a_careless_service(
    platform: Platform,
) -> None:
    """The gateway's lock holds alone: foreign ids are refused and never sent on."""
    ana, bia = platform.add_user("Ana"), platform.add_user("Bia")
    platform.lenient = True
    mine, foreign = await accounts(ask_as(platform, ana), [ana.id, bia.id])
    assert mine == live(platform.accounts[ana.id])
    assert isinstance(foreign, Failure)
    assert foreign.error.code == "FORBIDDEN"
    assert platform.ledger.calls[0][1].owner_ids == [ana.id]


async def test_without_a_user_nothing_is_asked(platform: Platform) -> None:
    """Nobody is nobody's owner."""
    ana = platform.add_user("Ana")
    (outcome,) = await accounts(ask_as(platform, None), [ana.id])
    assert isinstance(outcome, Failure)
    assert outcome.error.code == "UNAUTHENTICATED"
    assert platform.ledger.calls == []


async def test_staff_reach_every_row(platform: Platform) -> None:
    """Support and admin load other people's accounts."""
    ana = platform.add_user("Ana")
    for role in (Role.SUPPORT, Role.ADMIN):
        staff = platform.add_user("Staff", role=role)
        assert await accounts(ask_as(platform, staff), [ana.id]) == [
            live(platform.accounts[ana.id])
        ]


async def test_foreign_transactions_look_like_missing_ones(platform: Platform) -> None:
    """A transaction of others is None even when the service hands it out."""
    ana, bia, eva = (platform.add_user(name) for name in ("Ana", "Bia", "Eva"))
    row = platform.add_transfer(ana, bia)
    platform.lenient = True
    assert await transactions(ask_as(platform, eva), [row.id]) == [None]
    assert await transactions(ask_as(platform, bia), [row.id]) == [live(row)]


async def test_a_failed_call_fails_each_key(platform: Platform) -> None:
    """Every key of a failed batch carries the service's error."""
    platform.users.failure = codes.UNAVAILABLE.error(service="users")
    outcomes = await names(ask_as(platform, platform.add_user()), [uuid4(), uuid4()])
    assert [item.error.code for item in outcomes if isinstance(item, Failure)] == [
        "UNAVAILABLE"
    ] * 2


async def test_more_keys_than_a_batch_takes_make_more_batches(platform: Platform) -> None:
    """No request to a service is larger than its contract allows."""
    ask = ask_as(platform, platform.add_user())
    load = loader(ask, names)
    await load.load_many([uuid4() for _ in range(BATCH_LIMIT + 1)])
    assert [len(request.ids) for _, request in platform.users.calls] == [BATCH_LIMIT, 1]


async def test_an_answer_of_the_wrong_length_is_not_guessed_at(platform: Platform) -> None:
    """If a service breaks the promise of one answer per key, nobody gets another's row."""

    async def fetch(_: list[UUID]) -> list[str]:
        return ["only one"]

    ana = platform.add_user(role=Role.SUPPORT)
    with pytest.raises(RuntimeError, match="asked for 2 and got 1"):
        await for_owners(ask_as(platform, ana).call, [uuid4(), uuid4()], fetch)
