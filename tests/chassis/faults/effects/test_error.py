"""An error on purpose looks like one of the service's own, and nothing was done."""

import json
from typing import Any

import pytest

from chassis import codes
from tests.chassis.faults.faulted import Faulted


@pytest.mark.parametrize(
    ("attributes", "status", "code"),
    [
        ({}, 503, "UNAVAILABLE"),
        ({"status": 503}, 503, "UNAVAILABLE"),
        ({"status": 500}, 500, "INTERNAL"),
        ({"status": 429}, 429, "RATE_LIMITED"),
        ({"status": 418}, 418, "INTERNAL"),
        ({"code": "OVERLOADED"}, 503, "OVERLOADED"),
        ({"code": "OVERLOADED", "status": 500}, 500, "OVERLOADED"),
    ],
)
async def test_status_and_code_follow_from_each_other(
    faulted: Faulted, attributes: dict[str, Any], status: int, code: str
) -> None:
    """A problem document as clients know it, and no handler that runs."""
    await faulted.inject("error", attributes=attributes)

    got, body = await faulted.say()

    problem = json.loads(body)
    known = codes.known(code)
    assert known is not None
    assert (got, problem["code"], problem["status"]) == (status, code, status)
    assert problem.get("retryable", False) == known.retryable
    assert (problem["service"], "on purpose" in problem["detail"]) == ("echo", True)
    assert faulted.calls == 0


async def test_a_code_that_nobody_knows_is_refused(faulted: Faulted) -> None:
    """Clients could do nothing with it, so that the experiment would prove nothing."""
    wanted = {"type": "error", "leaseSeconds": 1, "attributes": {"code": "MOON"}}
    status, body = await faulted.chaos("POST", "faults", wanted)

    problem = json.loads(body)
    assert (status, problem["code"], problem["field"]) == (422, "INVALID_INPUT", "attributes")
    assert "MOON" in problem["detail"]
