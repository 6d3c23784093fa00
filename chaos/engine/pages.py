"""The processes' pages of metrics."""

from chaos.engine.wire import Wire
from chaos.roster import OwnerKind, Roster


class ProcessPages:
    """`/metrics` of every process in a roster."""

    def __init__(self, wire: Wire, roster: Roster) -> None:
        self._wire = wire
        self._urls = {
            owner.name: f"{owner.url}/metrics"
            for owner in roster.owners
            if owner.kind is OwnerKind.PROCESS
        }

    def processes(self) -> list[str]:
        return list(self._urls)

    async def read(self, process: str) -> str | None:
        return await self._wire.page(self._urls[process])
