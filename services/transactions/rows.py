"""A transaction as its row says, with the names that this service has heard of."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import RowMapping

from services.transactions.contract import TransactionStatus, TransactionType

MetadataValues = Mapping[str, str | int | bool | None]

COLUMNS: Final = """
t.id, t.type, t.status, t.sender_id, t.receiver_id, s.name AS sender_name, r.name AS receiver_name,
t.initiated_by, t.amount, t.currency, t.description, t.metadata, t.idempotency_key, t.correlation_id,
t.reverses, t.reversed_by, t.failure_reason, t.created_at, t.processed_at, t.version, t.traceparent
"""
"""What `Row.of` reads; needs `NAMES` in the query."""

NAMES: Final = """
LEFT JOIN names s ON s.user_id = t.sender_id
LEFT JOIN names r ON r.user_id = t.receiver_id
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """A transaction that is asked for: checked, and not yet written. `id` is drawn beforehand."""

    id: UUID
    type: TransactionType
    sender_id: UUID | None
    receiver_id: UUID | None
    initiated_by: UUID
    amount: int
    currency: str
    description: str | None
    metadata: MetadataValues | None
    idempotency_key: str
    request_hash: bytes
    correlation_id: str
    reverses: UUID | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A transaction. Times are the database's clock; `amount` is in minor units."""

    id: UUID
    type: TransactionType
    status: TransactionStatus
    sender_id: UUID | None
    receiver_id: UUID | None
    sender_name: str | None
    receiver_name: str | None
    initiated_by: UUID
    amount: int
    currency: str
    description: str | None
    metadata: MetadataValues | None
    idempotency_key: str
    correlation_id: str
    reverses: UUID | None
    reversed_by: UUID | None
    failure_reason: str | None
    created_at: datetime
    processed_at: datetime | None
    version: int
    traceparent: str | None = None
    """Trace context of the request, so that what is done later is seen as its consequence."""

    @property
    def pending(self) -> bool:
        return self.status is TransactionStatus.PENDING

    @classmethod
    def of(cls, record: RowMapping) -> "Row":
        """From a record of a query that selects `COLUMNS`."""
        return cls(
            id=record["id"],
            type=TransactionType(record["type"]),
            status=TransactionStatus(record["status"]),
            sender_id=record["sender_id"],
            receiver_id=record["receiver_id"],
            sender_name=record["sender_name"],
            receiver_name=record["receiver_name"],
            initiated_by=record["initiated_by"],
            amount=record["amount"],
            currency=record["currency"],
            description=record["description"],
            metadata=record["metadata"],
            idempotency_key=record["idempotency_key"],
            correlation_id=record["correlation_id"],
            reverses=record["reverses"],
            reversed_by=record["reversed_by"],
            failure_reason=record["failure_reason"],
            created_at=record["created_at"],
            processed_at=record["processed_at"],
            version=record["version"],
            traceparent=record["traceparent"],
        )

    @classmethod
    def begun(
        cls,
        draft: Draft,
        *,
        created_at: datetime,
        sender_name: str | None,
        receiver_name: str | None,
    ) -> "Row":
        """The row that inserting `draft` has made."""
        return cls(
            id=draft.id,
            type=draft.type,
            status=TransactionStatus.PENDING,
            sender_id=draft.sender_id,
            receiver_id=draft.receiver_id,
            sender_name=sender_name,
            receiver_name=receiver_name,
            initiated_by=draft.initiated_by,
            amount=draft.amount,
            currency=draft.currency,
            description=draft.description,
            metadata=draft.metadata,
            idempotency_key=draft.idempotency_key,
            correlation_id=draft.correlation_id,
            reverses=draft.reverses,
            reversed_by=None,
            failure_reason=None,
            created_at=created_at,
            processed_at=None,
            version=1,
            traceparent=draft.traceparent,
        )


def new_id() -> UUID:
    """A fresh id (UUID version 7, RFC 9562): ids of one time lie together in the index.

    The order of ids means nothing: statements are ordered by the database's clock.
    """
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
