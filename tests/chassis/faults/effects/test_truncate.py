"""An answer that is cut off is seen as one."""

import json
from typing import Any

import aiohttp
import pytest

from tests.chassis.faults.faulted import Faulted


async def partly(faulted: Faulted) -> tuple[int, int, bytes]:
    """The declared length of an answer, its status, and what came of it."""
    async with faulted.running.session.post(
        f"{faulted.running.url}/v1/say", json={"text": "oi"}, headers=faulted.running.headers()
    ) as response:
        got = b""
        with pytest.raises(aiohttp.ClientPayloadError):
            while chunk := await response.content.readany():
                got += chunk
            raise AssertionError("the body was whole")
        return int(response.headers["content-length"]), response.status, got


@pytest.mark.parametrize(
    ("attributes", "kept"),
    [({}, 0.5), ({"share": 0.25}, 0.25), ({"share": 0}, 0), ({"bytes": 3}, 3), ({"bytes": 0}, 0)],
)
async def test_the_rest_is_missing(
    faulted: Faulted, attributes: dict[str, Any], kept: float
) -> None:
    """The head promises the whole body, a part of it comes, and the connection ends."""
    await faulted.inject("truncate", attributes=attributes)

    length, status, got = await partly(faulted)

    assert (status, len(got)) == (200, kept if "bytes" in attributes else int(length * kept))
    assert faulted.calls == 1


async def test_at_least_one_byte_is_missing(faulted: Faulted) -> None:
    """A cut behind the end would be a fault that does nothing."""
    await faulted.inject("truncate", attributes={"bytes": 1_000_000})

    length, _, got = await partly(faulted)

    assert len(got) == length - 1


async def test_bytes_or_share(faulted: Faulted) -> None:
    """Both at once contradict each other."""
    wanted = {"type": "truncate", "leaseSeconds": 1, "attributes": {"bytes": 1, "share": 0.5}}
    status, body = await faulted.chaos("POST", "faults", wanted)

    assert (status, json.loads(body)["code"]) == (422, "INVALID_INPUT")
