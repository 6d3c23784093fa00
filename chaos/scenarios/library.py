"""The scenarios that come with the platform: the YAML files beside this one."""

import difflib
from pathlib import Path
from typing import Final

from chaos.scenarios.loader import load
from chaos.scenarios.scenario import Scenario

FOLDER: Final = Path(__file__).parent


def names() -> list[str]:
    """All of them, by name."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def find(name_or_file: str) -> Scenario:
    """A scenario by its name, or from a file of one's own.

    Raises:
        LookupError: there is none; the message names what comes nearest.
        ScenarioError: it cannot be read.
    """
    if name_or_file in names():
        return load(FOLDER / f"{name_or_file}.yaml")
    path = Path(name_or_file)
    if path.suffix in {".yaml", ".yml"} and path.is_file():
        return load(path)
    near = difflib.get_close_matches(name_or_file, names(), n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise LookupError(
        f"there is no scenario {name_or_file!r}; {hint}there are {', '.join(names())}"
    )
