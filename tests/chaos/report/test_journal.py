"""The journal in Chaos Toolkit's shape."""

import msgspec
import pytest

from chaos.record import Verdict
from chaos.report.journal import encoded, journal
from tests.chaos.report import examples

KEYS = {
    "chaoslib-version",
    "platform",
    "node",
    "experiment",
    "start",
    "status",
    "deviated",
    "steady_states",
    "run",
    "rollbacks",
    "end",
    "duration",
}
"""Of every journal that Chaos Toolkit writes."""


def test_a_journal_has_the_toolkits_keys() -> None:
    """Its readers find what they look for, activities with their times among it."""
    told = msgspec.json.decode(encoded(examples.deviated()))
    assert set(told) >= KEYS
    assert set(told["steady_states"]) == {"before", "after", "during"}
    assert told["start"] == "2026-01-14T09:15:02+00:00"
    assert told["end"] == "2026-01-14T09:15:50+00:00"
    assert told["duration"] == 48
    activity = told["run"][0]
    assert set(activity) >= {"activity", "status", "start", "end", "duration", "output"}
    assert activity["start"] == "2026-01-14T09:15:15+00:00"
    assert activity["duration"] == 20
    assert activity["output"]["met"] == 214
    assert [one["activity"]["name"] for one in told["rollbacks"]] == [
        "end: users: every answer late by 5 s ± 0.5 s",
        "end: ledger → postgres: data dropped for 4 s",
    ]


def test_steady_states_are_met_only_by_what_held() -> None:
    """A finding that did not hold, or that nobody could judge, leaves its steady state unmet."""
    told = journal(examples.deviated())["steady_states"]
    assert told["before"]["steady_state_met"] is True
    assert told["after"]["steady_state_met"] is True
    (during,) = told["during"]
    assert during["steady_state_met"] is False
    probes = {one["activity"]["name"]: one for one in during["probes"]}
    assert probes["during: retry amplification of users at most 1.3"]["status"] == "failed"
    assert probes["during: availability of at least 80 %"]["status"] == "succeeded"
    assert probes["during: availability of at least 80 %"]["tolerance_met"] is False


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Verdict.PASSED, "completed"),
        (Verdict.DEVIATED, "completed"),
        (Verdict.BASELINE_NOT_MET, "failed"),
        (Verdict.PROBE_ERROR, "failed"),
        (Verdict.INCONCLUSIVE, "failed"),
        (Verdict.ABORTED, "aborted"),
        (Verdict.INTERRUPTED, "interrupted"),
        (Verdict.ERROR, "failed"),
    ],
)
def test_a_status_is_one_that_the_toolkit_knows(verdict: Verdict, status: str) -> None:
    """Only passed and deviated runs are completed, and the latter say `deviated`."""
    told = journal(msgspec.structs.replace(examples.empty(), verdict=verdict))
    assert told["status"] == status
    assert told["deviated"] is (verdict is Verdict.DEVIATED)
    assert told["start"] == ""
    assert told["steady_states"] == {"before": None, "after": None, "during": []}
