"""Execution: the deadline, masking, and the rule of one mutation."""

import asyncio
from dataclasses import replace

import pytest

from chassis import codes
from resilience.errors import CircuitOpen
from services.users.contract import Role
from tests.graphql_api.conftest import LogLines
from tests.graphql_api.driving import SETTINGS, Gateway
from tests.graphql_api.fakes import Platform


async def never() -> None:
    await asyncio.Event().wait()


async def test_a_hanging_service_does_not_hang_the_operation(
    gateway: Gateway, platform: Platform
) -> None:
    """Who allows 100 ms has a coded answer then, even if a downstream client ignores its deadline."""
    ana = platform.add_user()
    platform.users.before = never
    reply = await gateway.query("{ me { id } }", user=ana, headers={"deadline-ms": "100"})
    assert reply.codes == ["DEADLINE_EXCEEDED"]
    assert reply.data is None


async def test_a_late_mutation_is_unknown(gateway: Gateway, platform: Platform) -> None:
    """When the last net catches a mutation, nobody knows whether it happened, and that is said."""
    ana = platform.add_user()
    platform.transactions.before = never
    reply = await gateway.query(
        """mutation { deposit(input: { idempotencyKey: "cash-000001",
             amount: { amount: "1.00", currency: "BRL" } }) { id } }""",
        user=ana,
        headers={"deadline-ms": "100"},
    )
    assert reply.codes == ["OUTCOME_UNKNOWN"]


async def test_services_get_less_time_than_the_operation(
    gateway: Gateway, platform: Platform
) -> None:
    """A downstream call must give up before the whole does, so that it costs its own fields only."""
    ana = platform.add_user()
    await gateway.query("{ me { id } }", user=ana, headers={"deadline-ms": "1000"})
    assert 0.5 < platform.users.seen[0].deadline.remaining() < 0.96


@pytest.mark.parametrize("asked", ["999999", "-5", "soon", "1e9"])
async def test_a_client_can_only_shorten(platform: Platform, asked: str) -> None:
    """A longer, negative or malformed `Deadline-Ms` leaves ours."""
    gateway = Gateway(platform, replace(SETTINGS, max_seconds=2))
    await gateway.query("{ me { id } }", user=platform.add_user(), headers={"deadline-ms": asked})
    assert 1 < platform.users.seen[0].deadline.remaining() < 2


async def test_no_time_at_all_is_refused(gateway: Gateway, platform: Platform) -> None:
    """With zero milliseconds nothing is asked."""
    reply = await gateway.query(
        "{ me { id } }", user=platform.add_user(), headers={"deadline-ms": "0"}
    )
    assert reply.codes == ["DEADLINE_EXCEEDED"]
    assert platform.counts()["users"] == 0


async def test_a_foreign_exception_is_masked_and_logged(
    gateway: Gateway, platform: Platform, log_lines: LogLines
) -> None:
    """The client gets INTERNAL and the correlation id; the log the type and the place, nobody the message."""
    ana = platform.add_user()
    platform.users.failure = RuntimeError("Key (email)=(secret@example.com) already exists")
    reply = await gateway.query(
        "{ me { id } }", user=ana, headers={"x-correlation-id": "abcd-1234"}
    )
    assert reply.codes == ["INTERNAL"]
    assert "abcd-1234" in reply.errors[0]["message"]
    (line,) = [line for line in log_lines() if line["event"] == "field failed"]
    assert (line["error"], line["rootField"], line["correlationId"]) == (
        "RuntimeError",
        "me",
        "abcd-1234",
    )
    assert "secret@example.com" not in reply.body.decode() + str(log_lines())


async def test_a_rejection_by_a_policy_is_coded(gateway: Gateway, platform: Platform) -> None:
    """An open breaker's rejection is coded and says when to try again."""
    platform.users.failure = CircuitOpen("users", 3.0, "open")
    reply = await gateway.query("{ me { id } }", user=platform.add_user())
    extensions = reply.errors[0]["extensions"]
    assert (extensions["code"], extensions["service"]) == ("CIRCUIT_BREAKER_OPEN", "users")
    assert extensions["retryAfterSeconds"] == 3.0


LOGINS = (
    "mutation { "
    + " ".join(
        f'a{number}: login(input: {{ email: "a@example.com", password: "guess{number}" }}) {{ accessToken }}'
        for number in range(1_000)
    )
    + " }"
)


async def test_a_thousand_aliased_logins_try_no_password(
    gateway: Gateway, platform: Platform
) -> None:
    """The classic brute force in one request is refused whole."""
    reply = await gateway.query(LOGINS)
    assert reply.codes == ["OPERATION_TOO_LARGE"]
    assert "data" not in reply.json
    assert platform.counts()["users"] == 0


LOGIN = "login(input: $l) { accessToken }"


@pytest.mark.parametrize(
    "document",
    [
        f"mutation($l: LoginInput!) {{ a: {LOGIN} b: {LOGIN} }}",
        f"mutation($l: LoginInput!) {{ a: {LOGIN} ...F }} fragment F on Mutation {{ {LOGIN} }}",
        f"mutation($l: LoginInput!) {{ a: {LOGIN} ... on Mutation {{ {LOGIN} }} }}",
        "mutation($c: CashInput!) { deposit(input: $c) { id } withdraw(input: $c) { id } }",
        f"""mutation($c: CashInput!, $l: LoginInput!) {{
              {LOGIN} deposit(input: $c) @skip(if: true) {{ id }} }}""",
    ],
)
async def test_one_credential_or_money_mutation_at_most(
    gateway: Gateway, platform: Platform, document: str
) -> None:
    """Two in one operation, by alias, fragment or skipped field, execute nothing."""
    variables = {
        "l": {"email": "a@example.com", "password": "whatever it is"},
        "c": {"idempotencyKey": "cash-000001", "amount": {"amount": "1", "currency": "BRL"}},
    }
    reply = await gateway.query(document, variables, user=platform.add_user())
    assert reply.codes == ["TOO_MANY_MUTATIONS"]
    assert "data" not in reply.json
    assert sum(platform.counts().values()) == 0


async def test_other_mutations_may_stand_together(gateway: Gateway, platform: Platform) -> None:
    """The rule is about credentials and money only."""
    admin = platform.add_user(role=Role.ADMIN)
    reply = await gateway.query(
        """mutation { updateProfile(input: { name: "A" }) { name }
             updateBankingDetails(input: {
               agency: "0001", accountNumber: "12345-6", accountType: CHECKING }) { id } }""",
        user=admin,
    )
    assert reply.errors == []


SINCE = "query($t: DateTime) { transactions(since: $t) { edges { cursor } } }"


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("query($id: ID!) { user(id: $id) { id } }", {}),
        ("query($id: ID!) { user(id: $id) { id } }", {"id": None}),
        ("query($id: ID!) { user(id: $id) { id } }", {"id": {"a": 1}}),
        ("query($n: Int!) { users(first: $n) { edges { cursor } } }", {"n": "two"}),
        (
            "query($t: DateTime) { transactions(since: $t) { edges { cursor } } }",
            {"t": "yesterday"},
        ),
        (
            "query($t: DateTime) { transactions(since: $t) { edges { cursor } } }",
            {"t": "2026-01-01T00:00:00"},
        ),
        ("mutation($i: CashInput!) { deposit(input: $i) { id } }", {"i": {"unknown": 1}}),
        (
            "mutation($i: CashInput!) { deposit(input: $i) { id } }",
            {"i": {"idempotencyKey": "k" * 8, "amount": {"amount": 10.5, "currency": "BRL"}}},
        ),
    ],
)
async def test_variables_that_do_not_fit_are_coded(
    gateway: Gateway, platform: Platform, document: str, variables: dict[str, object]
) -> None:
    """Missing, unknown and wrong variables are INVALID_INPUT; nothing runs."""
    reply = await gateway.query(document, variables, user=platform.add_user())
    assert set(reply.codes) == {"INVALID_INPUT"}
    assert "data" not in reply.json
    assert sum(platform.counts().values()) == 0


async def test_errors_of_variables_are_bounded(gateway: Gateway, platform: Platform) -> None:
    """A thousand wrong variables do not make a thousand errors."""
    names = [f"$v{number}: Int" for number in range(100)]
    uses = " ".join("... @include(if: true) { __typename }" for _ in range(1))
    document = f"query({' '.join(names)}) {{ {uses} users(first: 1) {{ edges {{ cursor }} }} }}"
    reply = await gateway.query(document, {f"v{number}": "x" for number in range(100)})
    assert len(reply.errors) <= 5
    assert all(code in {"GRAPHQL_VALIDATION_FAILED", "INVALID_INPUT"} for code in reply.codes)


async def test_a_code_is_carried_whole(gateway: Gateway, platform: Platform) -> None:
    """Service, retryability, delay and field of a service's error reach the client."""
    platform.users.failure = codes.EMAIL_TAKEN.error(field="email", service="users")
    reply = await gateway.query(
        'mutation { updateProfile(input: { email: "taken@example.com" }) { id } }',
        user=platform.add_user(),
    )
    assert reply.errors[0]["extensions"] == {
        "code": "EMAIL_TAKEN",
        "service": "users",
        "retryable": False,
        "retryAfterSeconds": None,
        "correlationId": reply.headers["x-correlation-id"],
        "field": "email",
    }
