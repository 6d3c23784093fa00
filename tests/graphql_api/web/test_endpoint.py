"""GraphQL over HTTP: bodies, methods, formats, headers."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from chassis.settings import Environment
from graphql_api.web.negotiation import GRAPHQL_RESPONSE
from tests.graphql_api.conftest import LogLines
from tests.graphql_api.driving import SETTINGS, Gateway, in_environment
from tests.graphql_api.fakes import Platform, token_of

NEW = {"accept": GRAPHQL_RESPONSE}


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"1", b'"x"', b"null", b"true", b"[1]", b"[]", b'[{"query":"{ me { id } }"}]', b"\xff",
        b"\xff\xfe{\x00}\x00", b"{", b'{"query":', b"{'query': 'x'}", b"NaN", b"{}", b'{"query": null}',
        b'{"query": 1}', b'{"query": ""}', b'{"query": ["x"]}',
        b'{"query": "{ me { id } }", "variables": [1]}',
        b'{"query": "{ me { id } }", "variables": "x"}', b'{"query": "{ me { id } }", "operationName": 1}',
        b'{"query": "{ me { id } }", "extensions": 1}', b'{"query": "\\ud800"}', b"[" * 50_000,
        b'{"a":' * 10_000, b'{"query": "{ me { id } }", "variables": {"a": 1e400}}',
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)  # fmt: skip
@pytest.mark.parametrize("accept", ["application/json", GRAPHQL_RESPONSE])
async def test_a_malformed_request_is_a_coded_error(
    gateway: Gateway, platform: Platform, body: bytes, accept: str
) -> None:
    """Whatever the body is, the answer is a GraphQL error with status 400, never a 500."""
    reply = await gateway.post(body, {"accept": accept})
    assert reply.status == 400
    assert reply.codes[0] in {"BAD_REQUEST", "GRAPHQL_PARSE_FAILED"}
    assert "data" not in reply.json
    assert reply.headers["content-type"] == f"{accept}; charset=utf-8"
    assert sum(platform.counts().values()) == 0


async def test_a_large_body_is_refused(gateway: Gateway) -> None:
    """100,000 bytes pass, one more is 413, whether its length is declared or not."""
    query = json.dumps({"query": "{ me { id } }", "extensions": {"pad": ""}}).encode()
    fits = query.replace(b'"pad": ""', b'"pad": "' + b"x" * (100_000 - len(query)) + b'"')
    assert len(fits) == 100_000
    assert (await gateway.post(fits)).status == 200
    for headers in ({}, {"content-length": str(len(fits) + 1)}):
        reply = await gateway.post(fits + b" ", headers)
        assert (reply.status, reply.codes) == (413, ["PAYLOAD_TOO_LARGE"])


async def test_a_declared_large_body_is_not_read(gateway: Gateway) -> None:
    """A Content-Length above the limit is enough."""
    reply = await gateway.post(b"{}", {"content-length": "1000000000"})
    assert reply.status == 413


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "",
     "application/jsonp", "application/json; charset=utf-16", "application/graphql"],
)  # fmt: skip
async def test_only_json_is_read(gateway: Gateway, kind: str) -> None:
    """What a page of another site can post without a preflight is 415."""
    reply = await gateway.post(b'{"query": "{ me { id } }"}', {"content-type": kind})
    assert (reply.status, reply.codes) == (415, ["UNSUPPORTED_MEDIA_TYPE"])


async def test_an_unacceptable_format_is_406(gateway: Gateway) -> None:
    """A client that takes neither of our formats is told so in JSON."""
    reply = await gateway.query("{ me { id } }", headers={"accept": "text/event-stream"})
    assert (reply.status, reply.codes) == (406, ["NOT_ACCEPTABLE"])


async def test_queries_by_get(gateway: Gateway, platform: Platform) -> None:
    """GET carries document, name and variables in its query string."""
    ana = platform.add_user("Ana")
    reply = await gateway.get(
        "/graphql",
        {"authorization": f"Bearer {token_of(ana)}"},
        query="query A($n: Int) { transactions(first: $n) { edges { cursor } } } query B { me { name } }",
        operationName="B",
        variables='{"n": 1}',
    )
    assert reply.json == {"data": {"me": {"name": "Ana"}}}


async def test_get_never_changes_anything(gateway: Gateway, platform: Platform) -> None:
    """A mutation by GET is 405 and not executed."""
    for headers in ({}, NEW):
        reply = await gateway.get(
            "/graphql", headers, query='mutation { logout(input: { refreshToken: "x" }) }'
        )
        assert (reply.status, reply.codes) == (405, ["METHOD_NOT_ALLOWED"])
        assert reply.headers["allow"] == "POST"
    assert platform.counts()["users"] == 0


@pytest.mark.parametrize("variables", ["[1]", "1", "x", "", "{", "null "])
async def test_variables_of_a_get_are_checked(gateway: Gateway, variables: str) -> None:
    """Malformed variables are 400; null is none."""
    reply = await gateway.get("/graphql", query="{ __typename }", variables=variables)
    assert reply.status == (200 if variables.strip() == "null" else 400)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_other_methods_are_405(gateway: Gateway, method: str) -> None:
    """Only GET and POST."""
    reply = await gateway.request(method, "/graphql")
    assert reply.status == 405
    assert reply.json["code"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ me { id }", "GRAPHQL_PARSE_FAILED"),
        ("{ me { nothing } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ me }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { me { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query($v: Int!) { users(first: $v) { edges { cursor } } }", "INVALID_INPUT"),
    ],
)
async def test_a_refused_document_is_200_for_old_clients_and_400_for_new(
    gateway: Gateway, query: str, code: str
) -> None:
    """Statuses follow GraphQL over HTTP; the body is the same, without `data`."""
    old, new = await gateway.query(query), await gateway.query(query, headers=NEW)
    assert (old.status, old.codes) == (200, [code])
    assert (new.status, new.codes) == (400, [code])
    assert "data" not in new.json
    assert new.headers["content-type"] == f"{GRAPHQL_RESPONSE}; charset=utf-8"


async def test_suggestions_are_not_given(gateway: Gateway) -> None:
    """A near miss does not reveal the schema."""
    reply = await gateway.query("{ me { emial } }")
    assert "Did you mean" not in reply.body.decode()


async def test_the_correlation_id_is_one(
    gateway: Gateway, platform: Platform, log_lines: LogLines
) -> None:
    """The client's id comes back in header and errors, goes to the services, and is in the log."""
    sent = {"x-correlation-id": "order-00000042"}
    reply = await gateway.query("{ me { id } account { id } }", headers=sent)
    assert reply.headers["x-correlation-id"] == "order-00000042"
    assert {error["extensions"]["correlationId"] for error in reply.errors} == {"order-00000042"}
    await gateway.query("{ me { id } }", user=platform.add_user(), headers=sent)
    assert platform.users.seen[0].correlation_id == "order-00000042"
    assert {line["correlationId"] for line in log_lines()} == {"order-00000042"}


async def test_a_forged_correlation_id_is_replaced(gateway: Gateway) -> None:
    """An id that could forge a log line is not taken over."""
    reply = await gateway.query("{ me { id } }", headers={"x-correlation-id": 'x","level":"error'})
    assert len(reply.headers["x-correlation-id"]) == 32


async def test_a_body_that_dribbles_is_given_up(platform: Platform) -> None:
    """A client that never finishes its body is answered at its deadline."""
    gateway = Gateway(platform, replace(SETTINGS, max_seconds=0.05))
    told: list[Any] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        told.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "root_path": "",
        "headers": [(b"content-type", b"application/json")], "client": ("192.0.2.1", 1), "scheme": "http",
        "server": ("gateway.test", 80), "http_version": "1.1",
    }  # fmt: skip
    async with asyncio.timeout(5):
        await gateway.app(scope, receive, send)
    assert told[0]["status"] == 504
    assert b"DEADLINE_EXCEEDED" in told[1]["body"]


async def test_the_text_of_the_schema_is_served(gateway: Gateway) -> None:
    """`/schema.graphql` is there in every environment, for code generators."""
    reply = await gateway.get("/schema.graphql")
    assert reply.status == 200
    assert b"type Query" in reply.body
    assert reply.headers["content-type"].startswith("text/plain")


INTROSPECTION = '{ __schema { queryType { name } } t: __type(name: "User") { name } __typename }'


@pytest.mark.parametrize("environment", list(Environment))
async def test_introspection_is_for_development(
    platform: Platform, environment: Environment
) -> None:
    """Outside development `__schema` and `__type` are refused; `__typename` always works."""
    gateway = Gateway(platform, in_environment(environment))
    reply = await gateway.query(INTROSPECTION)
    if environment is Environment.DEVELOPMENT:
        assert reply.data["__schema"]["queryType"]["name"] == "Query"
    else:
        assert set(reply.codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert (await gateway.query("{ __typename }")).data == {"__typename": "Query"}
