"""One connection through a proxy: two sockets, two pipes, and the timers between them. The I/O of it all.

A protocol on each socket, not streams: bytes go from one `data_received` into the other's `write`.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from chaos.proxy.clock import Clock, Timer
from chaos.proxy.dose import Dose, Stream
from chaos.proxy.limits import Limits
from chaos.proxy.pipe import Generator, Pipe
from chaos.proxy.toxics.toxic import Mark, Piece

_LINGER_NONE = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends RST and drops what was not sent."""


@dataclass(slots=True)
class Traffic:
    """Bytes that one direction of a proxy has received and sent, over all connections."""

    received: int = 0
    sent: int = 0


class Owner(Protocol):
    """What a link needs of its proxy."""

    clock: Clock
    limits: Limits
    traffic: dict[Stream, Traffic]

    def generator(self) -> Generator:
        """Randomness for the next connection."""
        ...

    def opened(self, link: "Link") -> bool:
        """Take the link up and see to its upstream; False to refuse it."""
        ...

    def ended(self, link: "Link") -> None:
        """Forget the link: both its sockets are gone."""
        ...

    def met(self, dose: Dose, data: int, *, new: bool = False) -> None:
        """Count what a toxic has met."""
        ...


class Side(asyncio.Protocol):
    """The protocol of one socket. `out` carries what it says, `into` what it is told."""

    __slots__ = ("arrived", "choked", "into", "lost", "out", "transport")

    transport: asyncio.Transport
    out: "Flow"
    into: "Flow"

    def __init__(self, arrived: Callable[[], None]) -> None:
        self.arrived = arrived
        self.choked = False
        self.lost = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour only
        self.lost = False
        # Nothing is read before both sides are there, and so nothing has to be kept.
        self.transport.pause_reading()
        self.transport.set_write_buffer_limits(high=self.into.limits.transport_bytes)
        self.arrived()

    def data_received(self, data: bytes) -> None:
        self.out.receive(data)

    def eof_received(self) -> bool:
        self.out.finish(Mark.END)
        return True  # half-closed: the other direction goes on

    def pause_writing(self) -> None:
        self.choked = True
        self.into.throttle()

    def resume_writing(self) -> None:
        self.choked = False
        self.into.throttle()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self.lost = True
        self.out.link.side_lost(self)

    def abort(self, *, reset: bool) -> None:
        if self.lost:
            return
        connection = self.transport.get_extra_info("socket")
        if reset and connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        self.transport.abort()


class Flow:
    """One direction: from a source through a pipe to a target, with backpressure."""

    __slots__ = (
        "_armed", "_paused", "_timer", "clock", "deaf", "delivered", "early", "ended", "limits", "link",
        "owner", "pipe", "source", "target", "traffic",
    )  # fmt: skip

    def __init__(
        self, link: "Link", stream: Stream, source: Side, target: Side, generator: Generator
    ) -> None:
        self.link = link
        self.owner = link.owner
        self.clock, self.limits = link.owner.clock, link.owner.limits
        self.traffic = link.owner.traffic[stream]
        self.source, self.target = source, target
        self.pipe = Pipe(generator, self.limits.buffered_bytes)
        self.ended = False  # the source has said its last
        self.delivered = False  # the target has been told so
        self.deaf = False  # the target is gone
        self.early: list[Piece] | None = []  # what came before the target was there
        self._paused = True
        self._timer: Timer | None = None
        self._armed = 0.0
        source.out = target.into = self

    def receive(self, data: bytes) -> None:
        self.traffic.received += len(data)
        if self.deaf:
            return
        if self.early is not None:
            self._keep(Piece(self.clock.now(), data))
            return
        if self.pipe.idle:
            self._write(data)
            return
        for dose in self.pipe.affected_by:
            self.owner.met(dose, len(data))
        self.pipe.push(Piece(self.clock.now(), data))
        self.pump()

    def finish(self, mark: Mark) -> None:
        """The source has ended, or was torn away: that travels behind its data."""
        if self.ended:
            return
        self.ended = True
        piece = Piece(self.clock.now(), mark=mark)
        if self.early is not None:
            self._keep(piece)
        elif not self.deaf:
            self.pipe.push(piece)
            self.pump()

    def begin(self) -> None:
        """The target is there and the toxics are in place."""
        early, self.early = self.early or [], None
        for piece in early:
            self.pipe.push(piece)
        self.pump()

    def pump(self) -> None:
        """Deliver one piece that is due, set the timer for the next, and see to backpressure.

        One at a time: loops may join what is written in one of their turns, and a slice must stay one.
        """
        piece = self.pipe.pop(self.clock.now())
        if piece is not None:
            if piece.mark is not None:
                self._deliver(piece.mark)
                return
            self._write(piece.data)
        self._arm(self.pipe.wake())
        self.throttle()

    def throttle(self) -> None:
        """Backpressure: the source is read only while there is room for what it says."""
        if self.deaf or self.ended or self.source.lost or self.source.transport.is_closing():
            return
        held = self.pipe.held
        if self.target.choked or held >= self.limits.buffered_bytes:
            if not self._paused:
                self._paused = True
                self.source.transport.pause_reading()
        elif self._paused and held <= self.limits.buffered_bytes // 2:
            self._paused = False
            self.source.transport.resume_reading()

    def stop(self) -> None:
        """Deliver nothing more."""
        self.deaf = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _keep(self, piece: Piece) -> None:
        # uvloop starts to read whatever `connection_made` said. Told once more, it stops.
        if self.early is not None:
            self.early.append(piece)
        if piece.mark is None:
            self.source.transport.pause_reading()

    def _write(self, data: bytes) -> None:
        if not self.target.transport.is_closing():
            self.traffic.sent += len(data)
            self.target.transport.write(data)

    def _deliver(self, mark: Mark) -> None:
        self.stop()
        self.delivered = True
        if mark is Mark.RESET:
            self.link.abort(reset=True)
        elif mark is Mark.CLOSE:
            self.link.close()
        else:
            if not self.target.transport.is_closing():
                self.target.transport.write_eof()
            self.link.half_closed()

    def _arm(self, when: float | None) -> None:
        if self._timer is not None:
            if when == self._armed:
                return
            self._timer.cancel()
            self._timer = None
        if when is not None:
            self._armed = when
            self._timer = self.clock.call_at(when, self._fired)

    def _fired(self) -> None:
        self._timer = None
        self.pump()


class Link:
    """A client's connection and the one to the upstream."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.client = Side(self._client_arrived)
        self.upstream = Side(self._upstream_arrived)
        generator = owner.generator()
        self.flows = {
            Stream.UPSTREAM: Flow(self, Stream.UPSTREAM, self.client, self.upstream, generator),
            Stream.DOWNSTREAM: Flow(self, Stream.DOWNSTREAM, self.upstream, self.client, generator),
        }
        self._doses: list[Dose] = []
        self._closing: Timer | None = None
        self._over = False
        self.connecting = True

    def infect(self, doses: list[Dose]) -> None:
        """Have these toxics, once both sides are there; at once, when they are."""
        if self.connecting:
            self._doses += doses
            return
        now = self.owner.clock.now()
        for dose in doses:
            flow = self.flows[dose.stream]
            if not flow.deaf:
                if flow.pipe.add(dose, now):
                    self.owner.met(dose, 0, new=True)
                if flow.early is None:
                    flow.pump()

    def alter(self, dose: Dose) -> None:
        """Go by what `dose` says now."""
        flow = self.flows[dose.stream]
        if not self.connecting and not flow.deaf:
            if flow.pipe.alter(dose, self.owner.clock.now()):
                self.owner.met(dose, 0, new=True)
            flow.pump()

    def cure(self, dose: Dose) -> None:
        """Be rid of a toxic."""
        if self.connecting:
            self._doses.remove(dose)
            return
        flow = self.flows[dose.stream]
        if not flow.deaf:
            flow.pipe.remove(dose, self.owner.clock.now())
            flow.pump()

    def half_closed(self) -> None:
        """Close for good once neither direction has anything to say."""
        if all(flow.deaf for flow in self.flows.values()):
            self.close()

    def close(self) -> None:
        """Close both sides when they have taken what was written to them, or have had the time to."""
        self._stop()
        self._over = True
        for side in (self.client, self.upstream):
            if not side.lost:
                side.transport.close()
        if self._closing is None and not (self.client.lost and self.upstream.lost):
            limit = self.owner.clock.now() + self.owner.limits.close_seconds
            self._closing = self.owner.clock.call_at(limit, lambda: self.abort(reset=True))

    def abort(self, *, reset: bool) -> None:
        """Close both sides at once, dropping what is on its way."""
        self._stop()
        self._over = True
        for side in (self.client, self.upstream):
            side.abort(reset=reset)

    def side_lost(self, side: Side) -> None:
        """One socket is gone: tell the other in its turn, or be done."""
        if self.client.lost and self.upstream.lost:
            self._stop()
            if self._closing is not None:
                self._closing.cancel()
            self.owner.ended(self)
        elif not self._over:
            side.into.stop()
            if side.out.delivered:
                self.abort(reset=True)
            else:
                side.out.finish(Mark.RESET)

    def _stop(self) -> None:
        for flow in self.flows.values():
            flow.stop()

    def _client_arrived(self) -> None:
        if not self.owner.opened(self):
            self.client.abort(reset=True)

    def _upstream_arrived(self) -> None:
        self.connecting = False
        if self.client.lost or self.client.transport.is_closing():
            self.abort(reset=False)
            return
        doses, self._doses = self._doses, []
        self.infect(doses)
        for flow in self.flows.values():
            flow.begin()
