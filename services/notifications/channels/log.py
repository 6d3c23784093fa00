"""Writes that there is a notification into the log: for development, and as a trace beside others.

The recipient reads the text in their history; the log gets its type and ids, nothing personal.
"""

from chassis import logs
from services.notifications.channels.port import Letter

_log = logs.get("notifications")


class LogChannel:
    """Delivers by a log line."""

    name = "log"

    async def deliver(self, letter: Letter) -> None:
        _log.info(
            "notification",
            notificationId=letter.id,
            userId=letter.user_id,
            transactionId=letter.transaction_id,
            type=letter.type,
            channel=self.name,
            correlationId=letter.correlation_id,
        )
