"""JSON lines on standard output, with fields from an allow-list and nothing else.

A field that is not on the list is dropped and its name is told once per line in `dropped`: what a
driver, a library or a tired colleague adds can never carry a name, an e-mail or a token out.
Exceptions are logged by type and place, without their message: drivers put row values into it.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import msgspec
import structlog

from chassis.context import current_correlation_id, current_trace_id

FIELDS = frozenset(
    {
        # who and what
        "timestamp", "level", "service", "part", "event", "correlationId", "userId",
        "traceId", "transactionId", "accountId", "notificationId", "messageId", "caller",
        # requests and calls
        "method", "route", "status", "duration", "operation", "operationType", "code", "peer",
        "outcome", "attempt", "retryAfter", "bytes", "rootField",
        # messages
        "topic", "type", "queue", "group", "channel", "count", "pending", "version", "key",
        # processes and parts
        "dependency", "worker", "pid", "port", "host", "url", "environment", "exitCode", "signal",
        "restarts", "state", "backoff", "reason", "error", "where", "dropped", "kid", "database",
        "revision", "kind", "currency", "age", "file",
        # chaos
        "fault", "experiment",
    }
)  # fmt: skip
"""Names that may appear in a log line. Values must be harmless: ids, codes, numbers, our own words."""

MAX_VALUE = 300
"""Longest text value that is written, characters."""

_JSON = msgspec.json.Encoder()


def get(name: str) -> Any:
    """A logger; its name becomes the field `part`."""
    return structlog.get_logger(part=name)


def configure(service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send all logging of this process, the standard library's too, through the allow-list."""
    out = stream or sys.stdout
    number = logging.getLevelNamesMapping()[level]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _Line(service),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_Factory(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Bridge()]
    root.setLevel(max(number, logging.WARNING))


class _Line:
    """The last processor: keeps what is allowed and renders one JSON line."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _: object, __: str, event: MutableMapping[str, Any]) -> str:
        line: dict[str, Any] = {
            "timestamp": event.pop("timestamp", None),
            "level": event.pop("level", None),
            "service": self._service,
            "correlationId": event.pop("correlationId", None) or current_correlation_id(),
        }
        if (trace_id := current_trace_id()) is not None:
            line["traceId"] = trace_id
        error = event.pop("exc_info", None)
        dropped = [name for name in event if name not in FIELDS]
        line.update((name, _plain(value)) for name, value in event.items() if name in FIELDS)
        if error:
            line.update(_describe(error))
        if dropped:
            line["dropped"] = sorted(dropped)[:10]
        return _JSON.encode(line).decode()


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value[:20]]
    return str(value)[:MAX_VALUE]


def _describe(error: object) -> dict[str, object]:
    exception = error if isinstance(error, BaseException) else sys.exc_info()[1]
    if exception is None:
        return {}
    frames = traceback.extract_tb(exception.__traceback__)[-6:]
    places = [
        f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames
    ]
    return {"error": type(exception).__name__, "where": places}


class _Factory:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, *args: object) -> "_Writer":
        return _Writer(self._stream, str(args[0]) if args else "")


class _Writer:
    """Writes whole lines, so that lines of several tasks never mix."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self.name = name

    def _write(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            return  # the reader of our output is gone; the work goes on

    debug = info = warning = error = critical = exception = msg = _write


class _Bridge(logging.Handler):
    """Hands records of standard-library loggers on: the logger's name, level and error type only.

    Their messages are not ours and may carry arguments, so they are not written.
    """

    def emit(self, record: logging.LogRecord) -> None:
        write = structlog.get_logger(part="library")
        error = record.exc_info[1] if record.exc_info else None
        write.log(
            record.levelno,
            "library message",
            reason=record.name,
            where=f"{record.filename}:{record.lineno}",
            error=type(error).__name__ if error else None,
        )
