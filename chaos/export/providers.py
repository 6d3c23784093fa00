"""What an exported experiment calls: plain functions, as the stock `chaos run` can call them.

They are synchronous, because Chaos Toolkit does not await; they bound their own waits, because it ignores
the timeout of a Python provider; and every fault that they begin carries a lease, because it may leave one
behind.
"""

import http.client
import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

from chaos.roster import OwnerKind, Roster, read

SECONDS: Final = 5.0
"""Longest wait for an owner of faults: each is on this machine."""

DOWN: Final = "down"
"""A proxy that refuses, which is no toxic."""

_LOGIN: Final = "mutation($i: LoginInput!) { login(input: $i) { accessToken } }"
_ME: Final = "query { me { id } }"


class OwnerRefused(Exception):
    """An owner did not do what it was asked; Chaos Toolkit shows it as the activity's failure."""


def begin(
    state: str,
    experiment: str,
    kind: str,
    owner: str,
    target: str,
    type: str,  # noqa: A002 - named as in the scenario
    attributes: dict[str, Any],
    narrowing: dict[str, Any],
    lease: float,
    duration: float | None = 0.0,
) -> dict[str, Any]:
    """Begin a fault.

    Args:
        state: the platform's state directory, with its roster.
        experiment: the fault's name, by which `end` finds it.
        kind: of the owner: `process`, `proxies` or `supervisor`.
        owner: its name in the roster.
        lease: seconds after which it ends by itself.

    Raises:
        OSError: there is no roster, or nobody answers.
        OwnerRefused: the owner took it for wrong.
    """
    roster = read(Path(state))
    url, token = _owner(roster, kind, owner)
    if kind == OwnerKind.PROCESS:
        body = {
            "type": type,
            "attributes": attributes,
            "target": narrowing,
            "duration": duration,
            "leaseSeconds": lease,
            "experiment": experiment,
        }
        return _asked("POST", f"{url}/chaos/faults", token, body)
    if kind == OwnerKind.SUPERVISOR:
        body = {"part": target, "kind": type, **attributes}
        if lease:
            body["seconds"] = lease
        return _asked("POST", f"{url}/faults", token, body)
    if type == DOWN:
        body = {"enabled": False, "lease_seconds": lease}
        return _asked("PATCH", f"{url}/proxies/{target}", token, body)
    toxic = {
        "name": experiment,
        "type": type,
        "attributes": {name: int(value) for name, value in attributes.items()},
        "lease_seconds": lease,
        **narrowing,
    }
    return _asked("POST", f"{url}/proxies/{target}/toxics", token, toxic)


def end(
    state: str,
    experiment: str,
    kind: str,
    owner: str,
    target: str,
    type: str,  # noqa: A002 - named as in the scenario
) -> dict[str, Any]:
    """End a fault; one that is over already is no error, so that this serves as rollback too.

    Returns:
        `{"ended": whether it was there, "met": how many met it, or null}`.
    """
    roster = read(Path(state))
    url, token = _owner(roster, kind, owner)
    if kind == OwnerKind.PROXIES:
        return {"ended": _end_at_proxy(f"{url}/proxies/{target}", experiment, type), "met": None}
    faults = f"{url}/chaos/faults" if kind == OwnerKind.PROCESS else f"{url}/faults"
    ended, met = False, None
    for fault in _asked("GET", faults, token).get("faults", ()):
        if kind == OwnerKind.PROCESS:
            ours = fault.get("experiment") == experiment
        else:
            ours = (fault.get("part"), fault.get("kind")) == (target, type)
        if ours:
            met = fault.get("met", 0) if kind == OwnerKind.PROCESS else None
            _asked("DELETE", f"{faults}/{fault['id']}", token)
            ended = True
    return {"ended": ended, "met": met}


def _end_at_proxy(proxy: str, experiment: str, kind: str) -> bool:
    found = _asked("GET", proxy, "")
    if kind == DOWN:
        if not found["enabled"]:
            _asked("PATCH", proxy, "", {"enabled": True})
        return not found["enabled"]
    there = any(toxic["name"] == experiment for toxic in found.get("toxics", ()))
    if there:
        _asked("DELETE", f"{proxy}/toxics/{experiment}", "")
    return there


def availability(state: str, requests: int = 20, timeout: float = 2.0) -> float:
    """The share of so many queries for one's own profile that bring it within `timeout` seconds.

    They are sent one after the other, signed in as the demonstration data's staff. A copy that is marked
    stale counts: it keeps the promise.

    Raises:
        OSError: there is no roster.
        LookupError: it names nobody to sign in as.
    """
    roster = read(Path(state))
    if roster.staff is None:
        raise LookupError(
            "the roster names no staff to sign in as: run with the demonstration data"
        )
    signed_in = {"email": roster.staff.email, "password": roster.staff.password}
    data = _graphql(roster, _LOGIN, {"i": signed_in}, "", SECONDS) or {}
    token = (data.get("login") or {}).get("accessToken", "")
    answered = sum(
        bool((_graphql(roster, _ME, {}, token, timeout) or {}).get("me")) for _ in range(requests)
    )
    return answered / requests


def _graphql(
    roster: Roster, query: str, variables: dict[str, Any], token: str, timeout: float
) -> dict[str, Any] | None:
    """The data of an answer; None when there is none in time."""
    until = time.monotonic() + timeout
    try:
        answer = _asked(
            "POST",
            f"{roster.gateway}/graphql",
            token,
            {"query": query, "variables": variables},
            timeout,
        )
    except (OSError, OwnerRefused, ValueError, http.client.HTTPException):
        return None
    data: dict[str, Any] | None = answer.get("data")
    return data if time.monotonic() <= until else None


def _owner(roster: Roster, kind: str, name: str) -> tuple[str, str]:
    """Its base URL, and the token that it wants."""
    tokens = {
        OwnerKind.PROCESS: roster.chaos_token,
        OwnerKind.SUPERVISOR: roster.supervisor_token,
        OwnerKind.PROXIES: "",
    }
    return roster.owner(name).url, tokens[OwnerKind(kind)]


def _asked(
    method: str,
    url: str,
    token: str,
    body: dict[str, Any] | None = None,
    timeout: float = SECONDS,
) -> dict[str, Any]:
    """The answer's JSON object; empty when there is no body."""
    request = urllib.request.Request(  # noqa: S310 - the roster's addresses, all http
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "baluarte-chaos-export"},
    )
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            text = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            told = error.read(500).decode(errors="replace")
        raise OwnerRefused(f"{method} {url}: {error.code} {told}") from None
    found: dict[str, Any] = json.loads(text) if text else {}
    return found
