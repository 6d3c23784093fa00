"""The history format: what is written is read back, and damage is named."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.history import events
from chaos.history.events import (
    MAX_LINE_BYTES,
    Answer,
    Baseline,
    Fail,
    HistoryError,
    HistoryWriter,
    Info,
    Invoke,
    Ok,
    Op,
    Request,
    Sample,
    Status,
    clip,
    header,
    read_history,
)

REQUEST = Request(user="u", debit="a", credit="b", amount=1250, currency="BRL")
KEY = "run-0000001"

texts = st.text(max_size=12)
answers = st.builds(
    Answer,
    transfer=st.none() | texts,
    status=st.none() | st.sampled_from(Status),
    code=st.none() | texts,
    detail=st.none() | texts,
    stale=st.booleans(),
    sample=st.none()
    | st.builds(
        Sample,
        totals=st.dictionaries(texts, st.integers(-(2**53), 2**53), max_size=3),
        accounts=st.integers(0, 10**6),
        overdrawn=st.lists(texts, max_size=3).map(tuple),
    ),
)
requests = st.builds(
    Request,
    user=texts,
    debit=st.none() | texts,
    credit=st.none() | texts,
    amount=st.integers(0, 10**15),
    currency=texts,
    target=st.none() | texts,
)
steps = st.tuples(
    st.sampled_from(["invoke", "ok", "fail", "info"]),
    st.integers(0, 500),
    st.sampled_from(Op),
    texts,
    requests,
    answers,
)


def a_history(path: Path, lines: int = 3) -> list[bytes]:
    """A history of `lines` events; returns its lines, header first."""
    with HistoryWriter(path, header(run="r"), clock=iter(range(1000)).__next__) as writer:
        for process in range(lines):
            writer.invoke(process, Op.TRANSFER, f"{KEY}{process}", REQUEST)
    return path.read_bytes().splitlines(keepends=True)


@given(steps=st.lists(steps, max_size=8), seed=st.integers(0, 2**31))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, int, Op, str, Request, Answer]],
    seed: int,
) -> None:
    """Any sequence of events survives the file unchanged and in order."""
    path = tmp_path_factory.mktemp("history") / "h.jsonl"
    head = header(run="run", seed=seed, baseline=Baseline(ledger=1, transactions=2), note="a\nb")
    expected: list[events.Event] = []
    with HistoryWriter(path, head, clock=iter(range(100)).__next__) as writer:
        for time, (kind, process, op, key, request, answer) in enumerate(steps):
            given: dict[str, object] = {"time": time, "process": process, "op": op, "key": key}
            if kind == "invoke":
                writer.invoke(process, op, key, request)
                expected.append(Invoke(**given, value=request))  # type: ignore[arg-type]
                continue
            write = {"ok": writer.ok, "fail": writer.fail, "info": writer.info}[kind]
            write(process, op, key, answer)
            made = {"ok": Ok, "fail": Fail, "info": Info}[kind]
            expected.append(made(**given, value=answer))  # type: ignore[arg-type]

    history = read_history(path)

    assert history.header == head
    assert list(history.events) == expected
    assert not history.torn


def test_the_line_is_what_the_documentation_shows(tmp_path: Path) -> None:
    """The format of a line is a promise to other tools."""
    path = tmp_path / "h.jsonl"
    with HistoryWriter(path, header(run="r", seed=7), clock=lambda: 42) as writer:
        writer.invoke(3, Op.TRANSFER, KEY, REQUEST)
        writer.ok(3, Op.TRANSFER, KEY, Answer(transfer="t", status=Status.COMPLETED))

    assert path.read_text().splitlines() == [
        '{"format":"baluarte-history","version":1,"run":"r","seed":7,"baseline":{}}',
        '{"type":"invoke","time":42,"process":3,"op":"transfer","key":"run-0000001",'
        '"value":{"user":"u","debit":"a","credit":"b","amount":1250,"currency":"BRL"}}',
        '{"type":"ok","time":42,"process":3,"op":"transfer","key":"run-0000001",'
        '"value":{"transfer":"t","status":"COMPLETED"}}',
    ]


def test_an_invoke_is_in_the_file_before_the_call_returns(tmp_path: Path) -> None:
    """A killed writer loses no request that was sent: each line is handed over unbuffered."""
    path = tmp_path / "h.jsonl"
    with HistoryWriter(path, header()) as writer:
        for count in range(1, 4):
            writer.invoke(count, Op.TRANSFER, KEY, REQUEST)

            assert len(read_history(path).events) == count


def test_a_torn_last_line_is_left_out_and_said(tmp_path: Path) -> None:
    """Wherever the last line is cut, the events before it are read and the tear is told."""
    path = tmp_path / "h.jsonl"
    lines = a_history(path)
    before, last = b"".join(lines[:-1]), lines[-1]

    for cut in range(1, len(last)):
        path.write_bytes(before + last[:cut])
        history = read_history(path)

        whole = cut == len(last) - 1  # only the newline is missing
        assert len(history.events) == (3 if whole else 2)
        assert history.torn is not whole


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    """Damage that no dying writer makes is an error that names its line."""
    path = tmp_path / "h.jsonl"
    lines = a_history(path)
    lines[2] = b'{"type":"invoke","time":1,"process":1,"op":"steal","key":""}\n'
    path.write_bytes(b"".join(lines))

    with pytest.raises(HistoryError, match=r"h\.jsonl, line 3: is no event: .*steal"):
        read_history(path)


@pytest.mark.parametrize("bad", [b"\xff\xfe\n", b"{}\n", b"null\n", b"\n", b'{"type":"x"}\n'])
def test_what_is_no_event_is_an_error_that_names_the_line(tmp_path: Path, bad: bytes) -> None:
    """Whatever stands there instead of an event is refused, never skipped."""
    path = tmp_path / "h.jsonl"
    a_history(path, lines=1)
    with path.open("ab") as file:
        file.write(bad)

    with pytest.raises(HistoryError) as caught:
        read_history(path)
    assert caught.value.line == 3


def test_an_overlong_line_is_refused_by_reader_and_writer(tmp_path: Path) -> None:
    """A line is bounded, so that a damaged file cannot fill the memory."""
    path = tmp_path / "h.jsonl"
    with HistoryWriter(path, header()) as writer, pytest.raises(HistoryError, match="refuses"):
        writer.invoke(0, Op.TRANSFER, "k" * MAX_LINE_BYTES, REQUEST)
    assert read_history(path).events == ()

    with path.open("ab") as file:
        file.write(b'{"x":"' + b"x" * 3 * MAX_LINE_BYTES + b'"}\n')
    with pytest.raises(HistoryError, match=r"line 2: is longer than 65536 bytes"):
        read_history(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"garbage\n", "is no header"),
        (b'{"format":"jepsen","version":1}\n', "is of format 'jepsen'"),
        (b'{"format":"baluarte-history","version":2}\n', "reads version 1"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    """Only a history of this version is read; the error says what was found."""
    path = tmp_path / "h.jsonl"
    path.write_bytes(content)

    with pytest.raises(HistoryError, match=reason) as caught:
        read_history(path)
    assert caught.value.line == 1


def test_a_missing_file_is_an_error_of_the_history(tmp_path: Path) -> None:
    """A path that cannot be read is told like any other problem."""
    with pytest.raises(HistoryError, match="cannot be read: No such file"):
        read_history(tmp_path / "none.jsonl")


def test_a_history_is_never_written_over(tmp_path: Path) -> None:
    """A second run cannot hide what a first one found."""
    path = tmp_path / "h.jsonl"
    a_history(path)

    with pytest.raises(HistoryError, match="already exists"):
        HistoryWriter(path, header())


def test_a_closed_writer_refuses(tmp_path: Path) -> None:
    """Nothing is silently dropped after the end; closing twice does nothing."""
    writer = HistoryWriter(tmp_path / "h.jsonl", header())
    writer.close()
    writer.close()

    with pytest.raises(HistoryError, match="is closed"):
        writer.invoke(0, Op.TRANSFER, KEY, REQUEST)


def test_details_are_kept_short_and_on_one_line() -> None:
    """An error's own words cannot break or bloat the file."""
    assert clip("a\n  b\tc") == "a b c"
    assert len(clip("x" * 5000)) == events.MAX_DETAIL_CHARS


def test_unknown_fields_of_a_newer_writer_are_ignored(tmp_path: Path) -> None:
    """Fields may be added within a version."""
    path = tmp_path / "h.jsonl"
    a_history(path, lines=1)
    line = msgspec.json.decode(path.read_bytes().splitlines()[1])
    with path.open("ab") as file:
        file.write(msgspec.json.encode(line | {"later": 1}) + b"\n")

    assert len(read_history(path).events) == 2
