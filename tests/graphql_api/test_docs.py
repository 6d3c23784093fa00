"""`docs/graphql.md` says what the code does."""

import json
import re
from pathlib import Path

import pytest
from graphql import parse, validate

from chassis import codes
from graphql_api.execution.limits import Limits, check
from graphql_api.paging import DEFAULT_PAGE, LARGEST_PAGE
from graphql_api.schema import build_schema, core_schema
from graphql_api.settings import DEVELOPMENT_ORIGINS, GatewaySettings, read

PAGE = (Path(__file__).parents[2] / "docs" / "graphql.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("source", [text for kind, text in BLOCKS if kind == "graphql"])
def test_every_document_fits_the_schema_and_the_limits(source: str) -> None:
    """What a reader copies is accepted."""
    document = parse(source)
    assert validate(core_schema(build_schema()), document) == []
    check(document, Limits())


@pytest.mark.parametrize("source", [text for kind, text in BLOCKS if kind == "json"])
def test_every_json_is_json(source: str) -> None:
    """Examples of variables and answers are well-formed."""
    json.loads(source)


def test_every_code_exists() -> None:
    """No code is named that the platform does not have."""
    named = set(re.findall(r"`([A-Z]+_[A-Z_]+|OVERLOADED|UNAVAILABLE|FORBIDDEN)`", PAGE))
    named = {name for name in named if not name.startswith("BALUARTE_")}
    statuses = {"PENDING", "COMPLETED", "FAILED", "REVERSED", "STALE"}
    assert named
    assert {name for name in named if codes.known(name) is None} <= statuses


def test_the_numbers_are_the_codes() -> None:
    """Limits, page sizes and origins on the page are the defaults of the code."""
    limits, settings = Limits(), read({})
    rows = {
        cells[0].strip(): cells[1].strip()
        for line in PAGE.splitlines()
        if line.startswith("| ") and len(cells := line.strip("|").split("|")) == 3
    }
    assert rows["tokens in a document"] == f"{limits.tokens:,}"
    assert rows["fragments in a document"] == str(limits.fragments)
    assert rows["times that a name stands in one selection"] == str(limits.repeats)
    assert rows["depth"] == str(limits.depth)
    pages = "rows of all pages together (page sizes multiply where lists stand in lists)"
    assert rows[pages] == f"{limits.rows:,}"
    assert rows["aliases"] == str(limits.aliases)
    assert rows["body"] == f"{settings.max_body:,} bytes"
    assert (
        rows["requests of a user, else of an address"] == f"{settings.requests_per_minute} a minute"
    )
    assert (
        rows["tries to sign in on one e-mail address"] == f"{settings.logins_per_account} a minute"
    )
    assert (
        rows["tries to sign in and registrations from one address"]
        == f"{settings.logins_per_address} a minute"
    )
    assert f"within {settings.max_seconds:.0f} seconds" in PAGE
    assert f"1 to {LARGEST_PAGE}, {DEFAULT_PAGE} unless told" in PAGE
    ports = sorted({origin.rpartition(":")[2] for origin in DEVELOPMENT_ORIGINS})
    assert f"ports {', '.join(ports)}" in PAGE


def test_the_settings_defaults_are_written_once() -> None:
    """What `read` gives without an environment is what the settings themselves say."""
    settings = read({"BALUARTE_ENVIRONMENT": "test"})
    assert settings == GatewaySettings(shared=settings.shared)


def test_the_named_settings_are_read() -> None:
    """Every BALUARTE_ key on the page is one that the gateway reads."""
    source = (Path(__file__).parents[2] / "graphql_api" / "settings.py").read_text()
    for key in set(re.findall(r"BALUARTE_[A-Z_]+", PAGE)):
        assert key in source
