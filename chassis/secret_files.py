"""Settings that carry a password may be given by file: `<KEY>_FILE` names it, as containers' secrets do.

What is in a file shows neither in the process list nor in `docker inspect`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

SUFFIX: Final = "_FILE"

MAX_BYTES: Final = 8_192
"""Longest secret: a URL with a password is a hundred bytes, a file of megabytes is a mistake."""


def secret_text(environ: Mapping[str, str], key: str) -> str:
    """The value of `key`, or else what is in the file that `<key>_FILE` names; empty when neither is set.

    Raises:
        ValueError: both are set, or the file cannot be used; says which key, and never the content.
    """
    text = environ.get(key, "").strip()
    path = environ.get(key + SUFFIX, "").strip()
    if not path:
        return text
    if text:
        raise ValueError(f"{key} and {key}{SUFFIX} are both set; leave one out")
    return _content(key + SUFFIX, Path(path))


def _content(key: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode().strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ValueError(
            f"{key} names {path}, which cannot be read ({reason}); name a readable file"
        ) from None
    if not text or len(content) > MAX_BYTES:
        what = "is empty" if not text else f"has more than {MAX_BYTES} bytes"
        raise ValueError(f"{key} names {path}, which {what}; put the value there, and nothing else")
    return text
