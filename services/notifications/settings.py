"""What the notifications service is told beyond what every process is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chassis.settings import (
    Reader,
    Secret,
    Settings,
    read_settings,
    whole_number,
    words,
)
from services.notifications.contract import SERVICE

KNOWN_CHANNELS = ("log", "webhook")
DEFAULT_CHANNELS: tuple[str, ...] = ("log",)
MIN_SECRET = 16
"""Fewest characters of the webhook's shared secret."""

WEBHOOK_URL = "BALUARTE_NOTIFICATIONS_WEBHOOK_URL"
WEBHOOK_SECRET_FILE = "BALUARTE_NOTIFICATIONS_WEBHOOK_SECRET_FILE"  # noqa: S105 - a setting's name


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where notifications are posted, and the secret that signs them."""

    url: str
    secret: Secret


@dataclass(frozen=True, slots=True)
class NotificationsSettings:
    """Settings of a notifications process.

    Attributes:
        common: what every process has.
        channels: where every notification goes, in this order.
        webhook: set when `channels` has it.
        retention_days: how long the history is kept.
    """

    common: Settings
    channels: tuple[str, ...] = DEFAULT_CHANNELS
    webhook: Webhook | None = None
    retention_days: int = 730


def read(environ: Mapping[str, str]) -> NotificationsSettings:
    """Read everything from the environment, once.

    Raises:
        SettingsError: with every problem and its way out.
    """
    reader = Reader(environ)
    common = read_settings(environ, SERVICE, peers=("users",), reader=reader)
    channels = reader.get(
        "BALUARTE_NOTIFICATIONS_CHANNELS", parse=_channels, default=DEFAULT_CHANNELS
    )
    webhook = None
    if "webhook" in channels:
        webhook = _webhook(reader, common)
    else:
        reader.pass_over(WEBHOOK_URL, WEBHOOK_SECRET_FILE)
    retention = reader.get(
        "BALUARTE_NOTIFICATIONS_RETENTION_DAYS", parse=whole_number(1, 36_500), default=730
    )
    reader.finish()
    return NotificationsSettings(common, channels, webhook, retention)


def _channels(value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(words(value)))
    unknown = [name for name in names if name not in KNOWN_CHANNELS]
    if unknown or not names:
        raise ValueError(f"is {value!r}; use one or more of {', '.join(KNOWN_CHANNELS)}")
    return names


def _webhook(reader: Reader, common: Settings) -> Webhook:
    schemes = ("https",) if common.in_production else ("https", "http")

    def url(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(f"is not a URL that starts with {' or '.join(schemes)}://")
        return value

    return Webhook(
        url=reader.require(
            WEBHOOK_URL,
            parse=url,
            default="",
            hint="give the https URL that takes notifications, or leave the channel webhook out",
        ),
        secret=reader.require(
            WEBHOOK_SECRET_FILE,
            parse=_secret,
            default=Secret(""),
            hint="name a file with the secret that you share with the receiver",
        ),
    )


def _secret(value: str) -> Secret:
    try:
        secret = Path(value).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise ValueError(f"names {Path(value).name}, which cannot be read ({reason})") from None
    if len(secret) < MIN_SECRET:
        raise ValueError(f"names a file with fewer than {MIN_SECRET} characters")
    return Secret(secret)
