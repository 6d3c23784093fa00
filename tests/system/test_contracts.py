"""Each service keeps to its OpenAPI document, whatever it is sent: no 500, and only what the document says.

Schemathesis sends the boundary values of every field, right and wrong, and then a bounded number of
random requests. The services are asked directly, with genuine credentials, as their callers do.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from chassis.contract import Operation, UserAccess
from chassis.credentials import Credentials
from services.ledger.contract import OPERATIONS as LEDGER
from services.notifications.contract import OPERATIONS as NOTIFICATIONS
from services.transactions.contract import OPERATIONS as TRANSACTIONS
from services.users.contract import OPERATIONS as USERS
from tests.kill.platform import Platform
from tests.system.books import Books
from tests.system.clients import Person

EXAMPLES = 5
"""Random requests of each operation and kind; the boundary values do most of the work."""

OPERATIONS = (*USERS, *LEDGER, *TRANSACTIONS, *NOTIFICATIONS)
HONEST_5XX = {
    "DEADLINE_EXCEEDED",
    "OUTCOME_UNKNOWN",
    "OVERLOADED",
    "PASSWORD_HASHING_BUSY",
    "UNAVAILABLE",
}
"""What a service may say of its own troubles."""

AT_THE_DOOR = {
    "BAD_REQUEST",
    "INVALID_INPUT",
    "METHOD_NOT_ALLOWED",
    "SERVICE_FORBIDDEN",
    "SERVICE_UNAUTHENTICATED",
    "TOKEN_EXPIRED",
    "UNAUTHENTICATED",
    "UNSUPPORTED_MEDIA_TYPE",
}
"""Codes of requests that no handler saw: if there were no others, nothing would have been tried."""

Send = Callable[[Any], requests.Response]


@cache
def checks() -> tuple[list[Any], list[Any]]:
    """All of schemathesis' checks, and those that we leave out.

    `positive_data_acceptance`: a document cannot say which currencies are kept or whose cursor it is, and
    JSON Schema takes 433.0 for an integer, which amounts of money must not be.
    """
    load_all_checks()
    ours = {"not_a_server_error", "positive_data_acceptance"}
    return CHECKS.get_all(), [check for check in CHECKS.get_all() if check.__name__ in ours]


@pytest.fixture
def sender(
    system: Platform, people: dict[str, Person], tested_person: Person
) -> Callable[[Operation[Any, Any]], Send]:
    """Makes a function that sends a case of an operation as a caller may, and checks the answer."""

    def sender_of(operation: Operation[Any, Any]) -> Send:
        session = requests.Session()
        # What only staff may do is tried by staff, so that it gets past the door.
        staff = "FORBIDDEN" in {code.name for code in operation.errors}
        user = people["admin"] if staff else tested_person
        caller = next(iter(sorted(operation.callers, key=lambda name: name != "gateway")), None)
        credentials = caller and Credentials.load(system.state / "keys", caller)

        def send(case: Any) -> requests.Response:
            headers = {}
            if credentials:
                headers["Authorization"] = f"Bearer {credentials.token_for(operation.service)}"
            if operation.user is not UserAccess.NONE:
                headers["User-Authorization"] = f"Bearer {user.token}"
            base = system.base(operation.service)
            answer: requests.Response = case.call(base_url=base, headers=headers, session=session)
            _check(case, answer)
            return answer

        return send

    return sender_of


@pytest.fixture(scope="session")
def tested_person(people: dict[str, Person]) -> Person:
    """A customer whose profile may become anything."""
    return people["mallory"]


def _check(case: Any, answer: Any) -> None:
    if answer.status_code >= 500:
        assert answer.json()["code"] in HONEST_5XX, answer.text
    every, left_out = checks()
    case.validate_response(answer, checks=every, excluded_checks=left_out)


@cache
def _document(url: str) -> Any:
    """What a service shows, read once."""
    return schemathesis.openapi.from_url(f"{url}/openapi.json")


def _code(answer: requests.Response) -> str:
    problem = answer.headers.get("content-type") == "application/problem+json" and answer.content
    return str(answer.json()["code"]) if problem else str(answer.status_code)


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_boundary_values(
    system: Platform,
    sender: Callable[[Operation[Any, Any]], Send],
    operation: Operation[Any, Any],
) -> None:
    """Every field at, inside and outside its bounds, missing, doubled, of another type: as documented."""
    schema = _document(system.base(operation.service))
    cases = schema.iter_coverage_cases(
        schema[operation.path][operation.method],
        generation_modes=list(GenerationMode),
        generation_config=schema.config.generation,
    )
    send = sender(operation)
    assert {_code(send(case)) for case in cases} - AT_THE_DOOR, "some are let in"


@pytest.mark.parametrize(
    ("operation", "mode"),
    [
        # A request without a body has no invalid form.
        pytest.param(operation, mode, id=f"{operation}-{mode.name.lower()}")
        for operation in OPERATIONS
        for mode in GenerationMode
        if operation.method == "POST" or mode is GenerationMode.POSITIVE
    ],
)
def test_random_requests(
    system: Platform,
    sender: Callable[[Operation[Any, Any]], Send],
    operation: Operation[Any, Any],
    mode: GenerationMode,
) -> None:
    """Valid and invalid requests nobody would think of are answered as documented too."""
    schema = _document(system.base(operation.service))
    send = sender(operation)
    strategy = schema[operation.path][operation.method].as_strategy(generation_mode=mode)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,  # a busy machine is no finding
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def attempt(case: Any) -> None:
        if mode is GenerationMode.POSITIVE and isinstance(case.body, dict):
            # Of three letters one combination is kept here: without help none would be met.
            case.body.update({"currency": "BRL"} if "currency" in case.body else {})
        send(case)

    attempt()


def test_every_operation_is_documented(system: Platform) -> None:
    """The documents that the running services show are those of the contracts: none is left untested."""
    for service in ("users", "ledger", "transactions", "notifications"):
        shown = set(_document(system.base(service)).raw_schema["paths"])
        assert shown == {item.path for item in OPERATIONS if item.service == service}


@pytest.mark.asyncio(loop_scope="session")
async def test_money_is_still_whole(books: Books) -> None:
    """After all that was sent, the sum of all balances is zero and every entry has its other half."""
    await books.rest()
    assert await books.value("ledger", "SELECT sum(balance)::bigint FROM accounts") == 0
    halves = (
        "SELECT count(*) FROM (SELECT sum(amount) AS total FROM entries GROUP BY transfer_id) t"
    )
    assert await books.value("ledger", f"{halves} WHERE total <> 0") == 0
