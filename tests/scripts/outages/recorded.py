"""Outages as an honest platform answers them, to be spoilt by tests."""

from collections.abc import Mapping
from typing import Any

from scripts.outages.observations import Observation, Outage, Phase

FRESH: Mapping[str, Any] = {"state": "FRESH", "ageSeconds": None}
STALE: Mapping[str, Any] = {"state": "STALE", "ageSeconds": 3}


def entry(service: str, *path: str) -> dict[str, Any]:
    return {"path": list(path), "service": service, "reason": "UNAVAILABLE", "servedFrom": "copy"}


def overview(
    balance: str = "10.00", profile: Mapping[str, Any] = FRESH, account: Mapping[str, Any] = FRESH
) -> Observation:
    degraded = [entry("users", "me")] if profile is STALE else []
    degraded += [entry("ledger", "me", "account")] if account is STALE else []
    data = {
        "name": "Ana",
        "freshness": dict(profile),
        "account": {
            "balance": {"amount": balance, "currency": "BRL"},
            "balanceAsOf": "2026-01-31T12:00:00+00:00",
            "freshness": dict(account),
        },
    }
    return Observation("overview", 200, data, degraded=tuple(degraded), seconds=0.02)


def statement(page: Mapping[str, Any] = FRESH, names: Mapping[str, Any] = FRESH) -> Observation:
    degraded = [entry("transactions", "transactions")] if page is STALE else []
    degraded += [entry("users", "transactions", "edges")] if names is STALE else []
    row = {
        "id": "t1",
        "type": "TRANSFER",
        "status": "COMPLETED",
        "amount": {"amount": "1.00"},
        "sender": {"name": "Ana", "freshness": dict(names)},
        "receiver": {"name": "Bruno", "freshness": dict(names)},
    }
    data = {"freshness": dict(page), "edges": [{"node": row}]}
    return Observation("statement", 200, data, degraded=tuple(degraded), seconds=0.02)


def moved(question: str, status: str = "COMPLETED", name: str = "t2") -> Observation:
    data = {"id": name, "status": status, "failureReason": None}
    return Observation(question, 200, data, seconds=0.02)


def session(question: str) -> Observation:
    data = {"accessToken": "a", "refreshToken": "r", "user": {"id": "u"}}
    return Observation(question, 200, data, seconds=0.2)


def refused(question: str, code: str = "UNAVAILABLE") -> Observation:
    return Observation(question, 200, None, (code,), seconds=0.02)


def not_seen() -> Observation:
    return Observation("lookup", 200, None, seconds=0.02)


def phase(*changed: Observation, balance: str = "10.00") -> Phase:
    """As when all is well, but for `changed`."""
    well = (
        overview(balance),
        statement(),
        moved("transfer"),
        moved("lookup"),
        session("login"),
        session("refresh"),
    )
    return {seen.question: seen for seen in (*well, *changed)}


DURING: Mapping[str, Phase] = {
    "users": phase(
        overview(profile=STALE), statement(names=STALE), refused("login"), refused("refresh")
    ),
    "ledger": phase(
        overview(account=STALE), moved("transfer", "PENDING"), moved("lookup", "PENDING")
    ),
    "transactions": phase(
        statement(page=STALE), refused("transfer"), refused("lookup", "CIRCUIT_BREAKER_OPEN")
    ),
    "valkey": phase(),
    "postgres": phase(
        overview(account=STALE),
        statement(page=STALE),
        refused("transfer"),
        refused("lookup"),
        refused("login"),
        refused("refresh"),
    ),
}


def honest(part: str) -> Outage:
    """An outage of `part` in which everything promised is kept."""
    accepted = DURING[part]["transfer"].data is not None
    found = moved("lookup") if accepted else not_seen()
    return Outage(part, phase(), DURING[part], phase(found, balance="8.00"))
