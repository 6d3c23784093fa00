"""`python -m scripts.outages [--write]`: exit code 1 when a promise does not hold."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

from baluarte.sandbox import sandbox
from scripts.outages import course, page
from scripts.outages.observations import Outage
from scripts.outages.promises import broken


async def run(parts: Sequence[str]) -> list[Outage]:
    """Every outage in turn, on one platform."""
    found = []
    async with sandbox("--chaos") as running, course.customer(running) as ana:
        for part in parts:
            _say(f"{part} is held down …")
            began = time.monotonic()
            found.append(await course.outage(running, ana, part))
            _say(f"  … and all is well again, after {time.monotonic() - began:.0f} s")
    return found


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m scripts.outages", description=__doc__)
    options.add_argument("--write", action="store_true", help=f"write the section in {page.PAGE}")
    options.add_argument(
        "parts", nargs="*", default=course.PARTS, help="held down; all unless named"
    )
    chosen = options.parse_args()
    if chosen.write:  # a page without marks is told before the run and not after it
        page.written(page.PAGE.read_text(), "")
    _say("a platform of its own is coming up …")
    outages = asyncio.run(run(chosen.parts))
    section = page.markdown(outages)
    print(section)  # noqa: T201 - what the command is for
    complaints = broken(outages)
    for complaint in complaints:
        _say(f"BROKEN: {complaint}")
    if chosen.write and not complaints:  # a page must not promise what does not hold
        page.PAGE.write_text(page.written(page.PAGE.read_text(), section))
    return 1 if complaints else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
