"""Runs the tests on each mutant: `python -m tests.resilience.mutants.hunt`, a JSON line for each.

The test tools are imported once; for each mutant the process forks, and the child edits the module
as it is imported and runs the tests that must see it.
"""

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import json
import os
import sys
import types
from collections.abc import Sequence
from pathlib import Path

import hypothesis.stateful  # noqa: F401 - imported here so that the children need not
import msgspec  # noqa: F401
import pybreaker  # noqa: F401
import pytest
import tenacity  # noqa: F401

from tests.resilience.mutants.catalogue import MUTANTS, Mutant

ROOT = Path(__file__).parents[3]
FOLDER = "tests/resilience"

#: Exit codes of a child.
KILLED, SURVIVED, BROKEN = 0, 1, 2


class Edited(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module of `resilience` with a mutant's edit."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        self.path = ROOT / "resilience" / f"{mutant.module}.py"

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != f"resilience.{self.mutant.module}":
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(self.path))

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(edited(self.mutant), str(self.path), "exec"), module.__dict__)


def edited(mutant: Mutant) -> str:
    """The mutant's source; raises when the edit does not fit the module any more."""
    source = (ROOT / "resilience" / f"{mutant.module}.py").read_text()
    if source.count(mutant.before) != 1:
        raise LookupError(f"{mutant.name}: {source.count(mutant.before)} places to edit")
    return source.replace(mutant.before, mutant.after)


def run_tests(mutant: Mutant) -> int:
    """In a child: whether the tests see the mutant."""
    sys.meta_path.insert(0, Edited(mutant))
    # Only the plugins that these tests need: loading the others takes longer than the tests.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    file, expression = mutant.seen_by
    arguments = (
        f"{FOLDER}/{file}", "-k", expression, "-x", "-q", "--no-header", "--tb=no",
        "-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "-p", "pytest_timeout",
        "--assert=plain", "--timeout=60",
        # Without the suite's own conftest (servers, databases), whose markers are unknown then.
        f"--confcutdir={FOLDER}", "-o", "addopts=--import-mode=importlib",
        "-W", "ignore::pytest.PytestUnknownMarkWarning",
        "-W", "ignore::pytest.PytestAssertRewriteWarning",
    )  # fmt: skip
    code = pytest.main(list(arguments))
    if code == pytest.ExitCode.TESTS_FAILED:
        return KILLED
    return SURVIVED if code == pytest.ExitCode.OK else BROKEN


def hunt(mutant: Mutant) -> str:
    """`killed`, `survived`, or why neither can be said."""
    try:
        edited(mutant)
    except LookupError as error:
        return str(error)
    child = os.fork()
    if child == 0:
        code = BROKEN
        with contextlib.suppress(BaseException), contextlib.redirect_stdout(io.StringIO()):
            code = run_tests(mutant)
        os._exit(code)
    _, status = os.waitpid(child, 0)
    outcomes = {KILLED: "killed", SURVIVED: "survived"}
    return outcomes.get(os.waitstatus_to_exitcode(status), "the tests could not be run")


def main() -> None:
    """Hunt every mutant, or those that are named."""
    for mutant in MUTANTS:
        if not sys.argv[1:] or mutant.name in sys.argv[1:]:
            print(json.dumps({"name": mutant.name, "outcome": hunt(mutant)}), flush=True)


if __name__ == "__main__":
    main()
