"""Mutation proofs: mutmut changes the resilience library bit by bit, and its tests must see each change.

One proof for each module. mutmut works on a copy, in `.baluarte/mutation/`, with the tests of that module
alone, so that a mutant costs a quarter of a second. A copy of unchanged sources is taken up again where an
interrupted run left it. What survives must be listed in `equivalent_mutants.tsv` with the argument why no
test could tell; a survivor that is not listed, and a line of the list that no survivor fits, make the proof
fail.

What mutmut leaves alone: decorated functions (properties, context managers) and code outside of functions
(the defaults of options).
"""

import ast
import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.prove.ledger_of_proofs import ROOT, Figures, Proof, content_hash

LIBRARY = "resilience"
TESTS = "tests/resilience"
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.tsv")
WORK = ROOT / ".baluarte" / "mutation"

SETTINGS = '''
[tool.pytest.ini_options]
pythonpath = ["."]
addopts = """-q --import-mode=importlib --strict-markers -p no:cacheprovider -p no:schemathesis
    --tb=no --assert=plain --hypothesis-profile=mutation"""
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "function"
# Far more than any of these tests takes, so that a busy machine kills no mutant.
timeout = 60
filterwarnings = ["error"]
markers = ["prove: long tier", "may_block: the test may hold the event loop for long"]

[tool.mutmut]
source_paths = ["resilience/"]
only_mutate = ["resilience/{module}.py"]
pytest_add_cli_args_test_selection = [{tests}]
track_dependencies = false
use_git_change_detection = false
# A mutant that never ends is stopped after (the tests' own time + 8 s) x 5.
timeout_constant = 8.0
timeout_multiplier = 5.0
'''

CONFTEST = """
import selectors

from hypothesis import Phase, settings

# The same examples for every mutant; the first one that fails is enough, however large.
settings.register_profile(
    "mutation", derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate]
)


class Awake(selectors.DefaultSelector):
    # A loop with nothing to run and no timer would wait for ever: these tests have no sockets and
    # no threads. Mutants that hang so are seen at once, and a slow machine is not mistaken for one.
    def select(self, timeout=None):
        if timeout is None:
            raise RuntimeError("nothing will ever happen in this loop")
        return super().select(timeout)


selectors.DefaultSelector = Awake
"""

KILLED = {"killed", "timeout", "suspicious", "segfault"}
"""mutmut's words for a mutant that was seen. `suspicious`: the tests crashed."""


class Mutation(NamedTuple):
    """One change, told in a way that outlives changes elsewhere in the file."""

    module: str
    function: str
    #: The lines before and after, without indentation.
    change: str


@dataclass(frozen=True, slots=True)
class Target:
    """One module, and the test files that must see every change in it."""

    module: str
    tests: Sequence[str]

    @property
    def sources(self) -> tuple[str, ...]:
        """The files that decide the outcome: a change in one makes the result stale."""
        tests = (f"{TESTS}/{name}.py" for name in ("conftest", *self.tests))
        library = (f"{LIBRARY}/{name}.py" for name in imported_by(self.module, *OF_EVERY_TEST))
        return (*library, *tests)


OF_EVERY_TEST = ("testing", "events")
"""What the tests use besides the module that they are about."""


def _target(module: str, *more: str) -> Target:
    return Target(module, (f"test_{module}", *more))


def _policy(module: str, *more: str) -> Target:
    """A policy: what all have in common is held by `test_options` and `test_policy`."""
    return _target(module, "test_options", "test_policy", *more)


TARGETS = (
    _policy("breaker", "test_breaker_states", "test_machines"),
    _target("breaker_states", "test_breaker", "test_machines"),
    _target("window"),
    _policy("budget"),
    _policy("bulkhead", "test_machines"),
    _policy("fallback"),
    _target("copies"),
    _policy("retry"),
    _policy("call_deadline"),
    _target("deadline"),
    _policy("timeout"),
    _target("interruption"),
    _target("single_flight"),
    _policy("shedding"),
    _policy("rate_limit"),
    _policy("hedge"),
    _target("latency"),
    _target("verdict"),
)


def imported_by(*modules: str) -> list[str]:
    """Modules of the library that these import, themselves included, however indirectly."""
    found: set[str] = set()
    ahead = list(modules)
    while ahead:
        module = ahead.pop()
        if module in found:
            continue
        found.add(module)
        tree = ast.parse((ROOT / LIBRARY / f"{module}.py").read_text())
        imports = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        ahead += [
            name.removeprefix("resilience.") for name in imports if name.startswith("resilience.")
        ]
    return sorted(found)


def proof(target: Target) -> Proof:
    """The proof that the tests see every change in one module."""

    async def run() -> Figures:
        return await hunt(target)

    return Proof(
        f"mutation-{target.module}",
        f"the tests see every change that mutmut makes in resilience/{target.module}.py",
        run,
        folders=target.sources,
    )


async def hunt(target: Target) -> Figures:
    """Run mutmut on one module; raises when a mutant survives that is not known to be equivalent."""
    place = prepared(target)
    await _mutmut(place, "run", "--max-children", str(max(1, (os.cpu_count() or 2) // 2)))
    statuses = await _statuses(place)
    counts = Counter(statuses.values())
    if not statuses or counts["not checked"]:
        raise RuntimeError(f"mutmut did not finish {target.module}: {dict(counts)}; see {place}")
    alive = [name for name, status in statuses.items() if status not in KILLED]
    found = {await _shown(place, target.module, name): statuses[name] for name in alive}
    listed = {known for known in equivalent() if known.module == target.module}
    problems = [
        f"{status}: {' | '.join(each)}" for each, status in found.items() if each not in listed
    ]
    problems += [f"listed, but no survivor: {' | '.join(each)}" for each in listed - found.keys()]
    if problems:
        raise SurvivorsError(sorted(problems))
    return {
        "mutants": len(statuses),
        "killed": len(statuses) - len(alive),
        "equivalent": len(alive),
    }


class SurvivorsError(AssertionError):
    """The tests do not see a change, or the list of equivalent mutants is not true."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join((f"{len(problems)} in all", *problems)))


def equivalent() -> dict[Mutation, str]:
    """The reviewed list: why each of these mutants is none."""
    known = {}
    for line in EQUIVALENT.read_text().splitlines():
        if line and not line.startswith("#"):
            module, function, change, argument = line.split("\t")
            known[Mutation(module, function, change)] = argument
    return known


def prepared(target: Target) -> Path:
    """A copy of the library and the tests of one module; the one of last time if nothing changed."""
    place = WORK / target.module
    stamp = place / "stamp"
    now = "\n".join(
        (SETTINGS, CONFTEST, *(content_hash(ROOT / source) for source in target.sources))
    )
    if stamp.exists() and stamp.read_text() == now:
        return place
    shutil.rmtree(place, ignore_errors=True)
    (place / TESTS).mkdir(parents=True)
    shutil.copytree(ROOT / LIBRARY, place / LIBRARY, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest", *target.tests):
        shutil.copy(ROOT / TESTS / f"{name}.py", place / TESTS)
    tests = ", ".join(f'"{TESTS}/{name}.py"' for name in target.tests)
    settings = SETTINGS.replace("{module}", target.module).replace("{tests}", tests)
    (place / "pyproject.toml").write_text(settings)
    (place / "tests" / "conftest.py").write_text(CONFTEST)
    stamp.write_text(now)
    return place


async def _mutmut(place: Path, *arguments: str) -> str:
    """Run mutmut in `place`; what it prints is kept in a file there too."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("mutmut")),
        *arguments,
        cwd=place,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        # Its children, one of which tests a mutant, end with it.
        start_new_session=True,
    )
    try:
        printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    text = printed.decode(errors="replace").replace("\r", "\n")
    (place / f"mutmut-{arguments[0]}.log").write_text(text)
    if process.returncode:
        last = "\n".join(text.splitlines()[-30:])
        raise RuntimeError(f"mutmut {arguments[0]} ended with {process.returncode}:\n{last}")
    return text


async def _statuses(place: Path) -> dict[str, str]:
    printed = await _mutmut(place, "results", "--all", "true")
    return dict(re.findall(r"^ +(\S+): (.+)$", printed, re.MULTILINE))


async def _shown(place: Path, module: str, name: str) -> Mutation:
    diff = (await _mutmut(place, "show", name)).splitlines()
    before = " ".join(line[1:].strip() for line in diff if re.match(r"-(?!--)", line))
    after = " ".join(line[1:].strip() for line in diff if re.match(r"\+(?!\+\+)", line))
    return Mutation(module, _function(name), f"{before} => {after}")


def _function(name: str) -> str:
    """`resilience.breaker.xǁCircuitBreakerǁadmit__mutmut_3` is `CircuitBreaker.admit`."""
    last = name.rpartition(".")[2].partition("__mutmut_")[0]
    parts = last.removeprefix("xǁ").split("ǁ") if "ǁ" in last else [last.removeprefix("x_")]
    return ".".join(parts)


PROOFS = tuple(proof(target) for target in TARGETS)
