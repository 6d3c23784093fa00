"""Settings are read once, wholly checked, and show no secret."""

from datetime import timedelta
from pathlib import Path

import pytest

from chassis.settings import SettingsError
from services.users import settings

URL = "postgresql://u:hidden@db/users"


def test_defaults(tmp_path: Path) -> None:
    """With a database alone everything else has a default, and the secret is made."""
    read = settings.read({"BALUARTE_USERS_DATABASE_URL": URL, "BALUARTE_STATE_DIR": str(tmp_path)})
    assert read.rotate_every == timedelta(days=30)
    assert (tmp_path / "keys" / settings.SECRET_FILE).exists()
    assert read.signing_secret.decode() not in repr(read)
    assert "hidden" not in repr(read)


def test_all_problems_at_once(tmp_path: Path) -> None:
    """Every wrong key is told together."""
    environ = {
        "BALUARTE_STATE_DIR": str(tmp_path),
        "BALUARTE_USERS_KEY_ROTATION_DAYS": "0",
        "BALUARTE_USERS_HASHING_QUEUE": "many",
    }
    with pytest.raises(SettingsError) as caught:
        settings.read(environ)
    assert len(caught.value.problems) == 3


def test_production_makes_no_secret(tmp_path: Path) -> None:
    """In production the operator hands the secret over; none is made up."""
    environ = {
        "BALUARTE_ENVIRONMENT": "production",
        "BALUARTE_USERS_DATABASE_URL": URL,
        "BALUARTE_STATE_DIR": str(tmp_path),
    }
    with pytest.raises(SettingsError, match="SIGNING_SECRET_FILE"):
        settings.read(environ)
    assert not (tmp_path / "keys").exists()
