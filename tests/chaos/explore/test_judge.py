"""The judge over answers: each class that the schema declares, and everything that is none of them."""

from typing import Any

import msgspec
import pytest

from chaos.explore.answer import Answer, read
from chaos.explore.declared import only_operation
from chaos.explore.judge import Judgement, Result, judge
from tests.chaos.explore.paper_bank import DECLARED

QUERY = only_operation("""query Page {
  me {
    name
    role
    freshness { state ageSeconds }
    account { balance { amount } balanceAsOf freshness { state ageSeconds } }
    transactions(first: 2) {
      freshness { state ageSeconds }
      edges { node {
        id status freshness { state ageSeconds }
        sender { id name freshness { state ageSeconds } }
      } }
    }
  }
}""")
FRESH = {"state": "FRESH", "ageSeconds": None}


def stale(age: int | None = 5) -> dict[str, Any]:
    return {"state": "STALE", "ageSeconds": age}


def entry(*path: object, service: str = "users") -> dict[str, Any]:
    return {
        "path": path,
        "service": service,
        "reason": "UNAVAILABLE",
        "servedFrom": "copy",
        "ageSeconds": 5,
    }


def error(*path: object, code: str | None = "UNAVAILABLE") -> dict[str, Any]:
    extensions = {} if code is None else {"code": code}
    return {"message": "it went wrong", "path": path, "extensions": extensions}


def page(**changes: Any) -> dict[str, Any]:
    """A full answer; `changes` replaces parts of it by name."""
    sender = {"id": "2", "name": "Bia", "freshness": FRESH} | changes.get("sender", {})
    node = {"id": "t", "status": "COMPLETED", "freshness": FRESH, "sender": sender}
    node |= changes.get("node", {})
    rows = {"freshness": FRESH, "edges": [{"node": node}]}
    account = {"balance": {"amount": "1.00"}, "balanceAsOf": "noon", "freshness": FRESH}
    me = {
        "name": "Ana",
        "role": "CUSTOMER",
        "freshness": FRESH,
        "account": account | changes.get("account", {})
        if changes.get("account", {}) is not None
        else None,
        "transactions": rows | changes.get("rows", {}),
    }
    return {"me": me | changes.get("me", {})}


def answer(data: Any, *errors: Any, degraded: tuple[Any, ...] = (), seconds: float = 0.1) -> Answer:
    told: dict[str, Any] = {"data": data}
    if errors:
        told["errors"] = errors
    if degraded:
        told["extensions"] = {"degraded": degraded}
    return read(200, msgspec.json.encode(told), seconds, 0.0)


def judged(given: Answer, truth: dict[str, Any] | None = None) -> Judgement:
    true = answer(truth or page(), seconds=0).body
    return judge(DECLARED, QUERY, given, true)


def test_what_is_whole_and_fresh_is_full() -> None:
    """The truth itself is a full answer; instants that move with time do not count."""
    assert judged(answer(page())) == Judgement(Result.FULL)
    assert judged(answer(page(account={"balanceAsOf": "one"}))).result is Result.FULL


def test_a_marked_copy_is_stale() -> None:
    """A copy with its age in the data and an entry in the summary is as declared, and may be outdated."""
    old = page(account={"freshness": stale(), "balance": {"amount": "0.10"}})
    seen = judged(answer(old, degraded=(entry("me", "account", service="ledger"),)))

    assert seen.result is Result.STALE
    assert seen.fields == (("me.account", Result.STALE),)
    assert seen.violations == ()


def copied(sender: dict[str, Any]) -> Answer:
    """A page that is a copy, with a row whose sender's name was looked up just now."""
    row = {"id": "t", "status": "COMPLETED", "freshness": stale()}
    who = {"id": "2", "name": "Bia", "freshness": FRESH} | sender
    rows = {"freshness": stale(), "edges": [{"node": row | {"sender": who}}]}
    summary = entry("me", "transactions", service="transactions")
    return answer(page(rows=rows), degraded=(summary,))


def test_rows_of_a_copy_are_compared_with_their_own_truth() -> None:
    """A newer row that has come before is no reason to call what is current in an older one a lie."""
    newer = {"id": "u", "status": "COMPLETED", "freshness": FRESH}
    newer["sender"] = {"id": "9", "name": "Caio", "freshness": FRESH}
    truth = page()
    truth["me"]["transactions"]["edges"].insert(0, {"node": newer})

    assert judged(copied({}), truth).violations == ()
    lie = judged(copied({"name": "Eva"}), truth)
    assert [it for it in lie.violations if "sender.name: said to be fresh" in it] == list(
        lie.violations
    )
    assert lie.violations


def test_a_stale_page_has_one_entry_for_all_its_rows() -> None:
    """Rows of a page that is a copy need no entry of their own."""
    rows = page(rows={"freshness": stale()}, node={"freshness": stale()})
    seen = judged(answer(rows, degraded=(entry("me", "transactions", service="transactions"),)))

    assert seen.result is Result.STALE
    assert seen.violations == ()


def test_a_name_that_another_service_heard_of_has_no_age() -> None:
    """Of a counterparty the age may be unknown; of anything else it may not."""
    path = ("me", "transactions", "edges", 0, "node", "sender", "name")
    name = answer(page(sender={"freshness": stale(None)}), degraded=(entry(*path),))
    assert judged(name).violations == ()

    account = answer(page(account={"freshness": stale(None)}), degraded=(entry("me", "account"),))
    assert judged(account).violations == ("me.account: a copy that does not tell its age",)


def test_null_with_a_code_is_declared_for_what_degrades() -> None:
    """A field that degrades may be null with a coded error; the rest must be whole."""
    seen = judged(answer(page(account=None), error("me", "account")))

    assert (seen.result, seen.codes) == (Result.NULL, ("UNAVAILABLE",))
    assert seen.fields == (("me.account", Result.NULL),)


def test_a_name_takes_its_freshness_along() -> None:
    """Where there is no name, `freshness` beside it is null without an error of its own."""
    path = ("me", "transactions", "edges", 0, "node", "sender", "name")
    nameless = page(sender={"name": None, "freshness": None})
    assert judged(answer(nameless, error(*path))).violations == ()


def test_a_role_is_null_in_a_copy_only() -> None:
    """Roles are never kept: null is right beside a copy, and wrong beside a fresh profile."""
    copy = answer(page(me={"freshness": stale(), "role": None}), degraded=(entry("me"),))
    assert judged(copy).violations == ()

    assert judged(answer(page(me={"role": None}))).violations[0].startswith("me.role: null")


def test_no_data_at_all_counts_for_every_root_field() -> None:
    """An operation that was refused as a whole, with a code, leaves its field null."""
    refused = read(
        503,
        msgspec.json.encode(
            {"errors": [{"message": "later", "extensions": {"code": "OVERLOADED"}}]}
        ),
        0.1,
        0.0,
    )
    seen = judged(refused)
    assert (seen.result, seen.codes, seen.violations) == (Result.NULL, ("OVERLOADED",), ())


VIOLATIONS: dict[str, tuple[Answer, str]] = {
    "an unmarked copy": (
        answer(page(account={"balance": {"amount": "0.10"}})),
        "me.account.balance.amount: said to be fresh, and is not what its service says",
    ),
    "a row that is missing from a fresh page": (
        answer(page(rows={"edges": []})),
        "me.transactions.edges: said to be fresh",
    ),
    "a copy that is too old": (
        answer(page(account={"freshness": stale(3_601)}), degraded=(entry("me", "account"),)),
        "me.account: a copy of 3601 s, and 3600 s are declared",
    ),
    "a copy that the summary leaves out": (
        answer(page(account={"freshness": stale()})),
        "`extensions.degraded` does not tell of",
    ),
    "a summary without a mark in the data": (
        answer(page(), degraded=(entry("me", "account"),)),
        "me.account: told as degraded, and not marked in the data",
    ),
    "a mark of another field": (
        answer(
            page(me={"freshness": stale()}),
            degraded=(entry("me"), entry("me", "account")),
        ),
        "me.account: told as degraded",
    ),
    "null without a reason": (answer(page(account=None)), "me.account: null without an error"),
    "null where the schema has none": (
        answer(page(node={"status": None})),
        "me.transactions.edges.node.status: null, and Transaction.status never is",
    ),
    "an error for what is there": (
        answer(page(), error("me", "account")),
        "me.account: UNAVAILABLE, though there is data",
    ),
    "an error without a code": (
        answer(page(account=None), error("me", "account", code=None)),
        "me.account: an error without a code",
    ),
    "an error that nobody foresaw": (
        answer(page(account=None), error("me", "account", code="INTERNAL")),
        "me.account: an error that nobody foresaw",
    ),
    "a null with an error where nothing is declared": (
        answer({"me": page()["me"] | {"name": "Ana"}}, error("me", "other")),
        "me.other: UNAVAILABLE, though there is data",
    ),
    "a field that is left out": (
        answer({"me": {k: v for k, v in page()["me"].items() if k != "account"}}),
        "me.account: is left out",
    ),
    "an answer that comes too late": (answer(page(), seconds=12.0), "answered after 12.0 s"),
    "an answer that is no JSON": (read(502, b"<html>", 0.1, 0.0), "HTTP 502 with a body that is"),
    "an answer without a body": (read(500, b"", 0.1, 0.0), "HTTP 500 with a body that is"),
    "no answer": (Answer(0, trouble="no answer: reset"), "no answer: reset"),
    "nothing in the answer": (read(200, b"{}", 0.1, 0.0), "neither data nor errors"),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_everything_else_is_a_violation(name: str) -> None:
    """Each way to break the contract is told in words of its own."""
    given, words = VIOLATIONS[name]
    seen = judged(given)

    assert seen.result is Result.VIOLATION
    assert any(words in text for text in seen.violations), seen.violations


def payment(status: str) -> Answer:
    return answer({"transfer": {"status": status}})


def test_a_payment_may_be_queued_and_not_failed() -> None:
    """PENDING is QUEUED as declared; FAILED is a lie when nothing is wrong with the request."""
    document = only_operation("mutation P($i: TransferInput!) { transfer(input: $i) { status } }")

    def of(given: Answer) -> Judgement:
        return judge(DECLARED, document, given)

    assert of(payment("COMPLETED")).result is Result.FULL
    assert of(payment("PENDING")).result is Result.QUEUED
    assert of(payment("FAILED")).result is Result.VIOLATION
    refused = answer({"transfer": None}, error("transfer", code="OUTCOME_UNKNOWN"))
    assert (of(refused).result, of(refused).codes) == (Result.ERROR, ("OUTCOME_UNKNOWN",))


def test_a_copy_is_a_violation_where_none_is_declared() -> None:
    """A list that degrades to NULL serves no copies, however well they are marked."""
    document = only_operation(
        "query L { users(first: 1) { freshness { state ageSeconds } edges { cursor } } }"
    )
    given = answer({"users": {"freshness": stale(), "edges": []}}, degraded=(entry("users"),))
    assert judge(DECLARED, document, given).violations == ("users: a copy, and none is declared",)
