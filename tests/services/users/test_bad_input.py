"""Bad input: a coded error each, and nothing written."""

import json
from typing import Any
from uuid import uuid4

import jwt
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.contract import Operation
from services.users import contract
from services.users.contract import (
    GET_USERS,
    LIST_USERS,
    LOGIN,
    REFRESH,
    REGISTER,
    SEED_USER,
    UPDATE_BANKING_DETAILS,
    UPDATE_PROFILE,
)
from tests.services.users.running import PASSWORD, Users, post

GOOD = {"email": "eve@example.com", "password": PASSWORD, "name": "Eve"}
BANK = {"agency": "1234", "accountNumber": "56789-0", "accountType": "CHECKING"}


async def snapshot(engine: AsyncEngine) -> list[Any]:
    """Everything that is stored, as text."""
    found = []
    async with engine.connect() as connection:
        for table in ("users", "refresh_families", "refresh_tokens", "cache_refreshes"):
            rows = await connection.execute(text(f"SELECT t::text FROM {table} t ORDER BY 1"))
            found.append(rows.scalars().all())
    return found


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "no-at-sign"}, "email"),
        ({"email": "a@b"}, "email"),
        ({"email": "a b@example.com"}, "email"),
        ({"email": "a@example.com\n"}, "email"),
        ({"email": "a\u0000@example.com"}, "email"),
        ({"email": "a" * 250 + "@example.com"}, "email"),
        ({"email": 7}, "email"),
        ({"email": None}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "Eve\u0000"}, "name"),
        ({"name": "Eve\nAdmin"}, "name"),
        ({"address": "x" * 201}, "address"),
        ({"pictureUrl": "http://example.com/a.png"}, "pictureUrl"),
        ({"pictureUrl": "javascript:alert(1)"}, "pictureUrl"),
        ({"role": "admin"}, "role"),
        ({"active": True}, "active"),
    ],
)
async def test_bad_registration(
    users: Users, engine: AsyncEngine, change: dict[str, Any], field: str
) -> None:
    """A wrong, forbidden or unknown field is named, and nobody is registered."""
    before = await snapshot(engine)
    status, problem = await post(users, REGISTER, json.dumps(GOOD | change).encode())
    assert (status, problem["code"]) == (422, "INVALID_INPUT")
    assert field in problem.get("field", "") + problem["detail"]
    assert await snapshot(engine) == before


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"", {}, "BAD_REQUEST"),
        (b"{", {}, "BAD_REQUEST"),
        (b"\xff\xfe", {}, "BAD_REQUEST"),
        (b'{"email": "a@example.com", "name": "\\ud800x", "password": "0123456789"}', {}, None),
        (b"[]", {}, "INVALID_INPUT"),
        (b"null", {}, "INVALID_INPUT"),
        (b"{}", {}, "INVALID_INPUT"),
        (json.dumps(GOOD).encode(), {"content-type": "text/plain"}, "UNSUPPORTED_MEDIA_TYPE"),
        (b'"' + b"x" * 1_100_000 + b'"', {}, "PAYLOAD_TOO_LARGE"),
    ],
    ids=["empty", "cut", "no utf-8", "surrogate", "list", "null", "object", "type", "too large"],
)
async def test_malformed_body(
    users: Users, engine: AsyncEngine, body: bytes, headers: dict[str, str], code: str | None
) -> None:
    """What is no request is refused by name before anything is done."""
    before = await snapshot(engine)
    status, problem = await post(users, REGISTER, body, headers=headers)
    assert 400 <= status < 500
    assert problem["code"] == code or code is None
    assert await snapshot(engine) == before


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (UPDATE_PROFILE, {"email": "broken"}),
        (UPDATE_PROFILE, {"name": None}),
        (UPDATE_PROFILE, {"role": "admin"}),
        (UPDATE_PROFILE, {"passwordHash": "x"}),
        (UPDATE_BANKING_DETAILS, {"bankingDetails": BANK | {"agency": "12"}}),
        (UPDATE_BANKING_DETAILS, {"bankingDetails": BANK | {"accountNumber": "1'; --"}}),
        (UPDATE_BANKING_DETAILS, {"bankingDetails": BANK | {"accountType": "GOLD"}}),
        (UPDATE_BANKING_DETAILS, {"bankingDetails": None}),
        (GET_USERS, {"ids": ["not-a-uuid"]}),
        (GET_USERS, {"ids": [str(uuid4())] * 501}),
        (LIST_USERS, {"first": 0}),
        (LIST_USERS, {"first": 101}),
        (LIST_USERS, {"search": "x"}),
        (LOGIN, {"email": "ana@example.com", "password": ""}),
        (REFRESH, {"refreshToken": ""}),
        (REFRESH, {"refreshToken": "x" * 513}),
        (REFRESH, {"refreshToken": 5}),
    ],
)
async def test_bad_fields(
    users: Users, engine: AsyncEngine, operation: Operation[Any, Any], body: dict[str, Any]
) -> None:
    """Every operation refuses fields that its contract does not admit, and writes nothing."""
    ana = await users.register()
    before = await snapshot(engine)
    status, problem = await post(
        users, operation, json.dumps(body).encode(), token=ana.access_token
    )
    assert (status, problem["code"]) == (422, "INVALID_INPUT")
    assert await snapshot(engine) == before


async def test_sql_in_strings(users: Users, engine: AsyncEngine) -> None:
    """SQL in any field is text: stored as it is, found as it is, and harmless."""
    hostile = "Robert'); DROP TABLE users; --"
    ana = await users.register("o'reilly'--@example.com", hostile)
    body = {"name": hostile, "address": "1 OR 1=1", "pictureUrl": "https://x.example/';--"}
    status, answer = await post(
        users, UPDATE_PROFILE, json.dumps(body).encode(), token=ana.access_token
    )
    assert status == 200
    assert answer["user"]["name"] == hostile
    for operation, request in (
        (LOGIN, {"email": "'or'1'='1@example.com", "password": "' OR '1'='1"}),
        (REFRESH, {"refreshToken": "' OR '1'='1"}),
    ):
        status, _ = await post(users, operation, json.dumps(request).encode())
        assert status == 401
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM users"))).scalar() == 1


@pytest.mark.parametrize(
    "kind", ["missing", "garbage", "expired", "forged", "none", "other audience"]
)
async def test_bad_access_tokens(users: Users, engine: AsyncEngine, kind: str) -> None:
    """Without a valid access token nothing is changed."""
    ana = await users.register()
    claims = jwt.decode(ana.access_token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(ana.access_token)["kid"]
    from services.users import keys
    from tests.services.users.conftest import one_key

    tokens = {
        "missing": None,
        "garbage": "x.y.z",
        "expired": jwt.encode(
            claims | {"exp": claims["iat"] - 60}, one_key(), "RS256", headers={"kid": kid}
        ),
        "forged": jwt.encode(
            claims | {"role": "admin"}, keys.new_key(), "RS256", headers={"kid": kid}
        ),
        "none": jwt.encode(claims, "", "none", headers={"kid": kid}),
        "other audience": jwt.encode(
            claims | {"aud": "elsewhere"}, one_key(), "RS256", headers={"kid": kid}
        ),
    }
    before = await snapshot(engine)
    status, problem = await post(users, UPDATE_PROFILE, b'{"name": "Eve"}', token=tokens[kind])
    assert status == 401
    assert problem["code"] == ("TOKEN_EXPIRED" if kind == "expired" else "UNAUTHENTICATED")
    assert await snapshot(engine) == before


@pytest.mark.parametrize("operation", [item for item in contract.OPERATIONS if item.callers])
async def test_without_service_credential(
    users: Users, engine: AsyncEngine, operation: Operation[Any, Any]
) -> None:
    """No operation but the public keys answers somebody who is no service of ours."""
    before = await snapshot(engine)
    for caller, headers in ((None, {}), (None, {"authorization": "Bearer x.y.z"})):
        status, problem = await post(users, operation, b"{}", caller=caller, headers=headers)
        assert (status, problem["code"]) == (401, "SERVICE_UNAUTHENTICATED")
    assert await snapshot(engine) == before


async def test_seeding_needs_the_operator(users: Users, engine: AsyncEngine) -> None:
    """A credential of the gateway does not make an admin, whatever the body says."""
    before = await snapshot(engine)
    body = json.dumps(GOOD | {"role": "admin"}).encode()
    status, problem = await post(users, SEED_USER, body)
    assert (status, problem["code"]) == (403, "SERVICE_FORBIDDEN")
    assert await snapshot(engine) == before
