"""Settings: which channels, and what the webhook needs."""

from pathlib import Path

import pytest

from chassis.client import open_session
from chassis.policies import Policies
from chassis.settings import SettingsError
from services.notifications import settings
from services.notifications.app import POLICY_FILE
from services.notifications.channels import registry

BASE = {"BALUARTE_NOTIFICATIONS_DATABASE_URL": "postgresql://u:p@db/notifications"}


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    """A file with a good secret."""
    path = tmp_path / "secret"
    path.write_text("a shared secret of some length\n")
    return path


def webhook(secret_file: Path, url: str = "https://hooks.example/in") -> dict[str, str]:
    return BASE | {
        "BALUARTE_NOTIFICATIONS_CHANNELS": "log, webhook",
        "BALUARTE_NOTIFICATIONS_WEBHOOK_URL": url,
        "BALUARTE_NOTIFICATIONS_WEBHOOK_SECRET_FILE": str(secret_file),
    }


def test_log_by_default() -> None:
    """Without a word the log is the channel."""
    read = settings.read(BASE)
    assert (read.channels, read.webhook) == (("log",), None)


async def test_both_channels(secret_file: Path) -> None:
    """The channels that are named are made, and the secret does not show itself."""
    read = settings.read(webhook(secret_file))
    async with open_session() as session:
        made = registry.make(read, session, Policies.open(read.common, POLICY_FILE))
    assert list(made) == ["log", "webhook"]
    assert {name: channel.name for name, channel in made.items()} == {
        "log": "log",
        "webhook": "webhook",
    }
    assert "shared secret" not in repr(read)


def test_every_known_channel_is_registered() -> None:
    """What the settings admit can be made."""
    assert set(registry.FACTORIES) == set(settings.KNOWN_CHANNELS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"BALUARTE_NOTIFICATIONS_CHANNELS": "log,pigeon"}, "one or more of log, webhook"),
        ({"BALUARTE_NOTIFICATIONS_CHANNELS": ","}, "one or more of"),
        ({"BALUARTE_NOTIFICATIONS_WEBHOOK_URL": ""}, "WEBHOOK_URL is not set"),
        ({"BALUARTE_NOTIFICATIONS_WEBHOOK_URL": "ftp://x"}, "starts with https or http"),
        ({"BALUARTE_NOTIFICATIONS_WEBHOOK_SECRET_FILE": ""}, "SECRET_FILE is not set"),
        ({"BALUARTE_NOTIFICATIONS_WEBHOOK_SECRET_FILE": "/no/such"}, "cannot be read"),
        ({"BALUARTE_NOTIFICATIONS_RETENTION_DAYS": "0"}, "RETENTION_DAYS"),
    ],
)
def test_wrong_settings(secret_file: Path, change: dict[str, str], said: str) -> None:
    """Each mistake is told with its way out."""
    with pytest.raises(SettingsError, match=said):
        settings.read(webhook(secret_file) | change)


def test_short_secret(secret_file: Path) -> None:
    """A secret that could be guessed is refused, and not shown."""
    secret_file.write_text("hunter2")
    with pytest.raises(SettingsError, match="fewer than 16") as caught:
        settings.read(webhook(secret_file))
    assert "hunter2" not in str(caught.value)


def test_https_only_in_production(secret_file: Path) -> None:
    """Notifications name people and amounts, so production posts them encrypted or not at all."""
    plain = webhook(secret_file, "http://hooks.example/in")
    assert settings.read(plain).webhook is not None
    with pytest.raises(SettingsError, match="https"):
        settings.read(plain | {"BALUARTE_ENVIRONMENT": "production"})
