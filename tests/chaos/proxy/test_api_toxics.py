"""Toxiproxy's HTTP API, call by call: toxics."""

from typing import Any

import pytest

from tests.chaos.proxy.calling import Answer, Call, error


async def test_a_toxic_is_created_with_its_defaults(call: Call) -> None:
    """POST toxics: 200; name <type>_<stream>, downstream, toxicity 1, attributes 0, and nothing of ours."""
    expected = {
        "name": "latency_downstream",
        "type": "latency",
        "stream": "downstream",
        "toxicity": 1.0,
        "attributes": {"latency": 0, "jitter": 0},
    }

    assert await call("POST", "/proxies/p/toxics", {"type": "latency"}) == (200, expected)
    assert await call("GET", "/proxies/p/toxics") == (200, [expected])
    assert await call("GET", "/proxies/p/toxics/latency_downstream") == (200, expected)
    assert (await call("GET", "/proxies/p"))[1]["toxics"] == [expected]


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("latency", {"latency": 100, "jitter": 10}),
        ("bandwidth", {"rate": 64}),
        ("slow_close", {"delay": 50}),
        ("timeout", {"timeout": 500}),
        ("slicer", {"average_size": 10, "size_variation": 5, "delay": 100}),
        ("limit_data", {"bytes": 100}),
        ("reset_peer", {"timeout": 20}),
    ],
)
async def test_every_toxic_takes_its_attributes(
    call: Call, kind: str, attributes: dict[str, int]
) -> None:
    """Each of Toxiproxy's toxics is taken with its documented attributes, and shows them."""
    body = {"type": kind, "stream": "upstream", "toxicity": 0.5, "attributes": attributes}

    status, made = await call("POST", "/proxies/p/toxics", body)

    assert status == 200
    assert made == {**body, "name": f"{kind}_upstream"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"type": "latency", "name": "t"}, error("toxic already exists", 409)),
        ({"type": "nonsense"}, error("invalid toxic type", 400)),
        ({}, error("invalid toxic type", 400)),
        (
            {"type": "latency", "stream": "sideways"},
            error("stream was invalid, can be either upstream or downstream", 400),
        ),
    ],
)
async def test_toxics_are_refused_as_toxiproxy_does(
    call: Call, body: dict[str, str], expected: Answer
) -> None:
    """POST toxics: 409 for a name that is taken, 400 for an unknown type or stream."""
    await call("POST", "/proxies/p/toxics", {"type": "latency", "name": "t"})

    assert await call("POST", "/proxies/p/toxics", body) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"attributes": {"latecy": 5}}, {"attributes": {"latency": -1}}, {"attributes": {"latency": "5"}},
        {"attributes": 5}, {"toxicity": 1.5}, {"toxicity": -0.1}, {"lease_seconds": 0},
        {"lease_seconds": -1}, {"lease_seconds": 1e9}, {"lease_seconds": "5"}, {"name": "a/b"},
        {"name": "x" * 129},
    ],
)  # fmt: skip
async def test_a_toxic_that_would_not_do_what_was_meant_is_refused(
    call: Call, body: dict[str, Any]
) -> None:
    """Unknown attributes and values out of range are 400 and apply nothing; Toxiproxy lets some pass."""
    status, answer = await call("POST", "/proxies/p/toxics", {"type": "latency", **body})

    assert status == 400
    assert answer["error"].startswith("bad request body: ")
    assert (await call("GET", "/proxies/p/toxics"))[1] == []


@pytest.mark.parametrize("method", ["PATCH", "POST"])
async def test_only_attributes_and_toxicity_are_mutable(call: Call, method: str) -> None:
    """PATCH (and POST) of a toxic: named attributes and toxicity change, all else is ignored."""
    await call(
        "POST",
        "/proxies/p/toxics",
        {"type": "latency", "name": "t", "attributes": {"latency": 5, "jitter": 1}},
    )
    change = {
        "name": "u",
        "type": "timeout",
        "stream": "upstream",
        "toxicity": 0.5,
        "attributes": {"jitter": 2},
    }

    assert await call(method, "/proxies/p/toxics/t", change) == (
        200,
        {
            "name": "t",
            "type": "latency",
            "stream": "downstream",
            "toxicity": 0.5,
            "attributes": {"latency": 5, "jitter": 2},
        },
    )


async def test_a_refused_change_changes_nothing(call: Call) -> None:
    """PATCH of a toxic with attributes that are not valid: 400, and it stays as it was."""
    await call(
        "POST", "/proxies/p/toxics", {"type": "latency", "name": "t", "attributes": {"latency": 5}}
    )

    bad = {"toxicity": 0.5, "attributes": {"latency": -1}}
    assert (await call("PATCH", "/proxies/p/toxics/t", bad))[0] == 400

    toxic = (await call("GET", "/proxies/p/toxics/t"))[1]
    assert (toxic["toxicity"], toxic["attributes"]["latency"]) == (1.0, 5)


async def test_a_toxic_is_deleted(call: Call) -> None:
    """DELETE of a toxic: 204, and it is gone."""
    await call("POST", "/proxies/p/toxics", {"type": "latency", "name": "t"})

    assert await call("DELETE", "/proxies/p/toxics/t") == (204, None)
    assert (await call("GET", "/proxies/p/toxics"))[1] == []
