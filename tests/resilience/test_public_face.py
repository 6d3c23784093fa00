"""The public surface: what is listed is there, what is typed type-checks, and it stands alone."""

import ast
import importlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import resilience

from .test_options import EDGES

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (ROOT / "resilience").glob("[a-z]*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_every_module_lists_what_it_offers(name: str) -> None:
    """`__all__` names things that exist."""
    module = importlib.import_module(f"resilience.{name}")
    missing = [
        offered for offered in getattr(module, "__all__", []) if not hasattr(module, offered)
    ]
    assert not missing
    assert module.__doc__


def test_the_package_offers_what_it_imports() -> None:
    """Every listed name is there, once, and in order."""
    assert [name for name in resilience.__all__ if not hasattr(resilience, name)] == []
    assert len(set(resilience.__all__)) == len(resilience.__all__)


def test_it_imports_nothing_but_its_two_libraries() -> None:
    """Importing the package loads no HTTP, no database, no Redis client and nothing of ours."""
    code = textwrap.dedent("""
        import sys
        import resilience, resilience.redis_rate_limit, resilience.redis_copies
        import resilience.redis_hints, resilience.policy_set, resilience.testing
        ours = {"chassis", "services", "graphql_api", "baluarte", "chaos"}
        foreign = {"aiohttp", "sqlalchemy", "asyncpg", "starlette", "aio_pika", "strawberry"}
        print(sorted((ours | foreign) & set(sys.modules)))
    """)
    run = subprocess.run(
        (sys.executable, "-c", code), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_each_rule_of_the_library_is_tried_at_its_edge() -> None:
    """`test_options.EDGES` has a row for every rule of every policy's options, and no other."""
    rules = set()
    for path in (ROOT / "resilience").glob("*.py"):
        for owner in ast.walk(ast.parse(path.read_text())):
            if isinstance(owner, ast.ClassDef) and owner.name != "PipelineOptions":
                rules |= {
                    (owner.name, *(ast.literal_eval(argument) for argument in rule.args[1:]))
                    for rule in ast.walk(owner)
                    if isinstance(rule, ast.Call) and getattr(rule.func, "id", "") == "Rule"
                }
    assert rules == {(edge.options.__name__, edge.option, edge.message) for edge in EDGES}


RIGHT = """
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, assert_type

from resilience import (
    Bulkhead, CircuitBreaker, CopyKey, Pipeline, PipelineOptions, Retry, Served
)


async def lookup(user: int, *, fresh: bool = False) -> str: ...


async def allowed(user: int, *, fresh: bool = False) -> bool: ...


def key(user: int, *, fresh: bool = False) -> CopyKey: ...


class Codec:
    def encode(self, value: str) -> bytes: ...
    def decode(self, data: bytes) -> str: ...


pipeline = Pipeline("users", PipelineOptions())


async def main() -> None:
    assert_type(await pipeline.read(lookup)(1, fresh=True), str)
    assert_type(await pipeline.read(lookup, key=key)(1), str)
    assert_type(await pipeline.mutation(lookup)(1), str)
    served = pipeline.served(lookup, key=key, codec=Codec(), authorise=allowed)
    assert_type(await served(1), Served[str])
    assert_type(await Retry("users").wrap(lookup)(1), str)
    assert_type(await Bulkhead("users").call(lookup, 1, fresh=True), str)
    assert_type(await CircuitBreaker("users")(lookup)(1), str)
"""

WRONG = [
    'pipeline.read(lookup)("1")',
    "pipeline.read(lookup)(1, frsh=True)",
    "pipeline.mutation(lookup)()",
    'Bulkhead("users").call(lookup, "1")',
    "pipeline.read(lookup, key=lambda: 1)",
    "pipeline.served(lookup, key=key, codec=Codec())",
    "pipeline.served(lookup, key=lambda user, *, fresh=False: user, codec=Codec(), "
    "authorise=allowed)",
]


@pytest.mark.timeout(300)
def test_a_type_checker_understands_the_composition(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Right uses check, and each wrong one is an error on its own line, in mypy's strict mode."""
    base = RIGHT + "\n\nasync def wrong() -> None:\n"
    first = base.count("\n") + 1
    path = tmp_path / "use.py"
    path.write_text(base + "".join(f"    await {use}\n" for use in WRONG))
    assert pytestconfig.cache is not None
    command = (
        sys.executable, "-m", "mypy", "--strict", "--disable-error-code=empty-body",
        f"--cache-dir={pytestconfig.cache.mkdir('mypy')}", "--config-file=", str(path),
    )  # fmt: skip
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    flagged = {int(line.split(":")[1]) for line in run.stdout.splitlines() if ": error:" in line}
    assert flagged == set(range(first, first + len(WRONG))), run.stdout
