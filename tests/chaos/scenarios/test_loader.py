"""Reading scenarios: what is understood, and what a mistake is told."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from chaos.roster import OwnerKind
from chaos.scenarios import ScenarioError, find, load, names, parse
from chaos.scenarios.faults.effects import EFFECTS
from chaos.scenarios.library import FOLDER
from chaos.scenarios.schema import COMMENT, schema, text
from chassis.faults.effects import REGISTRY

GOOD = """\
title: T
story: S
guards: [gateway.users.retry]
hypothesis:
  - availability: 99 %
load: {journeys: {overview: 4, pay: 2}, rate: 12/s, users: 12}
faults:
  - {at: 500 ms, for: 8 s, process: [users, ledger], type: latency, seconds: 5, percent: 30 %}
  - {for: 2 min, edge: users-postgres, type: latency, latency: 300 ms, percent: 50 %}
  - {at: 1 s, part: postgres, type: kill}
"""


def problems(changed: str) -> list[str]:
    with pytest.raises(ScenarioError) as refused:
        parse(changed, "x.yaml")
    return [str(problem) for problem in refused.value.problems]


def test_units_and_targets_are_understood() -> None:
    """Durations, shares, rates and lists become numbers; each fault knows its owner."""
    scenario = parse(GOOD, "some/x.yaml")

    assert scenario.name == "x"
    assert (scenario.load.rate, scenario.load.users) == (12.0, 12)
    process, edge, part = scenario.faults
    assert (process.at, process.for_, process.targets) == (0.5, 8.0, ("users", "ledger"))
    assert process.narrowing() == {"percent": 30.0}
    assert process.attributes == {"seconds": 5.0, "jitter": 0.0}
    assert (edge.for_, edge.attributes) == (120.0, {"latency": 300.0})
    assert edge.narrowing() == {"toxicity": 0.5}
    assert (part.owner, part.for_, part.line) == (OwnerKind.SUPERVISOR, None, 10)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("title: T", "titel: T", "x.yaml:1:1: there is no key of scenario 'titel'; did you mean 'title'?"),
        ("title: T\n", "", "x.yaml:1:1: scenario needs 'title'"),
        ("99 %", "99", "x.yaml:5:19: '99' is not a share"),
        ("99 %", "101 %", "x.yaml:5:19: 101 % is more than everything"),
        ("availability", "availibility", "x.yaml:5:5: there is no expectation 'availibility'; did you"),
        ("rate: 12/s", "rate: 12", "x.yaml:6:47: '12' is not a rate such as `12/s`"),
        ("12/s", "[12/s]", "x.yaml:6:47: here must stand a rate"),
        ("type: latency,", "type: latenzy,", "x.yaml:8:60: there is no fault of"),
        ("seconds: 5, ", "", "latency of a process needs 'seconds'"),
        ("seconds: 5", "secs: 5", "there is no key of latency of a process 'secs'"),
        ("users, ledger", "users, ledgre", "there is no process 'ledgre'; did you mean 'ledger'?"),
        ("for: 8 s, ", "", "x.yaml:8:5: needs `for`: a fault in a process has an end"),
        ("type: kill", "type: kill, for: 3 s", "a kill is over at once"),
        ("type: kill", "type: pause", "x.yaml:10:5: needs `for`: pause has an end"),
        ("part: postgres, ", "", "x.yaml:10:5: a fault names its target: one of `process`"),
        ("part: postgres, type: kill", "part: postgres", "needs its `type`: kill, pause"),
        ("2 min", "6 min", "x.yaml:1:1: takes"),
        ("overview: 4", "overveiw: 4", "x.yaml:6:19: there is no journey 'overveiw'; did you mean"),
        ("{overview: 4, pay: 2}", "{}", "x.yaml:6:7: needs at least one journey with a weight"),
        ("4, pay: 2", "0, pay: 0", "x.yaml:6:7: needs at least one journey with a weight"),
        ("availability: 99 %", "stale: {step: mee, at most: 1 %}", "there is no step 'mee'; did you mean"),
        ("availability: 99 %", "stale: {journey: payy, at most: 1 %}", "there is no journey 'payy'"),
        ("users: 12}", "users: 12, users: 13}", "'users' is said twice"),
        ("story: S", "story: [", "is no YAML"),
        ("story: S", "story: &a S\nx: *a", "anchors are not used here"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(before: str, after: str, said: str) -> None:
    """File, line, column, what is wrong and what is allowed there."""
    assert before in GOOD
    assert any(said in problem for problem in problems(GOOD.replace(before, after, 1)))


def test_all_mistakes_are_told_at_once_and_in_order() -> None:
    """Nobody corrects a file one mistake at a time."""
    told = problems(
        GOOD.replace("99 %", "99").replace("12/s", "12").replace("latency: 300", "lat: 300")
    )

    assert [problem.split(":")[1] for problem in told] == ["5", "6", "9"]


@pytest.mark.parametrize("text", ["", "- 1", "42", "{1: 2, [a]: b}", "\x00"])
def test_what_is_no_scenario_at_all(text: str) -> None:
    """Any text is answered with a message, not with a traceback."""
    assert problems(text)


def test_a_file_that_is_too_large_or_not_there(tmp_path: Path) -> None:
    """It is refused before it is read."""
    huge = tmp_path / "huge.yaml"
    huge.write_text("#" * 70_000)
    for path, said in ((huge, "larger than"), (tmp_path / "none.yaml", "cannot be read")):
        with pytest.raises(ScenarioError, match=said):
            load(path)


def test_the_schema_is_the_committed_one() -> None:
    """`make generate` renews it."""
    assert (FOLDER / "scenario.schema.json").read_text() == text()


@pytest.mark.parametrize("name", names())
def test_every_scenario_is_whole(name: str) -> None:
    """It loads, names the schema for editors, fits it, and is short enough to be read aloud."""
    source = (FOLDER / f"{name}.yaml").read_text()
    scenario = find(name)

    assert source.startswith(COMMENT)
    assert len(source.splitlines()) <= 45
    assert scenario.guards
    assert any(stated.what.name == "money" for stated in scenario.hypothesis)
    jsonschema_rs.validator_for(schema()).validate(json.loads(json.dumps(yaml.safe_load(source))))


def test_the_schema_refuses_what_the_loader_refuses() -> None:
    """An editor underlines a wrong key and a wrong unit."""
    validator = jsonschema_rs.validator_for(schema())

    assert validator.is_valid(yaml.safe_load(GOOD))
    for before, after in (
        ("title", "titel"),
        ("99 %", "'99'"),
        ("seconds: 5", "secs: 5"),
        ("overview", "ovreview"),
    ):
        assert not validator.is_valid(yaml.safe_load(GOOD.replace(before, after, 1)))


def test_an_unknown_scenario_is_told_the_nearest(tmp_path: Path) -> None:
    """By name; a file of one's own is found by its path."""
    with pytest.raises(LookupError, match="did you mean users-slow"):
        find("users-slo")
    own = tmp_path / "own.yaml"
    own.write_text(GOOD)
    assert find(str(own)).name == "own"


def test_effects_are_those_of_the_fault_point() -> None:
    """Names and attributes of the language agree with what processes take."""
    assert set(EFFECTS) == set(REGISTRY)
    for name, effect in EFFECTS.items():
        ours = set(getattr(effect, "__dataclass_fields__", {}))
        assert ours == set(REGISTRY[name].__struct_fields__), name
