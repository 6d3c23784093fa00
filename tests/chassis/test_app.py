"""Every operation of every service gets this: credentials, bounds, coded errors, pages."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.chassis.echo_service import OPERATIONS, Running, running_echo


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_echo(tmp_path) as it:
        yield it


async def post(
    running: Running, body: bytes | str, path: str = "/v1/say", **headers: str
) -> tuple[int, dict[str, Any], aiohttp.ClientResponse]:
    sent = running.headers() | headers
    async with running.session.post(running.url + path, data=body, headers=sent) as response:
        return response.status, json.loads(await response.read()), response


async def test_an_operation_answers_its_caller(running: Running) -> None:
    """A good request meets its handler, which is told who calls."""
    status, answer, _ = await post(running, '{"text": "oi"}')

    assert status == 200
    assert (answer["text"], answer["caller"], answer["userId"]) == ("oi", "gateway", None)


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b"{", 400, "BAD_REQUEST", None),
        (b"", 400, "BAD_REQUEST", None),
        (b'{"text": "\xff"}', 400, "BAD_REQUEST", None),
        (b"[" * 5_000, 422, "INVALID_INPUT", None),
        (b"null", 422, "INVALID_INPUT", None),
        (b"[]", 422, "INVALID_INPUT", None),
        (b'{"text": 1}', 422, "INVALID_INPUT", "text"),
        (b"{}", 422, "INVALID_INPUT", None),
        (b'{"text": "a", "more": 1}', 422, "INVALID_INPUT", None),
        (b'{"text": "a", "times": 6}', 422, "INVALID_INPUT", "times"),
        (b'{"text": "a", "times": 1.5}', 422, "INVALID_INPUT", "times"),
        (b'{"text": "aaaaaaaaaaaaaaaaaaaaa"}', 422, "INVALID_INPUT", "text"),
        (b'{"text": "a\\u0000b"}', 422, "INVALID_INPUT", None),
        (b'{"text": "' + b"a" * 20_000 + b'"}', 413, "PAYLOAD_TOO_LARGE", None),
    ],
)
async def test_bad_bodies_are_refused_with_a_code(
    running: Running, body: bytes, status: int, code: str, field: str | None
) -> None:
    """Whatever is wrong with a body has a code, names the field, and reaches no handler."""
    got, problem, response = await post(running, body)

    assert (got, problem["code"], problem.get("field")) == (status, code, field)
    assert response.content_type == "application/problem+json"
    assert running.echo.calls == 0


async def test_an_escaped_backslash_is_not_a_nul(running: Running) -> None:
    """Only a real U+0000 is refused; the six characters of its escape are text like any other."""
    status, answer, _ = await post(running, rb'{"text": "\\u0000"}')

    assert (status, answer["text"]) == (200, "\\u0000")


async def test_an_oversize_body_without_a_length_is_cut_off(running: Running) -> None:
    """The bound holds for chunked bodies too, which do not say how long they are."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b'{"text": "'
        for _ in range(100):
            yield b"a" * 1_000

    async with running.session.post(
        f"{running.url}/v1/say", data=chunks(), headers=running.headers()
    ) as response:
        assert response.status == 413


async def test_a_body_must_be_said_to_be_json(running: Running) -> None:
    """Another content type is refused before the body is looked at."""
    status, problem, _ = await post(running, "{}", **{"content-type": "text/plain"})

    assert (status, problem["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        ("", 401, "SERVICE_UNAUTHENTICATED"),
        ("Bearer", 401, "SERVICE_UNAUTHENTICATED"),
        ("Bearer not-a-token", 401, "SERVICE_UNAUTHENTICATED"),
        ("Basic Z2F0ZXdheTpzZWNyZXQ=", 401, "SERVICE_UNAUTHENTICATED"),
    ],
)
async def test_no_operation_without_a_service_credential(
    running: Running, authorization: str, status: int, code: str
) -> None:
    """Who cannot prove which service it is gets no further than the gate."""
    got, problem, _ = await post(running, '{"text": "a"}', authorization=authorization)

    assert (got, problem["code"], running.echo.calls) == (status, code, 0)


async def test_a_service_may_call_only_what_is_for_it(running: Running) -> None:
    """A genuine credential of a service that the operation does not name is refused."""
    status, problem, _ = await post(running, '{"text": "a"}', **running.headers("users"))

    assert (status, problem["code"], running.echo.calls) == (403, "SERVICE_FORBIDDEN", 0)


async def test_a_credential_for_another_service_is_refused(running: Running) -> None:
    """A credential that leaked from a call to A does not open B."""
    status, problem, _ = await post(
        running, '{"text": "a"}', **running.headers("gateway", audience="users")
    )

    assert (status, problem["code"]) == (401, "SERVICE_UNAUTHENTICATED")


async def test_an_operation_for_a_user_needs_one(running: Running) -> None:
    """The service's own credential does not stand in for the user's."""
    status, problem, _ = await post(running, '{"text": "a"}', "/v1/whisper")

    assert (status, problem["code"], running.echo.calls) == (401, "UNAUTHENTICATED", 0)


async def test_a_coded_error_is_told_with_its_delay(running: Running) -> None:
    """A handler's coded error arrives whole; Retry-After is rounded up, never early."""
    status, problem, response = await post(running, '{"text": "refuse"}')

    assert (status, problem["code"], problem["retryable"]) == (429, "RATE_LIMITED", True)
    assert problem["retryAfterSeconds"] == 1.2
    assert response.headers["retry-after"] == "2"


async def test_a_crash_is_masked(running: Running) -> None:
    """Whatever else a handler raises says nothing but INTERNAL and the correlation id."""
    status, problem, response = await post(running, '{"text": "crash"}')

    assert (status, problem["code"]) == (500, "INTERNAL")
    assert "secret" not in json.dumps(problem)
    assert problem["correlationId"] == response.headers["x-correlation-id"]


async def test_a_deadline_that_passed_starts_nothing(running: Running) -> None:
    """With no time left the handler is not even called, so nothing was changed."""
    status, problem, _ = await post(running, '{"text": "a"}', **{"deadline-ms": "0"})

    assert (status, problem["code"], running.echo.calls) == (504, "DEADLINE_EXCEEDED", 0)


@pytest.mark.parametrize(
    ("path", "code"), [("/v1/say", "DEADLINE_EXCEEDED"), ("/v1/change", "OUTCOME_UNKNOWN")]
)
async def test_a_handler_stops_at_the_deadline(running: Running, path: str, code: str) -> None:
    """A read that ran out of time did nothing; of an effect the truth is that nobody knows."""
    _, problem, _ = await post(running, '{"text": "wait"}', path, **{"deadline-ms": "50"})

    assert problem["code"] == code


async def test_a_client_can_only_shorten_the_deadline(running: Running) -> None:
    """Asking for more time than the service gives, or for nonsense, gets the service's own."""
    for wish in ("99999999", "-5", "soon", "1e9"):
        _, answer, _ = await post(running, '{"text": "a"}', **{"deadline-ms": wish})
        assert 9_000 < answer["deadlineMs"] <= 10_000


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("abc-12345", True), ("short", False), ("has space in it", False), ("x" * 65, False)],
)
async def test_correlation_ids(running: Running, sent: str, kept: bool) -> None:
    """A well-formed id is kept and echoed; any other is replaced, so that logs cannot be forged."""
    _, answer, response = await post(running, '{"text": "a"}', **{"x-correlation-id": sent})

    assert (answer["correlationId"] == sent) is kept
    assert response.headers["x-correlation-id"] == answer["correlationId"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "NOT_FOUND"), ("DELETE", "/v1/say", 405, "METHOD_NOT_ALLOWED")],
)
async def test_routing_errors_are_problems_too(
    running: Running, method: str, path: str, status: int, code: str
) -> None:
    """A wrong address or method is told like every other error."""
    async with running.session.request(method, running.url + path) as response:
        problem = json.loads(await response.read())

    assert (response.status, problem["code"]) == (status, code)
    assert "correlationId" in problem


async def test_readiness_tells_each_dependency(running: Running) -> None:
    """One entry a dependency; only a required one that is down makes the process unready."""
    broken = {"value": False}

    async def fine() -> None: ...

    async def down() -> None:
        raise ConnectionError("postgresql://secret@host")

    async def sometimes() -> None:
        if broken["value"]:
            raise ConnectionError

    running.registry.register("cache", ping=down, required=False)
    running.registry.register("database", ping=sometimes)
    running.registry.register("bus", ping=fine)

    async with running.session.get(f"{running.url}/health/ready") as response:
        first, body = response.status, await response.text()
    broken["value"] = True
    async with running.session.get(f"{running.url}/health/ready") as response:
        second = response.status

    entries = json.loads(body)["dependencies"]
    assert (first, second) == (200, 503)
    assert entries["cache"]["status"] == "down"
    assert entries["cache"]["reason"] == "ConnectionError"
    assert entries["database"]["latencyMs"] >= 0
    assert "secret" not in body


async def test_metrics_count_requests_by_route(running: Running) -> None:
    """Rate, errors and duration per route; unknown paths share one label."""
    await post(running, '{"text": "a"}')
    await post(running, "{")
    async with running.session.get(f"{running.url}/a/path/of/nobody"):
        pass

    async with running.session.get(f"{running.url}/metrics") as response:
        text = await response.text()

    line = "http_server_request_duration_seconds_count"
    assert f'{line}{{method="POST",route="/v1/say",status_class="2xx"}} 1.0' in text
    assert f'{line}{{method="POST",route="/v1/say",status_class="4xx"}} 1.0' in text
    assert f'{line}{{method="GET",route="other",status_class="4xx"}} 1.0' in text
    assert "nobody" not in text


async def test_the_documentation_page_needs_no_network(running: Running) -> None:
    """The Swagger page and all that it loads come from the process itself, under a strict policy."""
    async with running.session.get(f"{running.url}/docs") as response:
        page = await response.text()
        policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http://" not in page
    assert "https://" not in page
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js", "favicon-32x32.png"):
        assert f"/docs/assets/{asset}" in page
        async with running.session.get(f"{running.url}/docs/assets/{asset}") as response:
            assert response.status == 200


async def test_the_openapi_document_is_the_contract(running: Running) -> None:
    """Each operation is there with its schemas, its security and every code that it may answer."""
    async with running.session.get(f"{running.url}/openapi.json") as response:
        document = msgspec.json.decode(await response.read())

    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {item.path for item in OPERATIONS}
    say = document["paths"]["/v1/say"]["post"]
    assert say["security"] == [{"service": []}]
    assert document["paths"]["/v1/whisper"]["post"]["security"] == [{"service": [], "user": []}]
    assert "security" not in document["paths"]["/v1/hello"]["get"]
    assert "PAYLOAD_TOO_LARGE" in say["responses"]["413"]["description"]
    schema = document["components"]["schemas"]["Say"]
    assert schema["properties"]["times"]["maximum"] == 5
    assert schema["additionalProperties"] is False
