"""Draws the pictures of the pages in `docs/`: `python -m scripts.pictures`. Needs Chromium.

The run is that of the tests (`tests/chaos/report/`), so that its picture shows all that a page can show; the
matrix is the committed one. Both are the same on every machine but for its fonts.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chaos.explore import committed
from chaos.report.html import page as report
from chaos.report.resilience_matrix import page as heat_map
from tests.browser import FLAGS, MISSING, program
from tests.chaos.report import examples

FOLDER: Final = Path(__file__).parents[1] / "docs" / "pictures"

MAX_BYTES: Final = 300_000
"""Of a picture: the repository is cloned by everybody."""


def _report() -> str:
    return report(examples.deviated())


def _matrix() -> str:
    return heat_map(committed.read(committed.FILE))


PICTURES: Final[dict[str, tuple[Callable[[], str], tuple[int, int], float]]] = {
    "chaos-report": (_report, (1120, 1900), 1.0),
    "resilience-matrix": (_matrix, (1440, 3090), 0.6),
}
"""By name: the page, the window's width and height, and pixels for each of theirs."""

_FLAGS: Final = (
    *FLAGS,
    "--hide-scrollbars",
    "--blink-settings=preferredColorScheme=1",  # light
)


def main() -> int:
    """Draw all of them."""
    browser = program()
    if browser is None:
        sys.stderr.write(f"{MISSING}\n")
        return 2
    FOLDER.mkdir(exist_ok=True)
    for name, (make, size, scale) in PICTURES.items():
        picture = FOLDER / f"{name}.png"
        _draw(browser, make(), picture, size, scale)
        if (many := picture.stat().st_size) > MAX_BYTES:
            sys.stderr.write(f"{picture.name} has {many:,} bytes, {MAX_BYTES:,} at most\n")
            return 1
    return 0


def _draw(browser: str, html: str, picture: Path, size: tuple[int, int], scale: float) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        page = Path(home) / "page.html"
        page.write_text(html, encoding="utf-8")
        subprocess.run(  # noqa: S603 - the arguments are ours
            (
                browser,
                *_FLAGS,
                f"--user-data-dir={home}/profile",
                f"--window-size={size[0]},{size[1]}",
                f"--force-device-scale-factor={scale:g}",
                f"--screenshot={picture}",
                page.as_uri(),
            ),
            check=True,
            timeout=120,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


if __name__ == "__main__":
    sys.exit(main())
