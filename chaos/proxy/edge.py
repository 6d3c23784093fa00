"""One proxied edge, `users→postgres` say: a listener, its connections, and the toxics on them.

Toxiproxy calls it a proxy, and so does the API.
"""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from chaos.proxy.addresses import Address, listening_socket, name_of
from chaos.proxy.clock import Clock, LoopClock, Timer
from chaos.proxy.dose import Dose, Lease, Stream
from chaos.proxy.errors import ApiError, LimitReached, ToxicAlreadyExists, ToxicNotFound
from chaos.proxy.limits import Limits
from chaos.proxy.link import Link, Side, Traffic
from chaos.proxy.pipe import Generator
from chaos.proxy.toxics.toxic import Toxic

log = logging.getLogger("chaos.proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a whole proxy server goes by.

    Attributes:
        seed: of all randomness. The same seed, proxies, toxics and order of connections draw the same.
        allow_remote: listen on addresses that other machines reach.
        default_lease: seconds for a toxic or a "down" that was asked for without a lease; None for no
            end. For clients that know no leases.
        limits: the bounds.
        clock: the time for delays and leases.
    """

    seed: int = 0
    allow_remote: bool = False
    default_lease: float | None = None
    limits: Limits = field(default_factory=Limits)
    clock: Clock = field(default_factory=LoopClock)


class Edge:
    """A proxy. `start` and `stop` are "enabled" and "down"; all but `start` and `move` are immediate."""

    def __init__(self, name: str, listen: str, upstream: Address, options: Options) -> None:
        self.name = name
        self.asked = listen
        self.listen = listen
        self.upstream = upstream
        self.options = options
        self.clock, self.limits = options.clock, options.limits
        self.traffic = {stream: Traffic() for stream in Stream}
        self.doses: list[Dose] = []
        self.links: set[Link] = set()
        self.accepted = 0
        self.refused = 0
        self.met_connections: Counter[tuple[str, Stream]] = Counter()
        self.met_bytes: Counter[tuple[str, Stream]] = Counter()
        self.down_lease: Lease | None = None
        self.down_by = ""
        self.dropped = 0
        self._server: asyncio.Server | None = None
        self._connecting: set[asyncio.Task[None]] = set()
        self._rebinding: asyncio.Task[None] | None = None
        self._again: Timer | None = None

    @property
    def enabled(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    @property
    def busy(self) -> bool:
        """Whether it has connections or tasks."""
        return bool(self.links or self._connecting or self._rebinding)

    async def start(self) -> None:
        """Listen; nothing happens when it does already.

        Raises:
            CannotListen, NotLoopback: it cannot, and stays down.
        """
        self._end_down_lease()
        if self._server is None:
            await self._serve(self.listen)

    async def rise(self) -> None:
        """Listen again, and go on trying by oneself if that fails: nobody may be left to do it.

        Raises:
            CannotListen, NotLoopback: it is tried again in `Limits.rebind_seconds`.
        """
        try:
            await self.start()
        except ApiError:
            self._again = self.clock.call_at(
                self.clock.now() + self.limits.rebind_seconds, self._rise
            )
            raise

    def stop(self, lease: float | None = None, experiment: str = "") -> None:
        """Refuse and drop all connections; listen again by itself after `lease` seconds, if given.

        It stays the experiment's that took it down, when the lease starts anew and nobody says whose.
        """
        self._end_down_lease()
        self.down_by = experiment or ("" if self.enabled else self.down_by)
        if self._server is not None:
            self._server.close()
            self._server = None
            self.dropped = len(self.links)
        self.drop_connections()
        if lease is not None:
            self.down_lease = Lease(lease, self.clock, self._rise)

    async def move(self, listen: str) -> None:
        """Listen elsewhere. The new address is bound before the old one is let go.

        Raises:
            CannotListen, NotLoopback: it cannot, and goes on where it was.
        """
        if self._server is None:
            self.listen = listen
        else:
            before = self._server
            await self._serve(listen)
            before.close()
        self.asked = listen
        self.drop_connections()

    def drop_connections(self) -> None:
        """Close every connection at once."""
        for task in self._connecting:
            task.cancel()
        for link in list(self.links):
            link.abort(reset=False)

    def close(self) -> None:
        """Be gone: no listener, connection, timer or task is left."""
        self.stop()
        self.clear()

    def dose(self, name: str) -> Dose:
        """Return the toxic of that name.

        Raises:
            ToxicNotFound: there is none.
        """
        for dose in self.doses:
            if dose.name == name:
                return dose
        raise ToxicNotFound

    def add(self, dose: Dose, lease: float | None = None) -> None:
        """Apply a toxic, to open connections too.

        Raises:
            ToxicAlreadyExists: one of that name is there.
            LimitReached: there are too many.
        """
        if any(each.name == dose.name for each in self.doses):
            raise ToxicAlreadyExists
        if len(self.doses) >= self.limits.toxics:
            raise LimitReached("toxics on this proxy", self.limits.toxics)
        self.doses.append(dose)
        self.grant(dose, lease)
        for link in list(self.links):
            link.infect([dose])

    def alter(self, dose: Dose, toxic: Toxic, toxicity: float) -> None:
        """Change what a toxic does, on open connections too."""
        dose.toxic, dose.toxicity = toxic, toxicity
        for link in list(self.links):
            link.alter(dose)

    def grant(self, dose: Dose, lease: float | None) -> None:
        """Let a toxic end by itself after `lease` seconds from now, or never."""
        if dose.lease is not None:
            dose.lease.cancel()
            dose.lease = None
        if lease is not None:
            dose.lease = Lease(lease, self.clock, lambda: self._expire(dose))

    def remove(self, dose: Dose) -> None:
        """Take a toxic away, from open connections too."""
        if dose.lease is not None:
            dose.lease.cancel()
        self.doses.remove(dose)
        for link in list(self.links):
            link.cure(dose)

    def clear(self) -> None:
        """Take all toxics away."""
        for dose in list(self.doses):
            self.remove(dose)

    # What a link needs of its owner.

    def generator(self) -> Generator:
        """Draws of one connection: they depend on the seed, its number and the toxic, and not on timing."""
        start = f"{self.options.seed}/{self.name}/{self.accepted}"
        return lambda toxic: Random(f"{start}/{toxic}")  # noqa: S311 - faults, not secrets

    def opened(self, link: Link) -> bool:
        """Take up a connection, if there is room for it."""
        if self._server is None or len(self.links) >= self.limits.connections:
            self.refused += 1
            return False
        self.links.add(link)
        link.infect(self.doses)
        task = asyncio.get_running_loop().create_task(self._connect(link))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return True

    def ended(self, link: Link) -> None:
        self.links.discard(link)

    def met(self, dose: Dose, data: int, *, new: bool = False) -> None:
        dose.met += new
        key = dose.toxic.kind, dose.stream
        self.met_connections[key] += new
        self.met_bytes[key] += data

    # How it works inside.

    async def _serve(self, listen: str) -> None:
        listener = await listening_socket(listen, allow_remote=self.options.allow_remote)
        # Not serving yet: a cancelled task must not leave a server behind that nobody knows.
        self._server = await asyncio.get_running_loop().create_server(
            self._accept, sock=listener, start_serving=False
        )
        self.listen = name_of(listener)
        await self._server.start_serving()

    def _accept(self) -> Side:
        self.accepted += 1
        return Link(self).client

    async def _connect(self, link: Link) -> None:
        host, port = self.upstream.host, self.upstream.port
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.limits.connect_seconds):
                await loop.create_connection(lambda: link.upstream, host, port)
        except OSError as error:  # a TimeoutError is one
            log.info("%s: upstream %s: %s", self.name, self.upstream, str(error) or "no answer")
            link.close()
        except asyncio.CancelledError:
            link.abort(reset=False)
            raise

    def _expire(self, dose: Dose) -> None:
        log.warning("%s: the lease of toxic %s has ended; it is removed", self.name, dose.name)
        self.remove(dose)

    def _end_down_lease(self) -> None:
        if self.down_lease is not None:
            self.down_lease.cancel()
            self.down_lease = None
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._rebinding is not None and self._rebinding is not asyncio.current_task():
            self._rebinding.cancel()

    def _rise(self) -> None:
        log.warning("%s: being down has ended; it listens again", self.name)
        self._rebinding = asyncio.get_running_loop().create_task(self._rebind())
        self._rebinding.add_done_callback(self._rebound)

    def _rebound(self, task: asyncio.Task[None]) -> None:
        if self._rebinding is task:
            self._rebinding = None

    async def _rebind(self) -> None:
        try:
            await self.rise()
        except ApiError as error:
            log.error("%s: %s; tried again soon", self.name, error)
