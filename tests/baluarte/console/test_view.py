"""What the page shows of one moment, and the line that it begins with."""

import json
from typing import Any

import pytest

from baluarte.console import verdict as verdicts
from baluarte.console import view
from baluarte.console.curves import Point, Window
from baluarte.console.reading import read
from baluarte.console.verdict import verdict
from baluarte.console.view import Seen
from tests.baluarte.console.grounds import Process


def part(name: str, state: str = "ready") -> dict[str, Any]:
    return {"name": name, "state": state, "reason": None, "restarts": 0, "uptimeSeconds": 5.0}


def fault(target: str, kind: str, owner: str = "supervisor") -> dict[str, Any]:
    return {"target": target, "type": kind, "owner": owner}


def fed(process: Process, *, refused: int = 0, ok: int = 0, bad: int = 0) -> Window:
    """A window of two seconds in which a process asked `users` for something."""
    window = Window()
    window.add(read(process.page(), 0.0))
    process.refused.labels("users", "breaker_open").inc(refused)
    for outcome, many in (("ok", ok), ("timeout", bad)):
        for _ in range(many):
            process.calls.labels("users", outcome).observe(0.01)
    window.add(read(process.page(), 2.0))
    return window


def test_breakers_that_are_open_come_first() -> None:
    """With how often they opened, and what is refused now."""
    gateway, ledger = Process("users", "valkey"), Process("users")
    gateway.breaker("valkey", "half_open")
    ledger.breaker("users", "open")
    ledger.changed.labels("users", "closed", "open").inc()
    windows = {"gateway": fed(gateway), "ledger": fed(ledger, refused=6, ok=2, bad=2)}
    rows = view.breakers(Seen(0.0, [], windows))
    assert [(row["process"], row["service"], row["state"]) for row in rows] == [
        ("ledger", "users", "open"),
        ("gateway", "valkey", "half_open"),
        ("gateway", "users", "closed"),
    ]
    assert (rows[0]["opened"], rows[0]["refused"], rows[0]["failing"]) == (1, 3.0, 0.5)


def test_an_edge_takes_replicas_together() -> None:
    """The worst breaker, and the share of all calls that came to nothing."""
    one, two = Process("users"), Process("users")
    two.breaker("users", "open")
    windows = {"ledger": fed(one, ok=8), "ledger-2": fed(two, refused=4, bad=4)}
    seen = Seen(0.0, [], windows, [fault("ledger-2-users", "latency", "proxies")])
    [edge] = view.edges(seen, view.breakers(seen))
    assert (edge["from"], edge["to"], edge["breaker"]) == ("ledger", "users", "open")
    assert (edge["rate"], edge["share"], edge["faults"]) == (8.0, 0.5, ["latency"])


def test_a_connection_of_who_is_silent_stays_on_the_map() -> None:
    """Nothing is said of it but that it is there."""
    [edge] = view.edges(Seen(0.0, [], {}), [], {("gateway", "users")})
    assert (edge["breaker"], edge["share"]) == (None, None)


def test_the_map_has_a_node_for_all_that_is_called() -> None:
    """Replicas as one, with the worst state; what is outside is there, too."""
    parts = [part("gateway"), part("users"), part("users-2", "held down"), part("valkey")]
    seen = Seen(0.0, parts, {}, [fault("users-2", "hold_down")])
    found = {
        node["name"]: node
        for node in view.nodes(seen, [{"from": "users", "to": "bus"}], bus="in postgres")
    }
    users = found["users"]
    assert (users["state"], users["ready"], users["members"]) == ("held down", 1, 2)
    assert users["faults"] == ["hold_down"]
    assert found["bus"]["state"] == "in postgres"
    assert found["ledger"]["state"] == "outside"


def test_an_unknown_state_counts_as_the_worst() -> None:
    """What a newer supervisor says is not taken for well."""
    assert view.worst_state(["ready", "molten", "failed"]) == "molten"


def test_the_ledgers_check_is_the_latest_of_any_replica() -> None:
    """And the imbalance the largest that any of them found."""
    one, two = Process("users", checks=True), Process("users", checks=True)
    one.checked.set(90.0)
    two.checked.set(70.0)
    two.sums.labels("BRL", "balances").set(-3)
    seen = Seen(100.0, [], {"ledger": fed(one), "ledger-2": fed(two)})
    found = view.ledger(seen)
    assert (found["known"], found["age"], found["laws"]) == (True, 10.0, 1)
    assert found["imbalance"] == [{"currency": "BRL", "law": "balances", "minorUnits": -3}]
    assert view.ledger(Seen(0.0, [], {}))["known"] is False


WELL = Point(0.0, 5.0, 0.0, 0.0, 0.0, 0.01, 0.02, 0.03)


def shown(**other: Any) -> dict[str, Any]:
    """A view in which all is well, but for `other`."""
    quiet: dict[str, Any] = {
        "parts": [{"name": "users", "state": "ready", "answers": True}],
        "breakers": [],
        "edges": [],
        "ledger": {"known": True, "age": 12.0, "imbalance": []},
        "faults": {"known": [], "silent": []},
        "alerts": {"watched": False, "active": None},
    }
    return {**quiet, **other}


def test_when_all_is_well_it_says_so() -> None:
    """And when nobody asks, that this is why nothing is seen."""
    assert verdict(shown(), WELL)["headline"] == "All is well"
    assert "nobody asks" in verdict(shown(), Point(0.0, 0.0))["reasons"][-1]


ROW = {"process": "gateway", "service": "users"}


@pytest.mark.parametrize(
    ("other", "now", "level", "words"),
    [
        (
            {"parts": [{"name": "users", "state": "held down"}]},
            WELL,
            "bad",
            "by a fault on purpose",
        ),
        ({"parts": [{"name": "users", "state": "backoff"}]}, WELL, "bad", "users is down"),
        ({"parts": [{"name": "users", "state": "starting"}]}, WELL, "doubt", "users is starting"),
        (
            {"parts": [{"name": "users", "state": "ready", "answers": False}]},
            WELL,
            "doubt",
            "does not tell its metrics",
        ),
        ({"breakers": [{**ROW, "state": "open"}]}, WELL, "bad", "from gateway to users is open"),
        ({"breakers": [{**ROW, "state": "half_open"}]}, WELL, "doubt", "half open"),
        (
            {"edges": [{"from": "users", "to": "valkey", "breaker": "closed", "share": 0.06}]},
            WELL,
            "doubt",
            "calls from users to valkey fail",
        ),
        (
            {"ledger": {"known": True, "age": 1.0, "imbalance": [{"currency": "BRL", "law": "x"}]}},
            WELL,
            "bad",
            "out of balance in BRL",
        ),
        ({"ledger": {"known": True, "age": 121.0, "imbalance": []}}, WELL, "bad", "two minutes"),
        ({"ledger": {"known": False, "age": None, "imbalance": []}}, WELL, "doubt", "not known"),
        ({"faults": {"known": [{}, {}], "silent": []}}, WELL, "doubt", "2 faults on purpose"),
        ({"faults": {"known": [], "silent": ["users"]}}, WELL, "doubt", "users does not say"),
        (
            {"alerts": {"watched": True, "active": None}},
            WELL,
            "doubt",
            "Prometheus does not answer",
        ),
        ({}, Point(0.0), "doubt", "no metrics yet"),
        ({}, Point(0.0, 5.0, 0.06), "bad", "more than 5%"),
        ({}, Point(0.0, 5.0, 0.01), "doubt", "some answers are errors"),
        ({}, Point(0.0, 5.0, 0.0, 0.1), "doubt", "stale or missing"),
        ({}, Point(0.0, 5.0, 0.0, 0.0, 0.0, 0.1, 1.1), "bad", "longer than 1 s"),
    ],
)
def test_what_is_wrong_is_told_in_words(
    other: dict[str, Any], now: Point, level: str, words: str
) -> None:
    """Each reason by itself, and how bad it is."""
    found = verdict(shown(**other), now)
    assert found["level"] == level
    assert words in " ".join(found["reasons"])


@pytest.mark.parametrize(("severity", "level"), [("page", "bad"), ("warn", "doubt")])
def test_alerts_count_when_they_fire(severity: str, level: str) -> None:
    """A page is bad; what is pending only is nothing yet."""
    alert = {"name": "ServiceDown", "about": "users", "severity": severity, "state": "firing"}
    told = verdict(shown(alerts={"watched": True, "active": [alert]}), WELL)
    assert told["level"] == level
    assert "ServiceDown about users" in told["reasons"][0]
    pending = {**alert, "state": "pending"}
    assert verdict(shown(alerts={"watched": True, "active": [pending]}), WELL)["level"] == "good"


def test_the_worst_comes_first_and_the_rest_is_counted() -> None:
    """A hundred open breakers are not read out one by one."""
    rows = [{**ROW, "state": "half_open"}] + [{**ROW, "state": "open"}] * 50
    told = verdict(shown(breakers=rows), WELL)
    assert told["reasons"][0].endswith("is open")
    assert len(told["reasons"]) == verdicts.MOST + 1
    assert told["reasons"][-1].startswith("and 43 more")
    assert json.dumps(told)
