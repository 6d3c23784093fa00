"""The inbox: messages taken over from the bus, then handled in order per key, with effects once.

    receiver = InboxReceiver(engine, bus, "user-events", "ledger", on_accepted=worker.wake)
    worker = InboxWorker(engine, "ledger", {"user.registered": open_account})

The receiver commits a message to the inbox and then acknowledges it; the worker runs each handler in the
transaction that marks the message done.
"""

from chassis.inbox.options import InboxListener, InboxOptions, InboxStats, SilentInbox
from chassis.inbox.receiver import InboxReceiver, accept
from chassis.inbox.staff import ParkedMessage, discard, parked, redrive
from chassis.inbox.verdicts import Park, Postpone
from chassis.inbox.worker import Handler, InboxWorker

__all__ = [
    "Handler",
    "InboxListener",
    "InboxOptions",
    "InboxReceiver",
    "InboxStats",
    "InboxWorker",
    "Park",
    "ParkedMessage",
    "Postpone",
    "SilentInbox",
    "accept",
    "discard",
    "parked",
    "redrive",
]
