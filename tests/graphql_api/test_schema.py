"""The schema as clients rely on it."""

import graphql
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
)

from graphql_api.schema import (
    MONEY_MUTATIONS,
    SDL_FILE,
    SINGLE_MUTATIONS,
    build_schema,
    core_schema,
    sdl,
)


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """The schema inside graphql-core."""
    return core_schema(build_schema())


def own_types(schema: GraphQLSchema) -> list[GraphQLObjectType | GraphQLInputObjectType]:
    return [
        kind
        for name, kind in schema.type_map.items()
        if isinstance(kind, GraphQLObjectType | GraphQLInputObjectType)
        and not name.startswith("__")
    ]


def test_the_committed_text_is_the_schema() -> None:
    """`schema.graphql` is what the code says; `python -m graphql_api.schema` writes it anew."""
    assert SDL_FILE.read_text() == sdl(build_schema())


def test_the_text_is_a_schema_with_its_directives() -> None:
    """Code generators read it: it builds, and applied directives are defined in it."""
    built = graphql.build_schema(SDL_FILE.read_text())
    directive = built.get_directive("degrades")
    assert directive is not None
    assert directive.description
    assert set(directive.args) == {"to", "maxStaleSeconds"}


def test_everything_is_described(schema: GraphQLSchema) -> None:
    """A frontend developer finds a sentence at every type, field, argument and enum value."""
    silent = []
    for name, kind in schema.type_map.items():
        if name.startswith("__"):
            continue
        if not kind.description:
            silent.append(name)
        if isinstance(kind, GraphQLEnumType):
            silent += [
                f"{name}.{item}" for item, value in kind.values.items() if not value.description
            ]
    for kind in own_types(schema):
        for field_name, field in kind.fields.items():
            if not field.description:
                silent.append(f"{kind.name}.{field_name}")
            arguments = getattr(field, "args", {})
            silent += [
                f"{kind.name}.{field_name}({name})"
                for name, argument in arguments.items()
                if not argument.description
            ]
    assert silent == []


def test_root_fields_are_nullable(schema: GraphQLSchema) -> None:
    """A failed service costs its own field, never the whole answer; `data` is absent only if nothing ran."""
    for root in (schema.query_type, schema.mutation_type):
        assert root is not None
        for name, field in root.fields.items():
            assert not isinstance(field.type, GraphQLNonNull), name


@pytest.mark.parametrize(
    ("type_name", "field_name"),
    [
        ("User", "account"),
        ("User", "transactions"),
        ("Transaction", "sender"),
        ("Transaction", "receiver"),
        ("Counterparty", "name"),
        ("Notification", "transaction"),
    ],
)
def test_fields_that_cross_a_service_are_nullable(
    schema: GraphQLSchema, type_name: str, field_name: str
) -> None:
    """What another service owns can be missing without taking its parent with it."""
    kind = schema.type_map[type_name]
    assert isinstance(kind, GraphQLObjectType)
    assert not isinstance(kind.fields[field_name].type, GraphQLNonNull)


def test_every_money_mutation_requires_an_idempotency_key(schema: GraphQLSchema) -> None:
    """No client can ask for money to move without being able to ask again safely."""
    assert schema.mutation_type is not None
    for name in MONEY_MUTATIONS:
        kind = get_named_type(schema.mutation_type.fields[name].args["input"].type)
        assert isinstance(kind, GraphQLInputObjectType)
        assert isinstance(kind.fields["idempotencyKey"].type, GraphQLNonNull), name


def test_a_counterparty_shows_a_name_and_nothing_else(schema: GraphQLSchema) -> None:
    """The other side of a transaction exposes its id and name, and how fresh the name is."""
    kind = schema.type_map["Counterparty"]
    assert isinstance(kind, GraphQLObjectType)
    assert set(kind.fields) == {"id", "name", "freshness"}


def test_single_mutations_exist(schema: GraphQLSchema) -> None:
    """The rule of one mutation names fields that the schema has."""
    assert schema.mutation_type is not None
    assert set(schema.mutation_type.fields) >= SINGLE_MUTATIONS


def test_the_schema_has_no_way_round(schema: GraphQLSchema) -> None:
    """No type reaches itself, so depth is bounded by the schema too (its deepest path has 9 levels)."""

    def deepest(kind: GraphQLObjectType, above: tuple[str, ...]) -> int:
        assert kind.name not in above, (*above, kind.name)
        below = [
            deepest(named, (*above, kind.name))
            for field in kind.fields.values()
            if isinstance(named := get_named_type(field.type), GraphQLObjectType)
        ]
        return 1 + max(below, default=0)

    assert schema.query_type is not None
    assert deepest(schema.query_type, ()) == 9
