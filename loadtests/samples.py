"""`samples.jsonl`: one `chaos.record.Sample` a line, each handed to the operating system at once."""

import os
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec

from chaos.record import Sample


class Samples(Protocol):
    """Takes what clients were served."""

    def write(self, sample: Sample) -> None:
        """Keep one."""
        ...


class SampleWriter:
    """Appends whole lines to a new file. What was written survives the death of this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._encoder = msgspec.json.Encoder()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._descriptor = os.open(path, flags, 0o644)

    def write(self, sample: Sample) -> None:
        """Append a line. Raises OSError when the disk does not take it whole."""
        line = self._encoder.encode(sample) + b"\n"
        if os.write(self._descriptor, line) != len(line):
            raise OSError(f"{self._path} took only part of a line; is the disk full?")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)


def read_samples(path: Path) -> list[Sample]:
    """All samples of a file; a last line that its writer could not finish is left out.

    Raises:
        OSError, msgspec.MsgspecError: it cannot be read or understood.
    """
    whole, newline, _torn = path.read_bytes().rpartition(b"\n")
    decoder = msgspec.json.Decoder(Sample)
    return [decoder.decode(line) for line in whole.split(b"\n")] if newline else []
