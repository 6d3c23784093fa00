"""A transactions service that tells the bus once and forgets: what is not taken then is never told."""

import contextlib
from collections.abc import Sequence

from chassis import messaging
from chassis.bus.port import BusUnavailable
from chassis.messages import Event
from chassis.outbox import OutboxRelay
from chassis.server import run
from services.transactions.app import compose
from services.transactions.contract import SERVICE


class Forgetful(OutboxRelay):
    """Takes events out of the outbox whether or not the bus has them."""

    async def _publish(self, events: Sequence[Event]) -> None:
        with contextlib.suppress(BusUnavailable):
            await super()._publish(events)


if __name__ == "__main__":
    messaging.OutboxRelay = Forgetful  # type: ignore[attr-defined]
    run(SERVICE, compose)
