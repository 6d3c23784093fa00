"""The gateway's settings."""

import pytest

from chassis.settings import SettingsError
from graphql_api.settings import DEVELOPMENT_ORIGINS, read


def test_development_needs_no_settings() -> None:
    """Out of the box: the default ports, GraphiQL, the usual origins, 100 requests a minute."""
    settings = read({})
    assert settings.explorable
    assert settings.cors_origins == DEVELOPMENT_ORIGINS
    assert (settings.requests_per_minute, settings.max_body) == (100, 100_000)
    assert settings.shared.peers["users"] == ("http://127.0.0.1:8001",)


def test_production_opens_nothing_by_itself() -> None:
    """No origins, no GraphiQL, no trusted proxies unless set."""
    settings = read({"BALUARTE_ENVIRONMENT": "production"})
    assert not settings.explorable
    assert settings.cors_origins == ()
    assert settings.trusted_proxies == ()


def test_settings_are_read() -> None:
    """Each key of the gateway's own."""
    settings = read(
        {
            "BALUARTE_CORS_ORIGINS": "https://bank.example, https://app.bank.example:8443",
            "BALUARTE_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "BALUARTE_RATE_LIMIT": "1000",
            "BALUARTE_LOGIN_LIMIT_ACCOUNT": "5",
            "BALUARTE_LOGIN_LIMIT_ADDRESS": "50",
            "BALUARTE_OPERATION_SECONDS": "4",
        }
    )
    assert settings.cors_origins == ("https://bank.example", "https://app.bank.example:8443")
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    assert (settings.requests_per_minute, settings.max_seconds) == (1000, 4)
    assert (settings.logins_per_account, settings.logins_per_address) == (5, 50)


def test_all_mistakes_are_told_at_once() -> None:
    """Every wrong key is listed with the way out."""
    with pytest.raises(SettingsError) as caught:
        read(
            {
                "BALUARTE_CORS_ORIGINS": "bank.example",
                "BALUARTE_TRUSTED_PROXIES": "everybody",
                "BALUARTE_RATE_LIMIT": "0",
                "BALUARTE_OPERATION_SECONDS": "forever",
                "BALUARTE_USERS_URLS": "users:8001",
            }
        )
    told = str(caught.value)
    for key in ("CORS_ORIGINS", "TRUSTED_PROXIES", "RATE_LIMIT", "OPERATION_SECONDS", "USERS_URLS"):
        assert f"BALUARTE_{key}" in told


@pytest.mark.parametrize("origin", ["*", "http://", "https://a.example/path", "ftp://a.example"])
def test_an_origin_is_an_origin(origin: str) -> None:
    """A star, a path or another scheme is no origin."""
    with pytest.raises(SettingsError):
        read({"BALUARTE_CORS_ORIGINS": origin})
