"""Platforms of a run's own: which scenarios share one, and what it cannot be started without."""

import dataclasses

import pytest

from baluarte.chaos import platforms
from baluarte.errors import BaluarteError
from chaos.roster import Roster
from chaos.scenarios import find, names
from chaos.scenarios.scenario import Platform, Scenario


def on(platform: Platform, name: str) -> Scenario:
    return dataclasses.replace(find("users-slow"), platform=platform, name=name)


def test_scenarios_share_a_platform_when_they_want_the_same() -> None:
    """`any` bus is PostgreSQL's; the order within a group is kept."""
    two = Platform(replicas={"users": 2})
    scenarios = [
        on(Platform(), "a"),
        on(two, "b"),
        on(Platform(bus="postgres"), "c"),
        on(Platform(bus="rabbitmq"), "d"),
        on(two, "e"),
    ]

    groups = platforms.groups(scenarios)

    assert [[one.name for one in members] for _, members in groups] == [
        ["a", "c"],
        ["b", "e"],
        ["d"],
    ]


async def test_rabbitmq_is_named_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its address the refusal says which setting to give; nothing is started."""
    monkeypatch.delenv(platforms.BUS_SETTING, raising=False)

    with pytest.raises(BaluarteError, match=r"BUS_MISSING.*\n.*set BALUARTE_AMQP_URL"):
        async with platforms.own(Platform(bus="rabbitmq")):
            pass


def test_the_record_says_what_was_tested() -> None:
    """Bus and replicas."""
    roster = Roster(gateway="", supervisor_token="", chaos_token="", owners=(), bus="rabbitmq")

    assert platforms.described(roster, Platform(replicas={"users": 2})) == {
        "bus": "rabbitmq",
        "replicas": "users=2",
    }
    assert platforms.commit()


def test_an_outage_spoils_no_record_that_must_be_clean() -> None:
    """Of scenarios that share a platform, those whose error budget must not burn come first."""
    for _, members in platforms.groups([find(name) for name in names()]):
        clean = [one.wants_a_clean_record for one in members]
        assert clean == sorted(clean, reverse=True)
    assert find("one-percent-bad").wants_a_clean_record
    assert not find("ledger-down").wants_a_clean_record
