"""Settings are read once, checked as a whole, and keep their secrets."""

import pytest

from chassis.settings import (
    Environment,
    Reader,
    Secret,
    SettingsError,
    read_settings,
    switch,
    whole_number,
    words,
)

DATABASE = "postgresql://app:hunter2@db.internal:5432/users"


def test_defaults_fit_a_developers_machine() -> None:
    """With only its database told, a service knows its port and where its peers are."""
    settings = read_settings({"BALUARTE_USERS_DATABASE_URL": DATABASE}, "users", peers=["ledger"])

    assert (settings.host, settings.port) == ("127.0.0.1", 8001)
    assert settings.peers == {"ledger": ("http://127.0.0.1:8002",)}
    assert settings.environment is Environment.DEVELOPMENT
    assert settings.amqp_url is None


def test_everything_wrong_is_told_at_once() -> None:
    """One error lists each key with the way out, so that nobody fixes them one start at a time."""
    environ = {
        "BALUARTE_ENVIRONMENT": "staging",
        "BALUARTE_PORT": "80800",
        "BALUARTE_REDIS_URL": "http://cache",
        "BALUARTE_AMQP_URL": "rabbit",
        "BALUARTE_LEDGER_URLS": "ledger:8002",
        "BALUARTE_LOG_LEVEL": "LOUD",
    }
    with pytest.raises(SettingsError) as caught:
        read_settings(environ, "users", peers=["ledger"])

    told = "\n".join(caught.value.problems)
    for key in (*environ, "BALUARTE_USERS_DATABASE_URL"):
        assert key in told
    assert "use one of development, test, production" in told


@pytest.mark.parametrize(
    "url", ["mysql://u:p@h/d", "postgresql://host", "postgresql://host/", "just text"]
)
def test_a_wrong_database_url_does_not_show_itself(url: str) -> None:
    """The message says what form is wanted and does not repeat what may hold a password."""
    with pytest.raises(SettingsError) as caught:
        read_settings({"BALUARTE_USERS_DATABASE_URL": url}, "users")

    assert url not in str(caught.value)
    assert "postgresql://user:password@host:port/database" in str(caught.value)


def test_secrets_mask_themselves() -> None:
    """Printing or formatting settings shows no password; only `reveal` does."""
    settings = read_settings({"BALUARTE_USERS_DATABASE_URL": DATABASE}, "users")

    assert "hunter2" not in f"{settings} {settings!r} {settings.database_url}"
    assert settings.database_url is not None
    assert settings.database_url.reveal() == DATABASE


def test_lists_of_replicas() -> None:
    """A peer may have several addresses; trailing slashes and spaces do not matter."""
    settings = read_settings(
        {"BALUARTE_USERS_URLS": "http://a:1/ , https://b:2"},
        "gateway",
        needs_database=False,
        peers=["users"],
    )

    assert settings.peers["users"] == ("http://a:1", "https://b:2")


def test_a_service_reads_its_own_keys_with_the_same_reader() -> None:
    """A service's own keys join the one list of problems."""
    reader = Reader({"BALUARTE_DEMO_RAIL": "perhaps", "CAP": "0", "LIST": "a, b,,c"})
    read_settings({}, "gateway", needs_database=False, reader=reader)
    reader.get("BALUARTE_DEMO_RAIL", parse=switch, default=True)
    reader.get("CAP", parse=whole_number(1, 10), default=5)

    nothing: tuple[str, ...] = ()
    assert reader.get("LIST", parse=words, default=nothing) == ("a", "b", "c")
    with pytest.raises(SettingsError) as caught:
        reader.finish()
    assert caught.value.problems == (
        "BALUARTE_DEMO_RAIL is 'perhaps'; use on or off",
        "CAP is '0'; use a whole number between 1 and 10",
    )


CHAOS = {"BALUARTE_CHAOS_TOKEN": "a-secret-of-enough-length"}
SURELY = {"BALUARTE_CHAOS_IN_PRODUCTION": "true"}
PRODUCTION = {"BALUARTE_ENVIRONMENT": "production"}


@pytest.mark.parametrize(
    ("environ", "opened"),
    [({}, False), (CHAOS, True), (SURELY, False), (CHAOS | PRODUCTION | SURELY, True)],
)
def test_the_fault_point_is_opened_by_its_token(environ: dict[str, str], opened: bool) -> None:
    """Only the token opens it, and it does not show itself."""
    settings = read_settings(environ, "gateway", needs_database=False)

    assert (settings.chaos_token is not None) == opened
    assert CHAOS["BALUARTE_CHAOS_TOKEN"] not in repr(settings)


@pytest.mark.parametrize("second", [{}, {"BALUARTE_CHAOS_IN_PRODUCTION": "off"}])
def test_chaos_in_production_must_be_said_twice(second: dict[str, str]) -> None:
    """The token alone is refused there, with the second word in the message."""
    with pytest.raises(SettingsError, match="BALUARTE_CHAOS_IN_PRODUCTION=true") as caught:
        read_settings(CHAOS | PRODUCTION | second, "gateway", needs_database=False)

    assert CHAOS["BALUARTE_CHAOS_TOKEN"] not in str(caught.value)


@pytest.mark.parametrize("token", ["short", "with a space in the middle", "naïve-enough-to-try"])
def test_a_chaos_token_must_be_usable(token: str) -> None:
    """Too short to be a secret, or not to be sent in a header: refused, and not repeated."""
    with pytest.raises(SettingsError, match="at least 16 printable") as caught:
        read_settings({"BALUARTE_CHAOS_TOKEN": token}, "gateway", needs_database=False)

    assert token not in str(caught.value)


@pytest.mark.parametrize(("text", "value"), [("on", True), ("OFF", False), ("1", True)])
def test_switches(text: str, value: bool) -> None:
    """On and off are understood in the usual spellings."""
    assert switch(text) is value


def test_a_secret_compares_by_value() -> None:
    """Two settings with the same secret are equal, so that tests can compare them."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
