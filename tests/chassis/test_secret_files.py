"""A password may come by file, and shows neither in the environment nor in a message."""

from pathlib import Path

import pytest

from chassis.secret_files import MAX_BYTES, secret_text
from chassis.settings import Reader, SettingsError, amqp_url, read_settings

URL = "postgresql://app:hunter2@db.internal:5432/users"
KEY = "BALUARTE_USERS_DATABASE_URL"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "database-url"
    path.write_text(f"{URL}\n")
    return path


def test_a_url_in_a_file_is_read(file: Path) -> None:
    """`<KEY>_FILE` means what is in the file, without the newline that editors add."""
    assert secret_text({f"{KEY}_FILE": str(file)}, KEY) == URL
    settings = read_settings({f"{KEY}_FILE": str(file)}, "users")
    assert settings.database_url is not None
    assert settings.database_url.reveal() == URL


def test_every_url_with_a_password_may_come_by_file(tmp_path: Path) -> None:
    """The cache's, the broker's and the bus' too."""
    values = {
        "BALUARTE_REDIS_URL": "redis://users:p@cache:6379/0",
        "BALUARTE_AMQP_URL": "amqp://users:p@mq:5672/",
        "BALUARTE_BUS_DATABASE_URL": "postgresql://bus:p@db/bus",
    }
    environ = {}
    for key, value in values.items():
        path = tmp_path / key
        path.write_text(value)
        environ[f"{key}_FILE"] = str(path)
    settings = read_settings(environ, "gateway", needs_database=False)
    found = (settings.redis_url, settings.amqp_url, settings.bus_database_url)
    assert [secret.reveal() if secret else None for secret in found] == list(values.values())


def test_the_token_of_the_fault_point_may_come_by_file(tmp_path: Path) -> None:
    """It opens the fault point as one in the environment does, and production asks twice for it too."""
    path = tmp_path / "chaos-token"
    path.write_text("a-secret-of-enough-length\n")
    environ = {"BALUARTE_CHAOS_TOKEN_FILE": str(path)}
    settings = read_settings(environ, "gateway", needs_database=False)
    assert settings.chaos_token is not None
    assert settings.chaos_token.reveal() == "a-secret-of-enough-length"
    with pytest.raises(SettingsError, match="BALUARTE_CHAOS_IN_PRODUCTION=true"):
        environ["BALUARTE_ENVIRONMENT"] = "production"
        read_settings(environ, "gateway", needs_database=False)


def test_a_file_and_a_value_exclude_each_other(file: Path) -> None:
    """Nobody has to guess which of two passwords counts."""
    with pytest.raises(SettingsError, match="are both set; leave one out"):
        read_settings({KEY: URL, f"{KEY}_FILE": str(file)}, "users")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read"),
        (b"", "is empty"),
        (b"\xff\xfe", "not text"),
        (b"x" * (MAX_BYTES + 1), "bytes"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_once(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    """The key, the file and the way out; not, besides, that the setting is missing."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        read_settings({f"{KEY}_FILE": str(path)}, "users")
    (problem,) = refused.value.problems
    assert problem.startswith(f"{KEY}_FILE names {path}")
    assert told in problem
    assert "; " in problem


def test_a_wrong_value_in_a_file_does_not_show_itself(tmp_path: Path) -> None:
    """As with values in the environment."""
    path = tmp_path / "amqp-url"
    path.write_text("http://user:hunter2@mq")
    reader = Reader({"BALUARTE_AMQP_URL_FILE": str(path)})
    assert reader.get("BALUARTE_AMQP_URL", parse=amqp_url, default=None, from_file=True) is None
    assert "hunter2" not in str(reader.problems)
    assert reader.problems


def test_only_secrets_come_by_file(file: Path) -> None:
    """For any other setting `_FILE` is a name of its own."""
    reader = Reader({"BALUARTE_PORT_FILE": str(file)})
    assert reader.get("BALUARTE_PORT", parse=int, default=7) == 7
