"""The rules of the house that no linter knows."""

import ast
import re
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = (
    *("baluarte", "chaos", "chassis", "graphql_api", "loadtests", "monitoring"),
    *("resilience", "services"),
)

MODULE_LIMIT = 600
MODULE_P90 = 335
FUNCTION_P95 = 43
"""Lines; the bands that the code keeps to, so that a reader can hold a part in mind."""


def tracked(*patterns: str) -> list[Path]:
    """Files that git knows, matching any of `patterns`."""
    listed = subprocess.run(
        ("git", "ls-files", "-z", "--", *patterns), cwd=ROOT, capture_output=True, check=True
    )
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def sources() -> list[Path]:
    return [
        path
        for path in tracked(*(f"{house}/*.py" for house in SOURCE))
        if path.is_file() and "migrations" not in path.parts
    ]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_modules_and_functions_fit_in_a_readers_mind() -> None:
    """No module is over 600 lines, 90 % of them and 95 % of the functions are far smaller."""
    sizes = {path: lines_of(path) for path in sources()}
    longest = [
        f"{path.relative_to(ROOT)}: {size}" for path, size in sizes.items() if size > MODULE_LIMIT
    ]
    spans = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in sources()
        for node in functions(path)
    ]

    assert not longest
    assert statistics.quantiles(sizes.values(), n=10)[-1] <= MODULE_P90
    assert statistics.quantiles(spans, n=20)[-1] <= FUNCTION_P95


def test_every_test_says_what_it_proves() -> None:
    """Each test's docstring states a property, for the reader of a failure."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in tracked("tests/*.py")
        if path.name.startswith("test_") and path.is_file()
        for node in functions(path)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]

    assert not silent


def test_locks_name_no_address() -> None:
    """Lock files hold hashes and versions; where packages come from is each machine's own business."""
    locks = tracked("requirements/*.txt", "*package-lock.json")
    assert locks
    for lock in locks:
        assert not re.search(
            r"https?://|file:",
            re.sub(r'"funding":.*|"url": "https?://[^"]*"', "", lock.read_text()),
        ), lock.name


def test_requirements_are_pinned_with_hashes() -> None:
    """Every requirement has one version and at least one SHA-256."""
    for lock in tracked("requirements/*.txt"):
        pins = re.findall(r"^([A-Za-z0-9_.\-\[\]]+)==\S+(?: ; [^\\]*)? \\$", lock.read_text(), re.M)
        named = re.findall(r"^[A-Za-z0-9][^\s=]*==", lock.read_text(), re.M)
        assert len(pins) == len(named) > 0
        assert lock.read_text().count("--hash=sha256:") >= len(pins)


def test_links_between_pages_lead_somewhere() -> None:
    """Every relative link in a page of ours names a file that is there."""
    broken: list[str] = []
    for page in tracked("*.md"):
        if not page.is_file() or {"assets", "node_modules"} & set(page.parts):
            continue
        targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
        broken += [
            f"{page.relative_to(ROOT)} → {target}"
            for target in targets
            if "://" not in target and not (page.parent / target).exists()
        ]

    assert not broken


@pytest.mark.parametrize("word", ["/work" + "/", "/ro" + "ot/", "/ho" + "me/"])
def test_nothing_names_a_machines_path(word: str) -> None:
    """The project lies anywhere; no file of ours says where it lay when it was written."""
    ours = [
        path
        for path in tracked("*.py", "*.md", "*.toml", "*.yaml", "*.json", "Makefile", "scripts/*")
        if path.is_file() and not {"assets", "vendor"} & set(path.parts)
    ]
    found = [str(path.relative_to(ROOT)) for path in ours if word in path.read_text()]

    assert not found
