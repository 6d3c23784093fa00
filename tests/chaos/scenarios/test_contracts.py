"""Alert contracts in scenarios: what is understood, what a mistake is told, and that names are the rules'."""

import pytest

from chaos.grammar.names import SEVERITIES
from chaos.scenarios import ScenarioError, find, names, parse
from chaos.scenarios.contracts import MONEY, Contract
from monitoring.prometheus.rules import all_alerts
from scripts import known_names

HEAD = """\
title: T
story: S
guards: [gateway.users.retry]
hypothesis:
  - availability: 99 %
load: {journeys: {overview: 1}}
faults:
  - {for: 8 s, part: users, type: hold_down}
"""
GOOD = (
    HEAD
    + """\
alerts:
  - {fires: ServiceDown, service: users, within: 3 min}
  - {silent: LedgerImbalance}
  - {silent: any page, service: ledger}
"""
)


def test_contracts_are_understood() -> None:
    """Durations are nominal seconds; an end is promised for every alert; each knows its line."""
    down, money, page = parse(GOOD, "x.yaml").alerts

    assert (down.fires, down.service, down.within, down.over_within) == (
        "ServiceDown",
        "users",
        180.0,
        300.0,
    )
    assert down.sentence() == "ServiceDown of users is told within 180 s, and its end within 300 s"
    assert money.sentence() == "nobody is told of LedgerImbalance"
    assert page.sentence() == "nobody is paged for ledger"
    assert [one.line for one in (down, money, page)] == [10, 11, 12]


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ("{fires: ServiceDwon, within: 3 min}", "x.yaml:10:13: there is no alert 'ServiceDwon'; did you"),
        ("{fires: ServiceDown}", "x.yaml:10:5: `fires` needs `within`"),
        ("{fires: any page, within: 1 min}", "x.yaml:10:13: there is no alert 'any page'"),
        ("{service: users}", "x.yaml:10:5: an alert contract needs either `fires` or `silent`"),
        ("{fires: ServiceDown, silent: LedgerImbalance, within: 1 s}", "x.yaml:10:5: an alert"),
        ("{silent: ServiceDown, within: 3 min}", "x.yaml:10:5: `silent` has neither"),
        ("{fires: ServiceDown, within: 3}", "x.yaml:10:34: '3' is not a duration"),
        ("{fires: ServiceDown, within: 31 min}", "x.yaml:10:5: waits for more than 1800 s"),
        ("{fires: ServiceDown, within: 3 min, wait: 1 s}", "x.yaml:10:41: there is no key"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(after: str, said: str) -> None:
    """File, line, column, what is wrong and what is allowed there."""
    with pytest.raises(ScenarioError) as refused:
        parse(f"{HEAD}alerts:\n  - {after}\n", "x.yaml")
    assert any(str(one).startswith(said) for one in refused.value.problems), refused.value


def test_money_is_in_every_scenario() -> None:
    """Nobody need say that money is right; one that says so itself says it once."""
    assert parse(HEAD, "x.yaml").contracts == MONEY
    own = parse(GOOD, "x.yaml").contracts
    assert [one.alert for one in own].count("LedgerImbalance") == 1
    assert "LedgerContradiction" in {one.alert for one in own}


def test_a_page_is_whatever_wakes() -> None:
    """By severity, of every service unless one is named."""
    page = Contract(silent="any page")
    assert page.covers("ErrorBudgetBurn", "gateway")
    assert not page.covers("CircuitBreakerOpen", "users")
    assert not Contract(silent="any page", service="users").covers("ServiceDown", "ledger")


def test_the_names_are_those_of_the_rules() -> None:
    """`chaos` may not import the rules, so their names are handed over as a generated file."""
    assert known_names.FILE.read_text() == known_names.module()
    assert set(SEVERITIES) == {alert.name for alert in all_alerts()}


@pytest.mark.parametrize("name", names())
def test_every_scenario_says_what_people_are_told(name: str) -> None:
    """Whoever adds one decides what a person on call hears of it, be it nothing."""
    assert find(name).alerts, name
