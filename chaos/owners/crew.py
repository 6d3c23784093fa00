"""All owners of one platform, from its roster."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import aiohttp

from chaos.owners.line import ANSWER_SECONDS, Line, session
from chaos.owners.owner import FaultOwner
from chaos.owners.process import ProcessOwner
from chaos.owners.proxies import ProxiesOwner
from chaos.owners.supervisor import SupervisorOwner
from chaos.roster import Owner, OwnerKind, Roster

T = TypeVar("T")

_Client = tuple[Callable[[Line], FaultOwner[Any]], Callable[[Roster], str]]

_CLIENTS: Final[dict[OwnerKind, _Client]] = {
    OwnerKind.SUPERVISOR: (SupervisorOwner, lambda roster: roster.supervisor_token),
    OwnerKind.PROXIES: (ProxiesOwner, lambda _: ""),
    OwnerKind.PROCESS: (ProcessOwner, lambda roster: roster.chaos_token),
}
"""Of each kind its client, and the token that it shows."""


@dataclass(frozen=True, slots=True)
class Crew:
    """The owners by their names in the roster."""

    by_name: dict[str, FaultOwner[Any]]

    @property
    def supervisor(self) -> SupervisorOwner:
        """Raises LookupError: the roster has none."""
        return self._only(SupervisorOwner)

    @property
    def proxies(self) -> ProxiesOwner:
        """Raises LookupError: the roster has none."""
        return self._only(ProxiesOwner)

    def process(self, name: str) -> ProcessOwner:
        """Raises LookupError: there is no such process."""
        owner = self.by_name[name]
        if not isinstance(owner, ProcessOwner):
            raise LookupError(f"{name} is no process")
        return owner

    def _only(self, kind: type[T]) -> T:
        for owner in self.by_name.values():
            if isinstance(owner, kind):
                return owner
        raise LookupError(f"the roster names no {kind.__name__}")


@contextlib.asynccontextmanager
async def crew(roster: Roster, seconds: float = ANSWER_SECONDS) -> AsyncIterator[Crew]:
    """The owners of `roster`, with lines that are open while the block runs.

    Args:
        seconds: for one answer.
    """
    async with session() as opened:
        yield Crew({one.name: _client(opened, roster, one, seconds) for one in roster.owners})


def _client(
    opened: aiohttp.ClientSession, roster: Roster, owner: Owner, seconds: float
) -> FaultOwner[Any]:
    client, token = _CLIENTS[owner.kind]
    return client(Line(opened, owner.name, owner.url, token(roster), seconds))
