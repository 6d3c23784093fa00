"""The memory of parsed and validated documents."""

from typing import Any

import pytest
from graphql import GraphQLSyntaxError, parse

from chassis.errors import CodedError
from graphql_api.errors import Refused
from graphql_api.execution import documents as documents_module
from graphql_api.execution.documents import TOO_DEEP, TOO_MANY, Documents
from graphql_api.execution.limits import Limits
from graphql_api.schema import build_schema, core_schema

CORE = core_schema(build_schema())


def make(**options: int) -> Documents:
    return Documents(CORE, Limits(), introspection=False, **options)


def test_the_second_look_up_is_a_hit_with_every_rule_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """With depth, alias and introspection rules in force, a known text is neither parsed nor validated."""
    documents = make()
    first = documents.get("{ me { a: id } }")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("validated again")

    monkeypatch.setattr(documents_module, "validate", never)
    monkeypatch.setattr(documents_module, "parse", never)
    assert documents.get("{ me { a: id } }") is first
    assert (documents.hits, documents.misses) == (1, 1)


def test_the_number_kept_is_bounded() -> None:
    """The least recently used goes first."""
    documents = make(max_documents=2)
    for name in ("A", "B", "A", "C"):
        documents.get(f"query {name} {{ me {{ id }} }}")
    assert len(documents) == 2
    documents.get("query A { me { id } }")
    assert documents.hits == 2


def test_the_bytes_kept_are_bounded() -> None:
    """Large texts push others out by their weight, however few they are; one too large is not kept."""
    documents = make(max_bytes=100_000)
    for number in range(50):
        documents.get(f"query Q{number} {{ me {{ id }} }} # {'x' * 2_000}")
        assert documents.bytes <= 100_000
    assert 0 < len(documents) < 15
    documents.get(f"{{ me {{ id }} }} # {'x' * 30_000}")
    assert documents.bytes <= 100_000


def test_weights_add_up() -> None:
    """What is counted is what is kept, after any number of evictions."""
    documents = make(max_documents=3)
    texts = [f"query Q{number} {{ me {{ id }} }} # {'x' * number}" for number in range(9)]
    weights = [documents.get(text).weight for text in texts]
    assert documents.bytes == sum(weights[-3:])


@pytest.mark.parametrize(
    "source", ["{ me { id ", "{ me { nothing } }", "{ __schema { types { name } } }"]
)
def test_what_is_refused_is_not_kept(source: str) -> None:
    """Garbage cannot push good documents out."""
    documents = make()
    with pytest.raises(Refused):
        documents.get(source)
    assert len(documents) == 0


def test_few_errors_are_told() -> None:
    """However much is wrong, at most the limit is reported."""
    documents = make()
    wrong = " ".join(f"nothing{number}" for number in range(200))
    with pytest.raises(Refused) as caught:
        documents.get(f"{{ me {{ {wrong} }} }}")
    assert len(caught.value.errors) == Limits().errors
    assert "Did you mean" not in str(caught.value.errors)


def test_graphql_core_still_words_its_refusals_so() -> None:
    """Two refusals are told apart by graphql-core's wording; this fails when it changes."""
    with pytest.raises(GraphQLSyntaxError, match=TOO_MANY):
        parse("{ a b c d }", max_tokens=3)
    with pytest.raises(GraphQLSyntaxError, match=TOO_DEEP):
        parse("{" + "a{" * 3_000 + "a" + "}" * 3_000 + "}")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("{ " + "a " * 1_001 + "}", "OPERATION_TOO_LARGE"),
        ("{" + "a{" * 480 + "a" + "}" * 480 + "}", "OPERATION_TOO_DEEP"),
        ("#" + "\n#" * 2_000 + "\n{ me { id } }", "OPERATION_TOO_LARGE"),
        ("{ user(id: " + "[" * 400 + "]" * 400 + ") { id } }", "OPERATION_TOO_DEEP"),
        ("fragment F on User { id }", "GRAPHQL_VALIDATION_FAILED"),
        ("type Own { id: ID }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
def test_extremes_are_coded(source: str, code: str) -> None:
    """Too many tokens, comments or levels, and a text without an operation, each have a code."""
    with pytest.raises((CodedError, Refused)) as caught:
        make().get(source)
    told: Any = caught.value
    assert (told.code.name if isinstance(told, Refused) else told.code) == code


def test_the_operation_is_chosen_by_name() -> None:
    """Of several operations the name decides; without one, or with a wrong one, it is INVALID_INPUT."""
    document = make().get("query A { me { id } } query B { me { name } }")
    assert document.operation("B") is document.operations["B"]
    for name in (None, "", "C"):
        with pytest.raises(CodedError) as caught:
            document.operation(name)
        assert caught.value.field == "operationName"
    assert make().get("{ me { id } }").operation(None).node.name is None
