"""From a file to a scenario, or to everything that is wrong with it, line by line."""

import dataclasses
from pathlib import Path
from typing import Any, Final

import yaml

from chaos.grammar.problems import Problem, ScenarioError
from chaos.grammar.shapes import Record, Source, Wrong
from chaos.scenarios.scenario import Scenario

MAX_BYTES: Final = 64 * 1024
"""A scenario is read aloud; a larger file is something else."""

SHAPE: Final = Record(Scenario)


def load(path: Path) -> Scenario:
    """The scenario in a file.

    Raises:
        ScenarioError: every mistake with its line and column, and what is allowed there.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _whole(path.name, f"is larger than {MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _whole(str(path), f"cannot be read: {error}") from error
    return parse(text, path.name)


def parse(text: str, name: str) -> Scenario:
    """The scenario in a text; `name` is its file's. Raises ScenarioError."""
    node = _compose(text, name)
    try:
        scenario: Scenario = SHAPE.read(Source(name), node)
    except Wrong as wrong:
        raise ScenarioError(wrong.problems) from None
    return dataclasses.replace(scenario, name=Path(name).stem, source=text)


def _compose(text: str, name: str) -> yaml.Node:
    try:
        # Anchors would let a short file mean a huge one, and nobody reads them aloud.
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise ScenarioError([_at(name, event.start_mark, "anchors are not used here")])
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ScenarioError([_at(name, mark, f"is no YAML: {error.problem}")]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise _whole(name, f"is no YAML: {error}") from error
    if node is None:
        raise _whole(name, "is empty; docs/chaos.md shows a scenario")
    return node


def _at(name: str, mark: Any, what: str) -> Problem:
    return Problem(name, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, what)


def _whole(name: str, what: str) -> ScenarioError:
    return ScenarioError([Problem(name, 1, 1, what)])
