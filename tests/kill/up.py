"""`baluarte up` for the kill runs: the same supervisor, with single processes replaced if asked.

    python -m tests.kill.up STATE_DIR '{"ledger": "tests.mutants.ledger_async_commit"}' '{"chaos": true}'

The last argument holds further options of the plan.

A mutant exists only as such an alternative composition root; no setting of the product leads to one.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from rich.console import Console

from baluarte.supervisor.blueprint import MODULES
from baluarte.supervisor.plan import Options
from baluarte.supervisor.screen import Screen
from baluarte.up import Up


def main() -> None:
    state, replaced, options = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
    modules = {**MODULES, **replaced}
    screen = Screen(Console(highlight=False, soft_wrap=True))
    asyncio.run(Up(Options(state, **options), os.environ, screen, modules).run())


if __name__ == "__main__":
    main()
