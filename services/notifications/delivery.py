"""Hands notifications to their channels: at least once each, with growing pauses, and not for ever.

A batch is taken by raising `attempts` and leasing it for a while, delivered with no transaction open,
and settled in one transaction together with the events that tell of it. Whoever loses the lease
finds the number changed and settles nothing.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Double, Integer, Text, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis import logs, messages, outbox
from chassis.database import autocommit, transaction
from chassis.messages import Event
from chassis.metrics import Metrics
from chassis.pacing import Backoff
from services.notifications.channels.port import Channel, DeliveryFailed, Letter
from services.notifications.contract import NotificationDelivered, NotificationStatus

BATCH = 64
"""Deliveries taken at once."""

CONCURRENCY = 16
"""Deliveries under way at once: a slow receiver is not flooded."""

ATTEMPT_TIMEOUT = 6.0
"""Seconds that a channel may take: a little more than the webhook's own timeout."""

LEASE = 60.0
"""Seconds that a taken batch is ours: twice what the slowest batch takes (64 / 16 × 6 s = 24 s)."""

MAX_ATTEMPTS = 20
"""With the backoff below about three hours; then FAILED."""

BACKOFF = Backoff(2.0, 900.0)
"""Seconds between attempts: doubling from 2 s to a quarter of an hour."""

POLL = 0.25
"""Seconds between looks for something to deliver."""

_TAKE = text("""
    WITH due AS (
        SELECT notification_id, channel FROM deliveries
        WHERE status = 'PENDING' AND next_attempt_at <= clock_timestamp()
        ORDER BY next_attempt_at LIMIT :limit
        FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE deliveries AS d
        SET attempts = d.attempts + 1,
            next_attempt_at = clock_timestamp() + make_interval(secs => :lease)
        FROM due
        WHERE d.notification_id = due.notification_id AND d.channel = due.channel
        RETURNING d.notification_id, d.channel, d.attempts
    )
    SELECT taken.channel, taken.attempts, n.id, n.user_id, n.type, n.title, n.body,
           n.transaction_id, n.created_at, n.correlation_id
    FROM taken JOIN notifications AS n ON n.id = taken.notification_id
""")

_LOCK = text("""
    SELECT id FROM notifications WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE
""").bindparams(bindparam("ids", type_=ARRAY(Uuid)))

_SETTLE = text("""
    UPDATE deliveries AS d
    SET status = r.status, last_error = r.reason,
        next_attempt_at = clock_timestamp() + make_interval(secs => r.pause)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:channels AS text[]), CAST(:attempts AS integer[]),
                CAST(:statuses AS text[]), CAST(:reasons AS text[]), CAST(:pauses AS float8[]))
        AS r (id, channel, attempts, status, reason, pause)
    WHERE d.notification_id = r.id AND d.channel = r.channel
      AND d.status = 'PENDING' AND d.attempts = r.attempts
    RETURNING d.notification_id, d.channel, d.status, clock_timestamp() AS now
""").bindparams(
    bindparam("ids", type_=ARRAY(Uuid)),
    bindparam("channels", type_=ARRAY(Text)),
    bindparam("attempts", type_=ARRAY(Integer)),
    bindparam("statuses", type_=ARRAY(Text)),
    bindparam("reasons", type_=ARRAY(Text)),
    bindparam("pauses", type_=ARRAY(Double)),
)

_CLOSE = text("""
    UPDATE notifications AS n
    SET status = CASE WHEN ended.failed THEN 'FAILED' ELSE 'DELIVERED' END,
        delivered_at = CASE WHEN ended.failed THEN NULL ELSE clock_timestamp() END
    FROM (
        SELECT notification_id, bool_or(status = 'FAILED') AS failed
        FROM deliveries WHERE notification_id = ANY(:ids)
        GROUP BY notification_id HAVING bool_and(status <> 'PENDING')
    ) AS ended
    WHERE n.id = ended.notification_id AND n.status = 'PENDING'
""").bindparams(bindparam("ids", type_=ARRAY(Uuid)))

_NUMBER = text("""
    INSERT INTO recipients (user_id, delivered)
    SELECT user_id, made
    FROM unnest(CAST(:user_ids AS uuid[]), CAST(:made AS integer[])) AS r (user_id, made)
    ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE SET delivered = recipients.delivered + excluded.delivered
    RETURNING user_id, delivered
""").bindparams(bindparam("user_ids", type_=ARRAY(Uuid)), bindparam("made", type_=ARRAY(Integer)))

_log = logs.get("delivery")


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery that is ours until the lease ends."""

    letter: Letter
    channel: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one attempt: DELIVERED, FAILED for good, or PENDING for another in `pause` s."""

    taken: Taken
    status: NotificationStatus
    reason: str | None = None
    pause: float = 0.0


class DeliveryMetrics:
    """Counts attempts by channel and outcome."""

    def __init__(self, metrics: Metrics, channels: Sequence[str]) -> None:
        self.attempts = metrics.counter(
            "notifications_delivery_attempts_total",
            "Attempts to deliver a notification",
            channel=tuple(channels),
            outcome=("delivered", "retry", "failed"),
        )


class Deliveries:
    """Works off what is due. `work` is called again and again by a worker; any number of replicas may."""

    def __init__(
        self,
        engine: AsyncEngine,
        channels: Mapping[str, Channel],
        metrics: DeliveryMetrics,
        *,
        backoff: Backoff = BACKOFF,
        max_attempts: int = MAX_ATTEMPTS,
        rng: random.Random | None = None,
    ) -> None:
        self._engine = engine
        self._channels = channels
        self._metrics = metrics
        self._backoff = backoff
        self._max_attempts = max_attempts
        self._rng = rng or random.Random()  # noqa: S311 - jitter is not a secret

    async def work(self) -> bool:
        """Take a batch, deliver and settle it; whether more may be waiting."""
        taken = await self.take()
        if not taken:
            return False
        slots = asyncio.Semaphore(CONCURRENCY)
        results = await asyncio.gather(*(self._attempt(item, slots) for item in taken))
        await self.settle(results)
        return len(taken) == BATCH

    async def take(self) -> list[Taken]:
        """Lease up to `BATCH` deliveries that are due.

        One statement, so no transaction of ours around it: an answer that is lost leaves leases behind,
        which end by themselves.
        """
        async with autocommit(self._engine) as connection:
            rows = (await connection.execute(_TAKE, {"limit": BATCH, "lease": LEASE})).all()
        return [_taken(row) for row in rows]

    async def settle(self, results: Sequence[Result]) -> None:
        """Write what became of a batch, and the events of what was delivered, in one transaction."""
        async with transaction(self._engine) as uow:
            settled = await _write(uow.connection, results)
            delivered = [
                (result, settled[_key(result)])
                for result in results
                if _key(result) in settled and result.status is NotificationStatus.DELIVERED
            ]
            await outbox.enqueue(uow.connection, await _events(uow.connection, delivered))
            await uow.commit()

    async def _attempt(self, taken: Taken, slots: asyncio.Semaphore) -> Result:
        async with slots:
            try:
                await self._deliver(taken)
            except DeliveryFailed as failure:
                result = self._judge(taken, failure)
            else:
                result = Result(taken, NotificationStatus.DELIVERED)
        self._tell(result)
        return result

    async def _deliver(self, taken: Taken) -> None:
        channel = self._channels.get(taken.channel)
        if channel is None:
            raise DeliveryFailed("CHANNEL_REMOVED", permanent=True)
        try:
            async with asyncio.timeout(ATTEMPT_TIMEOUT):
                await channel.deliver(taken.letter)
        except DeliveryFailed:
            raise
        except TimeoutError:
            raise DeliveryFailed("TIMEOUT") from None
        except Exception as error:  # noqa: BLE001 - any fault of a channel is one failed attempt
            # A fault of the channel's own must not hold up the rest of the batch.
            _log.error("channel failed", channel=taken.channel, exc_info=error)
            raise DeliveryFailed("CHANNEL_BROKEN") from None

    def _judge(self, taken: Taken, failure: DeliveryFailed) -> Result:
        if failure.permanent or taken.attempts >= self._max_attempts:
            return Result(taken, NotificationStatus.FAILED, failure.reason)
        pause = max(self._backoff.pause(taken.attempts, self._rng), failure.after)
        return Result(taken, NotificationStatus.PENDING, failure.reason, pause)

    def _tell(self, result: Result) -> None:
        outcome = {
            NotificationStatus.DELIVERED: "delivered",
            NotificationStatus.PENDING: "retry",
            NotificationStatus.FAILED: "failed",
        }[result.status]
        self._metrics.attempts.labels(result.taken.channel, outcome).inc()
        if result.status is not NotificationStatus.DELIVERED:
            write = _log.error if result.status is NotificationStatus.FAILED else _log.warning
            write(
                "notification not delivered",
                notificationId=result.taken.letter.id,
                channel=result.taken.channel,
                code=result.reason,
                attempt=result.taken.attempts,
                outcome=outcome,
                correlationId=result.taken.letter.correlation_id,
            )


async def _write(
    connection: AsyncConnection, results: Sequence[Result]
) -> dict[tuple[UUID, str], datetime]:
    """The deliveries that were still ours, and when they were settled."""
    ids = [result.taken.letter.id for result in results]
    # Two channels of one notification may be settled by two replicas: the later one closes it.
    await connection.execute(_LOCK, {"ids": ids})
    rows = await connection.execute(
        _SETTLE,
        {
            "ids": ids,
            "channels": [result.taken.channel for result in results],
            "attempts": [result.taken.attempts for result in results],
            "statuses": [result.status.value for result in results],
            "reasons": [result.reason for result in results],
            "pauses": [result.pause for result in results],
        },
    )
    settled = {(row.notification_id, row.channel): row.now for row in rows}
    await connection.execute(_CLOSE, {"ids": ids})
    return settled


async def _events(
    connection: AsyncConnection, delivered: Sequence[tuple[Result, datetime]]
) -> list[Event]:
    """`notification.delivered` for each, numbered per recipient."""
    if not delivered:
        return []
    made = Counter(result.taken.letter.user_id for result, _ in delivered)
    numbered = await connection.execute(
        _NUMBER, {"user_ids": list(made), "made": list(made.values())}
    )
    last = {row.user_id: row.delivered for row in numbered}
    events = []
    for result, now in delivered:
        letter = result.taken.letter
        made[letter.user_id] -= 1
        events.append(
            _event(result.taken, now, version=last[letter.user_id] - made[letter.user_id])
        )
    return events


def _event(taken: Taken, now: datetime, *, version: int) -> Event:
    letter = taken.letter
    data = NotificationDelivered(
        notification_id=letter.id,
        user_id=letter.user_id,
        type=letter.type,
        transaction_id=letter.transaction_id,
        channel=taken.channel,
    )
    return Event.of(
        data,
        topic=messages.NOTIFICATION_EVENTS,
        type=messages.NOTIFICATION_DELIVERED,
        key=letter.user_id,
        version=version,
        occurred_at=now,
        correlation_id=letter.correlation_id,
    )


def _key(result: Result) -> tuple[UUID, str]:
    return result.taken.letter.id, result.taken.channel


def _taken(row: Any) -> Taken:
    letter = Letter(
        id=row.id,
        user_id=row.user_id,
        type=row.type,
        title=row.title,
        body=row.body,
        transaction_id=row.transaction_id,
        created_at=row.created_at,
        correlation_id=row.correlation_id,
    )
    return Taken(letter, row.channel, row.attempts)
