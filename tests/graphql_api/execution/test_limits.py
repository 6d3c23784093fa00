"""The bounds of an operation, and that they keep the worst document cheap."""

import time

import pytest
from graphql import parse, validate

from chassis.errors import CodedError
from graphql_api.execution.limits import Limits, check
from graphql_api.schema import build_schema, core_schema

LIMITS = Limits()


def refused(source: str, limits: Limits = LIMITS) -> str:
    with pytest.raises(CodedError) as caught:
        check(parse(source), limits)
    return caught.value.code


def test_an_ordinary_operation_passes() -> None:
    """What a rich client asks is far inside the bounds."""
    shapes = check(
        parse(
            "query Q { me { id ...A } } fragment A on User { a: account { balance { amount } } }"
        ),
        LIMITS,
    )
    assert shapes["Q"].depth == 4
    assert shapes["Q"].aliases == 1
    assert shapes["Q"].root_fields == ("me",)


def test_depth_counts_through_fragments() -> None:
    """Nesting hidden in fragments and inline fragments is nesting."""
    levels = LIMITS.depth
    fragments = "".join(
        f"fragment F{i} on T {{ ... {{ a {{ ...F{i + 1} }} }} }}" for i in range(levels)
    )
    assert refused(f"{{ a {{ ...F0 }} }} {fragments} fragment F{levels} on T {{ a }}") == (
        "OPERATION_TOO_DEEP"
    )
    assert refused("{" + "a{" * levels + "a" + "}" * levels + "}") == "OPERATION_TOO_DEEP"
    check(parse("{" + "a{" * (levels - 1) + "a" + "}" * (levels - 1) + "}"), LIMITS)


def test_aliases_count_through_fragments() -> None:
    """A fragment with aliases counts as often as it is spread."""
    spreads = " ".join(f"f{i} {{ ...F }}" for i in range(11))
    source = f"{{ {spreads} }} fragment F on T {{ x: a y: a z: a }}"
    assert refused(source) == "TOO_MANY_ALIASES"
    check(parse(source), Limits(aliases=33))


def test_fragments_that_double_each_other_are_counted_without_unfolding() -> None:
    """Counting takes one look at each fragment, however often it multiplies."""
    source = "{ ...F0 } " + "".join(
        f"fragment F{i} on T {{ a {{ ...F{i + 1} }} b {{ ...F{i + 1} }} }}" for i in range(29)
    )
    source += " fragment F29 on T { x: a }"
    started = time.perf_counter()
    with pytest.raises(CodedError):
        check(parse(source), LIMITS)
    assert time.perf_counter() - started < 10  # unfolding would take hours


def test_a_circle_of_fragments_ends() -> None:
    """A cycle is left to validation; the walk does not follow it."""
    check(parse("{ ...A } fragment A on T { a ...B } fragment B on T { b ...A }"), LIMITS)
    check(parse("{ ...Missing }"), LIMITS)


def test_fragments_and_repeats_are_bounded() -> None:
    """Many fragments, and the same name many times in one selection, are too large."""
    many = " ".join(f"fragment F{i} on T {{ a }}" for i in range(LIMITS.fragments + 1))
    assert refused("{ a } " + many) == "OPERATION_TOO_LARGE"
    assert refused("{ " + "a " * (LIMITS.repeats + 1) + "}") == "OPERATION_TOO_LARGE"
    assert refused("{ b { " + "... { a } " * (LIMITS.repeats + 1) + "} }") == "OPERATION_TOO_LARGE"
    check(parse("{ " + "a " * LIMITS.repeats + "}"), LIMITS)


def test_root_fields_count_as_often_as_they_are_asked() -> None:
    """Aliases, fragments and inline fragments at the root are seen through."""
    source = """mutation M { one: login two: login ...F ... { logout } ...F }
                fragment F on Mutation { transfer ...F }"""
    (shape,) = check(parse(source), LIMITS).values()
    assert sorted(shape.root_fields) == ["login", "login", "logout", "transfer"]


def test_introspection_is_not_measured() -> None:
    """Tools nest `__schema` deeper than any data; whether it is answered is decided elsewhere."""
    deep = "{ __schema { types { " + "ofType { " * 20 + "name" + " }" * 20 + " } } }"
    check(parse(deep), LIMITS)


STATEMENT = "transactions { edges { node { sender { id name } receiver { id name } } } }"

WORST = {
    "repeats": "{ me { " + (STATEMENT + " ") * LIMITS.repeats + " } }",
    "fragments": "{ me { "
    + " ".join(f"...F{i}" for i in range(LIMITS.fragments))
    + " } } "
    + " ".join(f"fragment F{i} on User {{ {STATEMENT} }}" for i in range(LIMITS.fragments)),
    "aliases": "{ " + " ".join(f"a{i}: me {{ {STATEMENT} }}" for i in range(LIMITS.aliases)) + " }",
    "inline": "{ me { " + "... on User { id } " * LIMITS.repeats + " } }",
}


@pytest.mark.parametrize("name", WORST)
def test_the_worst_documents_are_cheap_to_validate(name: str) -> None:
    """Of what the limits let through, nothing keeps a core busy for long: bounded by ten times the
    introspection query's cost (some 10 ms), where the unbounded ones took 650 ms."""
    schema = core_schema(build_schema())
    document = parse(WORST[name], max_tokens=LIMITS.tokens)
    check(document, LIMITS)
    best = min(
        _seconds(lambda: validate(schema, document, max_errors=LIMITS.errors)) for _ in "123"
    )
    usual = min(_seconds(lambda: validate(schema, parse(WORST["inline"]))) for _ in "123")
    assert best < max(0.1, usual * 60)


def _seconds(run: object) -> float:
    assert callable(run)
    started = time.process_time()
    run()
    return time.process_time() - started
