"""The history: what clients asked, when, and what they were told.

A history is a file of JSON lines. The first line is the header; every other line is one event of
one operation. A process (a client's thread of control) has one operation open at a time: an
`invoke`, then one of

- `ok`: a definite answer, and the platform stands by what it named;
- `fail`: a definite refusal: this attempt moved nothing and never will;
- `info`: nobody knows (a timeout, a lost connection, OUTCOME_UNKNOWN). It may happen later, once,
  or never.

The invoke line is handed to the operating system before the request is sent, so a history cannot
lack a request that the platform has seen, even when its writer is killed. Times are
`time.monotonic_ns()` of one machine.
"""

import enum
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

FORMAT: Final = "baluarte-history"
VERSION: Final = 1
MAX_LINE_BYTES: Final = 64 * 1024
"""The longest line written or read. An event is some 300 bytes; a longer line is a damaged file,
not a bigger event."""
MAX_DETAIL_CHARS: Final = 200
"""What an event keeps of an error's own words: enough to recognise it, too little to copy a page of
HTML."""


class HistoryError(Exception):
    """A history that cannot be written or understood. Says which file, which line, and why."""

    def __init__(self, path: Path | str, line: int | None, reason: str) -> None:
        self.path = str(path)
        self.line = line
        self.reason = reason
        where = self.path if line is None else f"{self.path}, line {line}"
        super().__init__(f"{where}: {reason}")


class Op(enum.StrEnum):
    """What an operation asks for."""

    TRANSFER = "transfer"
    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"
    REVERSE = "reverse"
    FIND = "find"
    """`transaction(idempotencyKey:)`: what became of a key."""
    READ = "read"
    """The auditor's sample of every account in one statement, while operations run."""


MONEY_OPS: Final = frozenset({Op.TRANSFER, Op.DEPOSIT, Op.WITHDRAW, Op.REVERSE})


class Status(enum.StrEnum):
    """A transfer's status, as clients see it."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REVERSED = "REVERSED"


class Request(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", gc=False):
    """What a client asked. Amounts are integer minor units. An account of `None` is the outside
    world."""

    user: str = ""
    debit: str | None = None
    credit: str | None = None
    amount: int = 0
    currency: str = ""
    target: str | None = None
    """The transfer that a `reverse` undoes."""


class Sample(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Every account at one moment, as one SQL statement saw them."""

    totals: dict[str, int]
    """Sum of balances per currency, minor units."""
    accounts: int
    overdrawn: tuple[str, ...] = ()
    """Accounts whose balance − held is below −overdraft (bounded by the reader)."""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What the client was told. An `ok` of `find` without a transfer means "not seen yet"."""

    transfer: str | None = None
    status: Status | None = None
    code: str | None = None
    """The error's stable code, or the transfer's failure reason."""
    detail: str | None = None
    stale: bool = False
    """The platform marked what it showed as an older copy, so it decides nothing here."""
    sample: Sample | None = None


class _Record(msgspec.Struct, frozen=True, tag_field="type", kw_only=True, omit_defaults=True):
    time: int
    process: int
    op: Op
    key: str = ""
    """The idempotency key; empty for `read`."""


class Invoke(_Record, frozen=True, tag="invoke", kw_only=True):
    """A request is about to be sent."""

    value: Request = Request()


class Ok(_Record, frozen=True, tag="ok", kw_only=True):
    """A definite answer."""

    value: Answer = Answer()


class Fail(_Record, frozen=True, tag="fail", kw_only=True):
    """A definite refusal."""

    value: Answer = Answer()


class Info(_Record, frozen=True, tag="info", kw_only=True):
    """An outcome that the client could not learn."""

    value: Answer = Answer()


Event = Invoke | Ok | Fail | Info


class Baseline(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """When the run began on each database's own clock (microseconds since its epoch).

    Rows older than this are no client's of this run. Clocks of two machines are never compared:
    each is held only against rows that the same database stamped.
    """

    ledger: int = 0
    transactions: int = 0


class Header(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """The first line: which format, which run, and how to repeat it."""

    format: str
    version: int
    run: str = ""
    seed: int = 0
    started: str = ""
    """Wall clock, for people only."""
    baseline: Baseline = Baseline()
    note: str = ""


def header(
    *,
    run: str = "",
    seed: int = 0,
    started: str = "",
    baseline: Baseline | None = None,
    note: str = "",
) -> Header:
    """Return a header of the version that this module writes."""
    return Header(
        format=FORMAT,
        version=VERSION,
        run=run,
        seed=seed,
        started=started,
        baseline=baseline or Baseline(),
        note=note,
    )


class History(msgspec.Struct, frozen=True):
    """A whole history in memory. Event number n stands on line n + 2 of its file."""

    header: Header
    events: tuple[Event, ...]
    path: str = "<memory>"
    torn: bool = False
    """The last line was cut short: its writer died in mid-write, and the line was left out."""


def clip(text: str) -> str:
    """Return `text` on one line, cut to what an event may keep."""
    flat = " ".join(text.split())
    return flat if len(flat) <= MAX_DETAIL_CHARS else flat[: MAX_DETAIL_CHARS - 1] + "…"


class HistoryWriter:
    """Appends events to a new file, each line handed to the operating system before the call
    returns.

    That survives the death of this process by any signal. It does not survive the power going.
    """

    def __init__(
        self, path: Path | str, head: Header, *, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._path = Path(path)
        self._clock = clock
        self._encoder = msgspec.json.Encoder()
        try:
            self._descriptor: int | None = os.open(
                self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644
            )
        except FileExistsError as error:
            reason = "already exists; a history is one run, so name a new file"
            raise HistoryError(path, None, reason) from error
        self._write(head)

    def invoke(self, process: int, op: Op, key: str, request: Request) -> None:
        """Write an invoke line. Call this before the request is sent."""
        self._write(Invoke(time=self._clock(), process=process, op=op, key=key, value=request))

    def ok(self, process: int, op: Op, key: str, answer: Answer) -> None:
        """Write a definite answer."""
        self._write(Ok(time=self._clock(), process=process, op=op, key=key, value=answer))

    def fail(self, process: int, op: Op, key: str, answer: Answer) -> None:
        """Write a definite refusal."""
        self._write(Fail(time=self._clock(), process=process, op=op, key=key, value=answer))

    def info(self, process: int, op: Op, key: str, answer: Answer) -> None:
        """Write that the outcome is not known."""
        self._write(Info(time=self._clock(), process=process, op=op, key=key, value=answer))

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, record: Header | Event) -> None:
        if self._descriptor is None:
            raise HistoryError(self._path, None, "is closed; nothing more can be written to it")
        line = self._encoder.encode(record) + b"\n"
        if len(line) > MAX_LINE_BYTES:
            raise HistoryError(
                self._path, None, f"refuses a line of {len(line)} bytes (at most {MAX_LINE_BYTES})"
            )
        if os.write(self._descriptor, line) != len(line):
            raise HistoryError(self._path, None, "took only part of a line; is the disk full?")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


_EVENTS: Final[msgspec.json.Decoder[Event]] = msgspec.json.Decoder(Event)
_HEADER: Final = msgspec.json.Decoder(Header)


def read_history(path: Path | str) -> History:
    """Read a whole history. Raise `HistoryError` naming the line that cannot be understood.

    A last line without its newline that does not parse was torn by the death of its writer: it is
    left out, and `torn` says so. That loses nothing: a torn invoke was never sent, and a torn
    answer leaves its invoke open, which counts as `info`.
    """
    lines = _lines(Path(path))
    head = _read_header(path, next(lines, b""))
    events: list[Event] = []
    torn = False
    for number, line in enumerate(lines, start=2):
        if len(line) > MAX_LINE_BYTES:
            raise HistoryError(path, number, f"is longer than {MAX_LINE_BYTES} bytes")
        try:
            events.append(_EVENTS.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if not line.endswith(b"\n"):
                torn = True
                break
            raise HistoryError(path, number, f"is no event: {error}") from error
    return History(head, tuple(events), str(path), torn)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                yield line
    except OSError as error:
        raise HistoryError(path, None, f"cannot be read: {error.strerror}") from error


def _read_header(path: Path | str, line: bytes) -> Header:
    if not line:
        raise HistoryError(path, 1, "is empty, so there is no header; was the run ever started?")
    try:
        head = _HEADER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HistoryError(path, 1, f"is no header: {error}") from error
    if head.format != FORMAT:
        raise HistoryError(path, 1, f"is of format {head.format!r}, not {FORMAT!r}")
    if head.version != VERSION:
        raise HistoryError(
            path, 1, f"is of version {head.version}; this checker reads version {VERSION}"
        )
    return head
