"""The operations: every root field has one, and each is what a client could send."""

from pathlib import Path

import pytest
from graphql import parse, validate

from chaos.explore.declared import Declared, To, only_field, only_operation
from chaos.explore.operations import OPERATIONS, Effect, Operation
from graphql_api.execution.limits import Limits, check
from tests.chaos.explore.people import scene

SDL = Path(__file__).parents[3] / "graphql_api" / "schema.graphql"
DECLARED = Declared.of(SDL.read_text())


def test_every_root_field_is_explored() -> None:
    """A new query or mutation needs an operation, and a removed one loses it."""
    assert set(OPERATIONS) == set(DECLARED.root_fields())


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda it: it.name)
def test_a_document_fits_the_schema_and_asks_for_its_root_field_alone(operation: Operation) -> None:
    """Each document is valid, within the gateway's limits, and about the field that it is named for."""
    document = parse(operation.document)

    assert validate(DECLARED.schema, document) == []
    check(document, Limits())
    assert only_field(only_operation(operation.document)).name.value == operation.name


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda it: it.name)
def test_all_variables_are_given_and_no_others(operation: Operation) -> None:
    """The arguments are those that the document declares."""
    asked = only_operation(operation.document).variable_definitions
    names = {definition.variable.name.value for definition in asked or ()}

    assert set(operation.variables(scene())) == names


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda it: it.name)
def test_mutations_have_an_effect_to_look_for(operation: Operation) -> None:
    """Every mutation but a sign-in changes something that is looked for afterwards; no query does."""
    if operation.reads:
        assert operation.effect is Effect.NOTHING
    else:
        assert (operation.effect is Effect.NOTHING) == (operation.name == "login")


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda it: it.name)
def test_what_may_be_a_copy_is_explored_with_and_without_one(operation: Operation) -> None:
    """Queries that ask for a field with copies are run by somebody who asked before, and by somebody new."""
    if operation.reads:
        asks_for_copies = any(
            word in operation.document for word in ("sender", "account {", "me {")
        )
        assert operation.copies == asks_for_copies


def test_money_goes_with_a_key_of_its_own() -> None:
    """Every mutation that may be queued sends the idempotency key of its run."""
    queued = [
        name
        for name, operation in OPERATIONS.items()
        if not operation.reads
        and (degrades := DECLARED.of_field("Mutation", name))
        and degrades.to is To.QUEUED
    ]

    assert len(queued) == 4
    for name in queued:
        assert OPERATIONS[name].effect is Effect.MONEY
        assert OPERATIONS[name].variables(scene())["input"]["idempotencyKey"] == "key-00001"
