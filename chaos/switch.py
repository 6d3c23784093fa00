"""The kill switch: every owner of faults is reached directly, whoever else is dead.

The supervisor first, since it lets paused processes go on, which can then be reached; all others at once.
Each has its own short time, and one that fails keeps no other from being told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import msgspec

from chaos.roster import Owner, OwnerKind, Roster

SECONDS: Final = 3.0
"""For one owner to answer."""

_MAX_BYTES: Final = 1_000_000
_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class Said:
    """What an owner answered.

    Attributes:
        faults: in words, those in place, or, of `stop_all`, those that were ended.
        gone: nobody listens there, so that nobody holds a fault.
        problem: why it is not known what became of its faults; empty when all is well.
    """

    owner: Owner
    faults: tuple[str, ...] = ()
    gone: bool = False
    problem: str = ""


async def stop_all(roster: Roster) -> list[Said]:
    """End every fault of every owner."""
    return await _all(roster, _STOP)


async def list_all(roster: Roster) -> list[Said]:
    """The faults of every owner."""
    return await _all(roster, _LIST)


class _Line:
    """Requests to one owner."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def ask(self, method: str, path: str) -> Any:
        """The answer as JSON; None for none. Raises `_Refused`, or what aiohttp raises."""
        async with self._session.request(
            method, f"{self._url}{path}", headers=self._headers
        ) as answer:
            text = await answer.content.read(_MAX_BYTES)
            if answer.status >= 400:
                raise _Refused(
                    f"it answered {answer.status}: {text[:200].decode(errors='replace')}"
                )
            return msgspec.json.decode(text) if text else None


class _Refused(Exception):
    """An answer that says no."""


async def _process(line: _Line, method: str) -> tuple[str, ...]:
    found = await line.ask(method, "/chaos/faults")
    return tuple(_words(fault) for fault in found.get("faults", ()))


def _words(fault: Mapping[str, Any]) -> str:
    target = {key: value for key, value in fault.get("target", {}).items() if value}
    narrowed = (
        f" for {', '.join(f'{key} {value}' for key, value in target.items())}" if target else ""
    )
    left = fault.get("remainingSeconds", 0.0)
    until = f", for another {left:.0f} s at most" if left else ""
    return f"{fault['type']}{narrowed} (fault {fault['id']}){until}"


async def _stop_process(line: _Line) -> tuple[str, ...]:
    return await _process(line, "DELETE")


async def _list_process(line: _Line) -> tuple[str, ...]:
    return await _process(line, "GET")


async def _list_proxies(line: _Line) -> tuple[str, ...]:
    found = []
    for name, proxy in (await line.ask("GET", "/proxies")).items():
        if not proxy["enabled"]:
            found.append(f"{name}: down")
        found += [f"{name}: {toxic['type']} ({toxic['name']})" for toxic in proxy["toxics"]]
    return tuple(found)


async def _stop_proxies(line: _Line) -> tuple[str, ...]:
    found = await _list_proxies(line)
    await line.ask("POST", "/reset")
    return found


async def _list_supervisor(line: _Line) -> tuple[str, ...]:
    return _parts(await line.ask("GET", "/faults"))


async def _stop_supervisor(line: _Line) -> tuple[str, ...]:
    return _parts(await line.ask("DELETE", "/faults"))


def _parts(found: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{fault['part']}: {fault['kind']}" for fault in found["faults"])


_Asking = Mapping[OwnerKind, Callable[[_Line], Awaitable[tuple[str, ...]]]]
_STOP: Final[_Asking] = {
    OwnerKind.SUPERVISOR: _stop_supervisor,
    OwnerKind.PROXIES: _stop_proxies,
    OwnerKind.PROCESS: _stop_process,
}
_LIST: Final[_Asking] = {
    OwnerKind.SUPERVISOR: _list_supervisor,
    OwnerKind.PROXIES: _list_proxies,
    OwnerKind.PROCESS: _list_process,
}


async def _all(roster: Roster, asking: _Asking) -> list[Said]:
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, trust_env=False
    ) as session:

        async def of(owners: Sequence[Owner]) -> list[Said]:
            return list(
                await asyncio.gather(*(_one(session, roster, one, asking) for one in owners))
            )

        first = [one for one in roster.owners if one.kind is OwnerKind.SUPERVISOR]
        rest = [one for one in roster.owners if one.kind is not OwnerKind.SUPERVISOR]
        return [*await of(first), *await of(rest)]


async def _one(
    session: aiohttp.ClientSession, roster: Roster, owner: Owner, asking: _Asking
) -> Said:
    token = {
        OwnerKind.SUPERVISOR: roster.supervisor_token,
        OwnerKind.PROXIES: "",
        OwnerKind.PROCESS: roster.chaos_token,
    }[owner.kind]
    try:
        return Said(owner, await asking[owner.kind](_Line(session, owner.url, token)))
    except aiohttp.ClientConnectorError:
        return Said(owner, gone=True)
    except TimeoutError:
        return Said(owner, problem=f"it did not answer within {SECONDS:g} s")
    except (_Refused, *_UNREADABLE, aiohttp.ClientError, OSError) as error:
        return Said(owner, problem=str(error) or type(error).__name__)
