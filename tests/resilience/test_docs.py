"""The page about resilience tells the truth: its examples run, its names and its messages exist."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import resilience
from chassis import codes
from resilience import events, shedding
from resilience.policy_file import POLICIES, InvalidPolicyFileError, parse_policies

PAGE = (Path(__file__).parents[2] / "docs" / "resilience.md").read_text()
RECORDED = re.compile(r"<!-- DO NOT EDIT.*?<!-- end of outages -->", re.S)
"""What a run wrote: the answers of a platform, which `tests/scripts/outages` holds to be true."""


def blocks(language: str) -> Iterator[str]:
    """The fenced blocks of one language."""
    yield from re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


def test_the_quick_start_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """What the page shows first does what it says."""
    (quick_start,) = blocks("python")
    namespace: dict[str, object] = {}
    exec(quick_start, namespace)
    main = namespace["main"]
    assert callable(main)
    asyncio.run(main())
    assert capsys.readouterr().out == "profile of ana\n"


def test_the_policy_file_is_a_right_one() -> None:
    """The example is read without a complaint."""
    (example,) = blocks("toml")
    users = parse_policies(example)["users"]
    assert users.retry is not None
    assert users.retry.attempts == 2


def test_the_messages_shown_are_those_that_a_wrong_file_gets() -> None:
    """The page's two mistakes, made in its own example, are told as the page tells them."""
    (example,) = blocks("toml")
    wrong = example.replace("seconds = 2.0", "secnds = 2.0").replace("attempts = 2", "attempts = 0")
    with pytest.raises(InvalidPolicyFileError) as caught:
        parse_policies(wrong, "policies.toml")
    assert str(caught.value) in PAGE


def test_every_error_event_and_policy_is_on_the_page() -> None:
    """What can be raised is in the table, and no name on the page is made up."""
    for name in ("CircuitOpen", "BulkheadFull", "ConcurrencyLimited", "LoadShed", "RateLimited"):
        assert f"| `{name}` |" in PAGE
    for policy in POLICIES:
        assert policy.replace("_", " ").split()[0].lower() in PAGE.lower()
    known = {*resilience.__all__, *events.__all__, "PolicySet", "FakeClock", "ScriptedCall"}
    known |= {code.name for code in codes.all_codes()}
    prose = RECORDED.sub("", PAGE)
    assert prose != PAGE
    named = {name for name in re.findall(r"`([A-Z][A-Za-z]+)\b", prose) if name not in known}
    assert named <= {"TimeoutError"}


def test_the_loads_on_the_page_are_the_defaults() -> None:
    """The page's shares are those of `SheddingOptions`."""
    options = shedding.SheddingOptions()
    text = (
        f"BACKGROUND {options.background:.0%}, LOW {options.low:.0%}, NORMAL {options.normal:.0%}, "
        f"HIGH {options.high:.0%}"
    )
    assert text.replace("%", " %") in PAGE
