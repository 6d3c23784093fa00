"""Accept headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_api.web.negotiation import GRAPHQL_RESPONSE, JSON, prefers_html, response_type

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/json", JSON),
        ("APPLICATION/JSON; charset=utf-8", JSON),
        ("application/graphql-response+json", GRAPHQL_RESPONSE),
        ("application/graphql-response+json, application/json", GRAPHQL_RESPONSE),
        ("application/json, application/graphql-response+json", GRAPHQL_RESPONSE),
        ("application/graphql-response+json; charset=utf-8, application/json", GRAPHQL_RESPONSE),
        ("application/graphql-response+json;q=0.1, application/json", JSON),
        ("application/graphql-response+json;q=0, */*", JSON),
        # urql's: an event stream among the wishes must not win
        ("application/graphql-response+json, application/graphql+json, application/json, "
         "text/event-stream, multipart/mixed", GRAPHQL_RESPONSE),
        ("text/event-stream, application/json", JSON),
        ("multipart/mixed;deferSpec=20220824, application/json", JSON),
        ("application/json;q=0, application/graphql-response+json;q=0", None),
        ("text/event-stream", None),
        ("text/html", None),
        ("application/xml", None),
        ("nonsense", None),
        ("application/json;q=lots", None),
        (BROWSER, JSON),
    ],
)  # fmt: skip
def test_the_media_type_of_an_answer(header: str | None, expected: str | None) -> None:
    """Each Accept header gets the type that it asks for, or none."""
    assert response_type(header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [(BROWSER, True), ("text/html", True), ("*/*", False), (None, False), ("application/json", False),
     ("application/json, text/html;q=0.5", False)],
)  # fmt: skip
def test_only_browsers_prefer_a_page(header: str | None, expected: bool) -> None:
    """A page is for whoever ranks HTML above data."""
    assert prefers_html(header) is expected


@given(st.text(alphabet="abc/*;,=q.01 ", max_size=80))
def test_no_header_breaks_it(header: str) -> None:
    """Any text gives one of our types or none."""
    assert response_type(header) in {JSON, GRAPHQL_RESPONSE, None}
