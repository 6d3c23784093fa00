"""Declarations: every field that asks a service says how it degrades, once, and that is what happens."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLNonNull, GraphQLObjectType, get_named_type

from chassis.policies import read
from graphql_api.app import POLICY_FILE
from graphql_api.degradation import Degradation, Degrades
from graphql_api.schema import MONEY_MUTATIONS, build_schema, core_schema
from resilience.policy_file import PolicyFile
from services.users.contract import Profile
from tests.graphql_api.outages import Keeping

PAGE = (Path(__file__).parents[2] / "docs" / "graphql.md").read_text()
SCHEMA = core_schema(build_schema())


@dataclass(frozen=True)
class Declared:
    """A field of the schema with what Strawberry knows of it."""

    parent: str
    name: str
    definition: Any
    type: Any

    @property
    def coordinate(self) -> str:
        return f"{self.parent}.{self.name}"

    @property
    def degrades(self) -> Degrades | None:
        found = [item for item in self.definition.directives if isinstance(item, Degrades)]
        assert len(found) <= 1, self.coordinate
        return found[0] if found else None

    @property
    def asks(self) -> bool:
        """Whether its resolver awaits something: here, only services are awaited."""
        return self.definition.base_resolver is not None and self.definition.base_resolver.is_async


def fields() -> Iterator[Declared]:
    for kind in SCHEMA.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for name, field in kind.fields.items():
                definition = field.extensions["strawberry-definition"]
                yield Declared(kind.name, name, definition, field.type)


def declared() -> list[tuple[Declared, Degrades]]:
    return [(field, field.degrades) for field in fields() if field.degrades is not None]


STALE = {
    field.coordinate: degrades.seconds
    for field, degrades in declared()
    if degrades.to is Degradation.STALE
}


def test_who_asks_a_service_declares_and_nobody_else() -> None:
    """A declaration on a field that asks nobody would be a lie; one that is missing, a surprise."""
    asking = {field.coordinate for field in fields() if field.asks}
    assert {field.coordinate for field, _ in declared()} == asking
    roots = {field.coordinate for field in fields() if field.parent in {"Query", "Mutation"}}
    assert roots <= asking


def test_whoever_declares_can_be_null() -> None:
    """Whatever it degrades to, its parent survives."""
    for field, _ in declared():
        assert not isinstance(field.type, GraphQLNonNull), field.coordinate


def test_what_may_be_stale_says_so_in_the_data() -> None:
    """Client caches drop extensions: a stale object has `freshness`, a stale scalar has it beside it."""
    for field in fields():
        if field.coordinate not in STALE or field.name == "freshness":
            continue
        kind = get_named_type(field.type)
        teller = kind if isinstance(kind, GraphQLObjectType) else SCHEMA.type_map[field.parent]
        assert isinstance(teller, GraphQLObjectType)
        assert "freshness" in teller.fields, field.coordinate


def test_only_copies_have_a_largest_age() -> None:
    """`maxStaleSeconds` stands where there are copies, and nowhere else."""
    for _, degrades in declared():
        if degrades.to is Degradation.STALE:
            assert degrades.seconds > 0
        else:
            with pytest.raises(ValueError, match="serves no copies"):
                _ = degrades.seconds


def test_nothing_is_changed_from_a_copy() -> None:
    """Money is queued or refused, other changes are refused; no mutation degrades to stale data."""
    for field, degrades in declared():
        if field.parent == "Mutation":
            money = field.name in MONEY_MUTATIONS
            expected = Degradation.QUEUED if money else Degradation.ERROR
            assert degrades.to is expected, field.name
        else:
            assert degrades.to in {Degradation.STALE, Degradation.NULL}, field.coordinate


def test_the_page_has_the_declarations() -> None:
    """The table in `docs/graphql.md` is the schema's."""
    rows = [
        f"| `{field.coordinate}` | `{degrades.to.name}` | "
        f"{f'{degrades.seconds:,} s' if degrades.to is Degradation.STALE else ''} |"
        for field, degrades in declared()
    ]
    table = "\n".join(row.replace("|  |", "| |") for row in rows)
    assert table in PAGE, f"put this table into docs/graphql.md:\n{table}"


def test_the_policies_keep_copies_as_long_as_the_fields_declare() -> None:
    """The shorter of both bounds holds, so a policy file with a shorter one would break the promise."""
    policies = read(PolicyFile(POLICY_FILE))
    for coordinate, (service, _) in PROBES.items():
        fallback = policies[service].fallback
        assert fallback is not None, service
        assert fallback.stale_seconds >= STALE[coordinate], coordinate
        assert fallback.fresh_seconds + fallback.revalidate_seconds == 0.0, service


# How each stale field is asked for, what of it must be there, and which service is away.
PROBES: dict[str, tuple[str, str]] = {
    "Query.me": ("users", "{ me { name freshness { state } } }"),
    "Query.user": ("users", "query($me: ID!) { user(id: $me) { name freshness { state } } }"),
    "Query.account": ("ledger", "{ account { balance { amount } freshness { state } } }"),
    "Query.transaction": (
        "transactions",
        "query($row: ID!) { transaction(id: $row) { status freshness { state } } }",
    ),
    "Query.transactions": (
        "transactions",
        "{ transactions { edges { node { id } } freshness { state } } }",
    ),
    "User.account": ("ledger", "{ me { account { freshness { state } } } }"),
    "User.transactions": ("transactions", "{ me { transactions { freshness { state } } } }"),
    "Notification.transaction": (
        "transactions",
        "{ notifications { edges { node { transaction { freshness { state } } } } } }",
    ),
    "Counterparty.name": (
        "users",
        "query($row: ID!) { transaction(id: $row) { sender { name freshness { state ageSeconds } } } }",
    ),
    "Counterparty.freshness": (
        "users",
        "query($row: ID!) { transaction(id: $row) { sender { freshness { state ageSeconds } } } }",
    ),
}


def test_every_stale_field_is_probed() -> None:
    """A new declaration comes with a probe."""
    assert PROBES.keys() == STALE.keys()


async def ask(keeping: Keeping, ana: Profile, coordinate: str) -> str:
    """What the answer to the probe of a field is, as text."""
    _, query = PROBES[coordinate]
    variables = {"me": str(ana.id), "row": str(keeping.platform.rows[0].id)}
    needed = {name: value for name, value in variables.items() if f"${name}" in query}
    reply = await keeping.query(query, needed, user=ana)
    return reply.body.decode()


@pytest.mark.parametrize("coordinate", sorted(STALE))
async def test_the_declared_age_is_the_one_that_is_served(coordinate: str) -> None:
    """A copy of exactly `maxStaleSeconds` stands in, marked; one that is a moment older does not."""
    keeping = Keeping(stale_seconds=10 * 86_400.0)
    ana, bia = keeping.platform.add_user("Ana"), keeping.platform.add_user("Bia")
    row = keeping.platform.add_transfer(ana, bia)
    keeping.platform.add_note(ana, row)
    service, _ = PROBES[coordinate]
    fresh = await ask(keeping, ana, coordinate)
    assert "STALE" not in fresh
    keeping.stop(service)
    keeping.clock.jump(float(STALE[coordinate]))
    stale = await ask(keeping, ana, coordinate)
    assert '"state":"STALE"' in stale
    assert '"errors"' not in stale
    keeping.clock.jump(0.001)
    late = await ask(keeping, ana, coordinate)
    if coordinate.startswith("Counterparty."):
        # The transactions service knows a name as well, of an age that nobody knows.
        assert '"ageSeconds":null' in late
    else:
        assert '"state":"STALE"' not in late
        assert '"UNAVAILABLE"' in late
    keeping.start(service)
    assert await ask(keeping, ana, coordinate) == fresh
