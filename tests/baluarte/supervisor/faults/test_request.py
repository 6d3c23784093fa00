"""What may be asked for, and how each mistake is told."""

import json
from typing import Any

import pytest

from baluarte.supervisor.faults.kinds import KINDS
from baluarte.supervisor.faults.refusal import Refused
from baluarte.supervisor.faults.request import (
    MAX_DELAY_SECONDS,
    MAX_LEASE_SECONDS,
    read,
    read_lease,
)

PARTS = ("gateway", "users", "users-2", "postgres")
PAUSE = {"part": "users", "kind": "pause", "seconds": 5}


def refusal(given: Any) -> Refused:
    body = given if isinstance(given, bytes) else json.dumps(given).encode()
    with pytest.raises(Refused) as refused:
        read(body, PARTS)
    return refused.value


@pytest.mark.parametrize("kind", list(KINDS))
def test_each_kind_is_read_with_what_it_needs(kind: str) -> None:
    """Seconds where there is a lease, a delay for slow starts, and up to the named bounds."""
    given: dict[str, Any] = {"part": "users-2", "kind": kind}
    if KINDS[kind].has_lease:
        given["seconds"] = MAX_LEASE_SECONDS
    if KINDS[kind].has_delay:
        given["delay"] = MAX_DELAY_SECONDS
    wanted = read(json.dumps(given).encode(), PARTS)
    assert (wanted.part, wanted.kind) == ("users-2", KINDS[kind])
    assert wanted.seconds == given.get("seconds", 0)
    assert wanted.delay == given.get("delay", 0)


@pytest.mark.parametrize(
    "seconds", [None, 0, -1, 600.01, "5", True, [5], 10**400, float("inf"), float("nan")]
)
def test_a_lease_must_end(seconds: object) -> None:
    """No lease, one without end or of another type is refused, and the bound is named."""
    refused = refusal({**PAUSE, "seconds": seconds})
    assert (refused.status, refused.code) == (400, "FAULT_SECONDS_INVALID")
    assert "600" in refused.detail


def test_a_renewal_says_for_how_long_and_nothing_else() -> None:
    """The same bound as of the first lease; a fault cannot become another one by being renewed."""
    assert read_lease(b'{"seconds": 600}') == 600
    for body, code in (
        (b'{"seconds": 601}', "FAULT_SECONDS_INVALID"),
        (b"{}", "FAULT_SECONDS_INVALID"),
        (b'{"seconds": 5, "kind": "kill"}', "INVALID_INPUT"),
        (b"5", "INVALID_INPUT"),
    ):
        with pytest.raises(Refused) as refused:
            read_lease(body)
        assert refused.value.code == code


def test_what_a_kind_does_not_have_is_not_taken() -> None:
    """Somebody who says how long a kill lasts has misunderstood it."""
    kill = {"part": "users", "kind": "kill"}
    assert refusal({**kill, "seconds": 5}).code == "FAULT_SECONDS_INVALID"
    assert refusal({**PAUSE, "delay": 5}).code == "FAULT_DELAY_INVALID"
    slow = {"part": "users", "kind": "slow_start", "seconds": 5}
    assert refusal(slow).code == "FAULT_DELAY_INVALID"
    assert refusal({**slow, "delay": MAX_DELAY_SECONDS + 1}).code == "FAULT_DELAY_INVALID"


@pytest.mark.parametrize("part", [None, "nobody", 5, ["users"], ""])
def test_an_unknown_part_is_told_with_the_known_ones(part: object) -> None:
    """So that nobody has to look them up."""
    refused = refusal({**PAUSE, "part": part})
    assert (refused.status, refused.code) == (404, "PART_UNKNOWN")
    assert "postgres" in refused.detail


def test_the_supervisor_takes_no_faults() -> None:
    """Who undoes them must not be under one."""
    refused = refusal({**PAUSE, "part": "supervisor"})
    assert (refused.status, refused.code) == (403, "SUPERVISOR_EXEMPT")


@pytest.mark.parametrize(
    ("name", "label"), [("users-slow.0", "users-slow.0"), ("", ""), ("a run\n", "a-run-")]
)
def test_an_experiment_is_kept_as_a_label(name: str, label: str) -> None:
    """Nobody's stays empty, and what is unusual in a name cannot reach a page or a line of a log."""
    assert read(json.dumps({**PAUSE, "experiment": name}).encode(), PARTS).experiment == label
    assert read(json.dumps(PAUSE).encode(), PARTS).experiment == ""


@pytest.mark.parametrize("kind", [None, "explode", 5, ["kill"]])
def test_an_unknown_kind_is_told_with_the_known_ones(kind: object) -> None:
    """All four of them."""
    refused = refusal({**PAUSE, "kind": kind})
    assert (refused.status, refused.code) == (400, "FAULT_KIND_UNKNOWN")
    assert all(name in refused.detail for name in KINDS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        {**PAUSE, "second": 1},
        {**PAUSE, "experiment": 5},
    ],
)
def test_what_is_no_request_is_refused(body: Any) -> None:
    """Whatever comes, it is a coded refusal; a misspelt member is not ignored."""
    refused = refusal(body)
    assert (refused.status, refused.code) == (400, "INVALID_INPUT")
