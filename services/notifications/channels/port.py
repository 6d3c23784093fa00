"""What a channel is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from resilience import Fault, Verdict


@dataclass(frozen=True, slots=True)
class Letter:
    """A notification on its way. `id` is the same on every attempt."""

    id: UUID
    user_id: UUID
    type: str
    title: str
    body: str
    transaction_id: UUID | None
    created_at: datetime
    correlation_id: str


class DeliveryFailed(Exception):
    """The channel did not take the letter, or it is not known that it did.

    Attributes:
        reason: a short code, without data (`HTTP_503`).
        permanent: whether trying again cannot help.
        after: seconds that the other side asks to wait; 0 when it does not.
    """

    def __init__(self, reason: str, *, permanent: bool = False, after: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.after = after

    @property
    def verdict(self) -> Verdict:
        """What it says about the receiver, for the policies: a refusal for good is an answer."""
        return Verdict(Fault.CALLER if self.permanent else Fault.DEPENDENCY)


class Channel(Protocol):
    """Takes letters, at least once each; it must end within `delivery.ATTEMPT_TIMEOUT`."""

    @property
    def name(self) -> str: ...

    async def deliver(self, letter: Letter) -> None:
        """Return once the letter is delivered.

        Raises:
            DeliveryFailed: it is not, or that is not known.
        """
        ...
