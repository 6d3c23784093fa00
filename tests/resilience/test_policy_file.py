"""The policy file: right files become options, wrong ones name every line that is wrong."""

import re
from pathlib import Path

import pytest

from resilience.pipeline import PipelineOptions
from resilience.policy_file import POLICIES, InvalidPolicyFileError, PolicyFile, parse_policies
from resilience.retry import RetryOptions

GOOD = """\
# What the gateway calls.
[users]
single_flight = true

[users.deadline]
reason = "people wait two seconds"
seconds = 2

[users.timeout]
reason = "ten times the p99"
seconds = 0.5

[users.breaker]
reason = "half the calls is no accident"
failure_rate = 0.5
window = "time"

[users.retry]
reason = "one lost packet"
attempts = 2

[users.budget]
reason = "a tenth more load at most"

[ledger.bulkhead]
reason = "the ledger's pool has 20 connections"
max_concurrent = 20

[ledger.hedge]
enabled = false
reason = "off while we measure"
"""


def problems(text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(InvalidPolicyFileError) as caught:
        parse_policies(text)
    return [(problem.line, problem.where, problem.what) for problem in caught.value.problems]


def test_a_right_file_becomes_options_with_defaults() -> None:
    """Given values are taken over, others have their defaults, and absent tables are off."""
    parsed = parse_policies(GOOD)
    users, ledger = parsed["users"], parsed["ledger"]
    assert users.single_flight
    assert users.deadline is not None
    assert users.deadline.seconds == 2
    assert users.retry == RetryOptions(attempts=2)
    assert users.breaker is not None
    assert users.breaker.window == "time"
    assert users.hedge is None
    assert ledger.bulkhead is not None
    assert ledger.bulkhead.max_concurrent == 20


def test_a_policy_can_be_turned_off_with_its_numbers_kept() -> None:
    """`enabled = false` is the same as no table, and its numbers are checked all the same."""
    assert parse_policies(GOOD)["ledger"].hedge is None
    wrong = GOOD.replace("enabled = false", "enabled = false\nquantile = 0.2")
    assert [(line, where) for line, where, _ in problems(wrong)] == [(31, "ledger.hedge.quantile")]


@pytest.mark.parametrize(
    ("given", "instead", "line", "where", "what"),
    [
        ("attempts = 2", "attempts = 0", 20, "users.retry.attempts", "must be 1 to 10"),
        ("attempts = 2", 'attempts = "2"', 20, "users.retry.attempts", "expected `int`, got `str`"),
        ("attempts = 2", "attempts = true", 20, "users.retry.attempts", "expected `int`"),
        ("attempts = 2", "atempts = 2", 20, "users.retry.atempts", "did you mean attempts?"),
        ("seconds = 0.5", "seconds = 5.5", 9, "users.timeout", "is longer than the deadline"),
        ("[users.breaker]", "[users.braker]", 13, "users.braker", "did you mean breaker?"),
        ('window = "time"', 'window = "tme"', 16, "users.breaker.window", "invalid enum value"),
        ('reason = "one lost packet"', "", 18, "users.retry", "needs a reason"),
        ('"one lost packet"', '" "', 18, "users.retry", "needs a reason"),
        ("single_flight = true", "single_flight = 1", 3, "users.single_flight", "true or false"),
        ("enabled = false", 'enabled = "no"', 30, "ledger.hedge.enabled", "true or false"),
        ("[users.budget]", "[users.limit]", 22, "users.limit", "is no policy"),
        ("seconds = 2", "seconds = nan", 7, "users.deadline.seconds", "must be above 0"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    given: str, instead: str, line: int, where: str, what: str
) -> None:
    """Each kind of mistake names the line, the table and the option, and what to do."""
    assert GOOD.count(given) == 1 or given in ("seconds = 2",)
    found = problems(GOOD.replace(given, instead, 1))
    assert (line, where) in [(it[0], it[1]) for it in found]
    told = next(it[2] for it in found if it[:2] == (line, where))
    assert what in told


def test_every_mistake_is_told_at_once() -> None:
    """Three mistakes in three tables are three problems in one message, by line."""
    wrong = GOOD.replace("attempts = 2", "attempts = 99").replace("= 20", "= 0")
    wrong = wrong.replace("failure_rate = 0.5", "failure_rate = 7\nslow_rate = 0")
    found = problems(wrong)
    assert [line for line, _, _ in found] == [15, 16, 21, 28]
    with pytest.raises(InvalidPolicyFileError, match=r"(?s)not applied:.*line 15.*line 28"):
        parse_policies(wrong)


def test_a_file_that_is_no_toml_names_the_line_too() -> None:
    """Syntax errors have a line, at the end of the file as well."""
    assert problems("[users\n")[0][:2] == (1, "TOML")
    assert problems('[users]\na = 1\nb = "unended')[0][0] == 3
    assert problems("users = 5")[0] == (1, "users", "must be a table of policies")
    assert problems("[users]\nretry = 5")[0] == (2, "users.retry", "must be a table")


def test_lines_are_found_past_comments_strings_and_dotted_keys() -> None:
    """Quoted keys, dotted assignments and multi-line strings do not mislead."""
    text = '''\
["users"]  # a comment = here
retry.reason = """
[users.timeout]
attempts = 77
"""
retry.attempts = 77
budget = { reason = "inline", ratio = 9 }
'''
    assert [(line, where) for line, where, _ in problems(text)] == [
        (6, "users.retry.attempts"),
        (7, "users.budget.ratio"),
    ]


def test_every_policy_of_the_pipeline_can_be_in_a_file() -> None:
    """The file knows a table for each option of `PipelineOptions`, and no other."""
    options = {field for field in PipelineOptions.__dataclass_fields__ if field != "single_flight"}
    assert set(POLICIES) == options
    for policy in POLICIES:
        text = f'[a.{policy}]\nreason = "it"\n[a.budget]\nreason = "it"\n[a.bulkhead]\nreason="it"'
        if policy in ("budget", "bulkhead"):
            text = f'[a.{policy}]\nreason = "it"'
        assert getattr(parse_policies(text)["a"], policy) == POLICIES[policy]()


def test_every_default_carries_its_reason() -> None:
    """In the source, each option's default has a comment above it that says why."""
    for options in POLICIES.values():
        module = re.sub(r"\.", "/", options.__module__)
        source = (Path(__file__).parents[2] / f"{module}.py").read_text()
        body = source.split(f"class {options.__name__}")[1].split("def __post_init__")[0]
        lines = body.splitlines()
        for number, line in enumerate(lines):
            if re.match(r"    \w+: .+ = .+", line):
                above = lines[number - 1]
                assert above.startswith("    #:") or re.match(r"    \w+: .+ = .+", above), line


def test_a_changed_file_is_noticed_and_read_again(tmp_path: Path) -> None:
    """`changed` is true before the first reading and after each writing."""
    path = tmp_path / "policies.toml"
    path.write_text(GOOD)
    file = PolicyFile(path)
    assert file.changed()
    assert set(file.read()) == {"users", "ledger"}
    assert not file.changed()
    path.write_text(GOOD + "\n[bus.timeout]\nreason = 'new'\n")
    assert file.changed()
    assert "bus" in file.read()


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    """Something else lies under the policies' name."""
    path = tmp_path / "policies.toml"
    path.write_text("#" * 1_000_001)
    with pytest.raises(InvalidPolicyFileError, match="larger than"):
        PolicyFile(path).read()
