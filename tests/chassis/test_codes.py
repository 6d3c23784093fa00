"""Error codes are a promise: unique, explained, and written down."""

import re
from pathlib import Path

import pytest

from chassis import codes
from chassis.errors import MAX_DETAIL, CodedError, from_problem, to_problem
from scripts.generate import error_page

DOCS = Path(__file__).parents[2] / "docs" / "errors.md"


def test_every_code_says_what_and_what_next() -> None:
    """Names are constants, statuses are errors, texts are sentences without their full stop."""
    for code in codes.all_codes():
        assert re.fullmatch(r"[A-Z][A-Z0-9_]+", code.name)
        assert 400 <= code.status < 600
        assert getattr(codes, code.name) is code
        for text in (code.meaning, code.advice):
            assert text[0].isupper()
            assert not text.endswith(".")


def test_a_code_cannot_be_defined_twice() -> None:
    """A second meaning for a name is refused when the module is loaded."""
    with pytest.raises(ValueError, match="defined twice"):
        codes.Code("INTERNAL", 500, "A", "B")


def test_the_page_of_errors_is_current() -> None:
    """docs/errors.md is generated from the table; `make generate` renews it."""
    assert DOCS.read_text() == error_page()


def test_an_error_survives_the_wire() -> None:
    """Everything that the caller decides by comes back from the problem document."""
    error = codes.RATE_LIMITED.error("Slow down.", field="a.b", retry_after=1.5, service="users")
    back = from_problem(to_problem(error, correlation_id="c", service="gateway"))

    assert vars(back) == vars(error)


def test_a_detail_is_bounded() -> None:
    """An error cannot carry a payload."""
    assert len(codes.INTERNAL.error("x" * 10_000).detail) == MAX_DETAIL
    assert isinstance(codes.INTERNAL.error(), CodedError)
