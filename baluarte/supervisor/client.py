"""Asks the running supervisor, for the commands. Blocking, and light to load."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from baluarte.errors import BaluarteError
from baluarte.supervisor.occupancy import Address

_SECONDS = 5.0


def fetch_state(address: Address) -> dict[str, Any]:
    """What the running supervisor says of itself."""
    return ask(address, "GET", "/state")


def ask(
    address: Address, method: str, path: str, body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One request. Raises `BaluarteError`: SUPERVISOR_SILENT, or the code of its refusal."""
    try:
        return _request(method, f"{address.url}{path}", address.token, body)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise BaluarteError.of(
            "SUPERVISOR_SILENT",
            f"the supervisor (pid {address.pid}) does not answer on {address.url}: {error}",
            "it may be starting or ending; look at `baluarte logs supervisor`",
        ) from error


def post(url: str, token: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """One request to another owner of faults. Raises `BaluarteError`: OWNER_SILENT, or its refusal."""
    try:
        return _request("POST", url, token, body)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise BaluarteError.of(
            "OWNER_SILENT", f"{url} does not answer: {error}", "look at `baluarte status`"
        ) from error


def _request(method: str, url: str, token: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        url,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method=method,
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as refused:
        raise _refusal(refused) from refused


def _refusal(refused: urllib.error.HTTPError) -> BaluarteError:
    try:
        told = json.load(refused)
        if "error" in told:  # as Toxiproxy says it
            return BaluarteError.of("TOXIC_REFUSED", str(told["error"]), "see docs/chaos.md")
        what, _, way_out = str(told["detail"]).partition("; ")
        return BaluarteError.of(str(told["code"]), what, way_out or "correct it and try again")
    except (ValueError, KeyError, TypeError):  # no problem document: there is no such route
        return BaluarteError.of(
            "CHAOS_OFF",
            "this platform takes no faults: it was started without --chaos",
            "start it with `baluarte up --chaos`",
        )
