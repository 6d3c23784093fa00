"""What the servers hold after a run: one snapshot, in the checker's own terms.

The checker judges values, wherever they come from: SQL (`snapshot.py`), a file that an earlier run
saved, or a model in a test. Ids are lower-case UUID strings; amounts are integer minor units; times
are microseconds since the epoch on the clock of the database that holds the row.
"""

from pathlib import Path
from typing import Final

import msgspec

from chaos.history.events import HistoryError, Status

POSTED: Final = "POSTED"
REFUSED: Final = "FAILED"
HOLD_OPEN: Final = "HELD"


class _Row(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Rows hold scalars only, so the garbage collector need not follow them."""


class AccountRow(_Row, frozen=True, gc=False):
    """An account. An `overdraft` of None is unlimited: the system account for the outside world."""

    id: str
    currency: str
    balance: int
    held: int = 0
    overdraft: int | None = 0


class EntryRow(_Row, frozen=True, gc=False):
    """One leg of a posting. `amount` is signed; `order` grows with time within an account."""

    transfer: str
    leg: int
    account: str
    amount: int
    balance_after: int
    order: int | None = None


class PostingRow(_Row, frozen=True, gc=False):
    """The ledger's record of a transfer, posted or refused."""

    id: str
    status: str
    debit: str
    credit: str
    amount: int
    currency: str
    reverses: str | None = None
    created: int = 0


class HoldRow(_Row, frozen=True, gc=False):
    """Money set aside; open while its status is HELD."""

    transfer: str
    account: str
    amount: int
    status: str


class TransactionRow(_Row, frozen=True, gc=False):
    """The transactions service's record: what clients see."""

    id: str
    user: str
    key: str
    type: str
    status: Status
    amount: int
    currency: str
    sender: str | None = None
    receiver: str | None = None
    reverses: str | None = None
    created: int = 0


class MessageRow(_Row, frozen=True, gc=False):
    """An event that tells of a transfer, where it lies: an outbox, or a consumer's inbox.

    `consumer` is empty in an outbox. `done` tells that the consumer has processed it.
    """

    id: str
    type: str
    transfer: str
    consumer: str = ""
    done: bool = False


class EffectRow(_Row, frozen=True, gc=False):
    """What a consumer did because of an event: one notification for one recipient."""

    consumer: str
    type: str
    transfer: str
    recipient: str


class ServerState(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything that the checks need to know of the servers."""

    accounts: tuple[AccountRow, ...] = ()
    entries: tuple[EntryRow, ...] = ()
    postings: tuple[PostingRow, ...] = ()
    holds: tuple[HoldRow, ...] = ()
    transactions: tuple[TransactionRow, ...] = ()
    outbox: tuple[MessageRow, ...] = ()
    inbox: tuple[MessageRow, ...] = ()
    effects: tuple[EffectRow, ...] = ()
    consumers: tuple[str, ...] = ()
    """Consumers whose inbox and effects are in this snapshot."""
    quiet: bool = True
    """Whether the servers had come to rest before the snapshot was taken."""


def save_state(state: ServerState, path: Path | str) -> None:
    """Write a snapshot to a file, so that a verdict can be repeated without the servers."""
    Path(path).write_bytes(msgspec.json.encode(state))


def load_state(path: Path | str) -> ServerState:
    """Read what `save_state` wrote. Raise `HistoryError` when it is not that."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=ServerState)
    except (OSError, msgspec.DecodeError) as error:
        raise HistoryError(path, None, f"is no saved snapshot: {error}") from error
