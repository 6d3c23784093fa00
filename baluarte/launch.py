"""Starts one process of the platform: loads its code at once, runs it when the gate is open.

    python -m baluarte.launch MODULE GATE

Loading takes longer than anything else in a start, so all processes load while the databases are
started and migrated; the file GATE says that they are. The garbage collector rests meanwhile, and
what was loaded is taken out of its sight: there is nothing to collect in it, at any time.
"""

import gc
import importlib
import importlib.util
import os
import runpy
import sys
import time
from pathlib import Path

_POLL = 0.02  # seconds between looks at the gate: what a start may be late by


def load(module: str) -> None:
    """Import what `python -m module` will need: its composition root and the server."""
    gc.disable()
    if _has_app(module):
        importlib.import_module(f"{module}.app")
    importlib.import_module("chassis.server")
    gc.freeze()
    gc.enable()


def _has_app(module: str) -> bool:
    """Whether `module` is a package with a composition root; a plain module would run when loaded."""
    found = importlib.util.find_spec(module)
    is_package = found is not None and found.submodule_search_locations is not None
    return is_package and importlib.util.find_spec(f"{module}.app") is not None


def wait_for(gate: Path) -> None:
    """Wait until `gate` exists; ends the process when the supervisor is gone before that."""
    supervisor = os.getppid()
    while not gate.exists():
        if os.getppid() != supervisor:
            sys.exit("the supervisor is gone")
        time.sleep(_POLL)


def main() -> None:
    module, gate = sys.argv[1:]
    load(module)
    wait_for(Path(gate))
    sys.argv[:] = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
