"""Log lines carry what is allowed and nothing else."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from chassis import logs
from chassis.context import set_correlation_id

SENTINEL = "sentinel-ana@example.com"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("users", "DEBUG", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level
    set_correlation_id(None)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_json_with_the_usual_fields(out: io.StringIO) -> None:
    """Timestamp, level, service, correlation id and the event's own fields, one object a line."""
    set_correlation_id("corr-12345")
    logs.get("transfers").info("settled", transactionId="t-1", duration=0.0123456789, status=200)

    (line,) = lines(out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "service": "users",
        "correlationId": "corr-12345",
        "part": "transfers",
        "event": "settled",
        "transactionId": "t-1",
        "duration": 0.012346,
        "status": 200,
    }


def test_fields_that_are_not_listed_are_dropped(out: io.StringIO) -> None:
    """A field outside the allow-list never appears; its name does, so that the loss is seen."""
    logs.get("x").info("happened", email=SENTINEL, password=SENTINEL, userId="u-1")

    (line,) = lines(out)
    assert SENTINEL not in out.getvalue()
    assert line["dropped"] == ["email", "password"]
    assert line["userId"] == "u-1"


def test_exceptions_are_told_without_their_message(out: io.StringIO) -> None:
    """Drivers put row values into messages; the type and the place are enough to find it."""
    try:
        raise ValueError(f"Key (email)=({SENTINEL}) already exists")
    except ValueError as error:
        logs.get("x").error("failed", exc_info=error)

    (line,) = lines(out)
    assert SENTINEL not in out.getvalue()
    assert line["error"] == "ValueError"
    assert "test_logs.py" in line["where"][-1]


def test_libraries_log_through_the_same_gate(out: io.StringIO) -> None:
    """A library's record tells its logger, place and error type, never its message or arguments."""
    try:
        raise KeyError(SENTINEL)
    except KeyError:
        logging.getLogger("asyncpg").exception("row %s", SENTINEL)
    logging.getLogger("chatty").info("hidden below warning: %s", SENTINEL)

    (line,) = lines(out)
    assert SENTINEL not in out.getvalue()
    assert (line["reason"], line["error"]) == ("asyncpg", "KeyError")


def test_long_values_are_cut(out: io.StringIO) -> None:
    """A value cannot blow up a line."""
    logs.get("x").info("long", reason="a" * 10_000, where=list(range(100)))

    (line,) = lines(out)
    assert len(line["reason"]) == logs.MAX_VALUE
    assert len(line["where"]) == 20


def test_text_cannot_forge_a_line(out: io.StringIO) -> None:
    """A line break in a value stays inside its JSON string."""
    logs.get("x").info("odd", reason='\n{"level": "error"}')

    assert len(lines(out)) == 1


def test_a_closed_output_stops_no_work(out: io.StringIO) -> None:
    """When the reader of our output is gone, logging is silent."""
    out.close()
    logs.get("x").info("unheard")
