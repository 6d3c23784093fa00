"""The proofs of the long tier: what each is about, whether its last result still holds, and how it is kept.

A result is a file in `docs/proofs/`: date, commit, figures, and a hash of the folders that it is about. When
one of those folders changes, the result is stale: true of the past, proof of nothing today.
"""

import hashlib
import json
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "proofs"

MONEY_PATH = (
    "baluarte",
    "chaos/history",
    "chassis",
    "graphql_api",
    "resilience",
    "services",
    "tests/kill",
    "tests/mutants",
)
"""Folders that decide whether money is safe when a process dies."""

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that `make prove` shows.

    Attributes:
        name: also the name of its result file.
        shows: one sentence, for the table.
        run: does it; returns figures for the docs, raises when it does not hold.
        folders: what it is about; a change there makes the result stale.
    """

    name: str
    shows: str
    run: Callable[[], Awaitable[Figures]]
    folders: Sequence[str] = MONEY_PATH

    @property
    def file(self) -> Path:
        return RESULTS / f"{self.name}.json"

    def result(self) -> dict[str, Any] | None:
        """The last result, if there is one that can be read."""
        try:
            found: dict[str, Any] = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return None
        return found

    def stale_because(self) -> str | None:
        """Why the last result proves nothing today; None when it does."""
        found = self.result()
        if found is None:
            return "never run"
        if not found.get("holds"):
            return "did not hold"
        before = found.get("folders", {})
        now = {folder: content_hash(ROOT / folder) for folder in self.folders}
        changed = [folder for folder in now if before.get(folder) != now[folder]]
        return f"changed since: {', '.join(changed)}" if changed else None

    def keep(self, *, holds: bool, figures: Figures, seconds: float) -> None:
        """Write the result down."""
        RESULTS.mkdir(parents=True, exist_ok=True)
        content = {
            "name": self.name,
            "shows": self.shows,
            "holds": holds,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": _commit(self.folders),
            "seconds": round(seconds, 1),
            "figures": figures,
            "folders": {folder: content_hash(ROOT / folder) for folder in self.folders},
        }
        self.file.write_text(json.dumps(content, indent=2, default=str) + "\n")


def content_hash(folder: Path) -> str:
    """A hash of the names and contents of the code in `folder`: what git knows or would take."""
    listed = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", str(folder))
    digest = hashlib.sha256()
    for name in sorted(filter(None, listed.split("\0"))):
        path = ROOT / name
        if path.is_file():
            digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _commit(folders: Sequence[str]) -> str:
    """The commit that is proved, marked when the tree holds changes to what the proof is about."""
    dirty = _git("status", "--porcelain", "--", *folders)
    return _git("rev-parse", "--short=12", "HEAD").strip() + ("+changes" if dirty else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def table(proofs: Sequence[Proof]) -> str:
    """The results as a page, `docs/proofs/README.md`."""
    lines = [
        "<!-- DO NOT EDIT: written by `make prove`. -->",
        "# What was proved, when, and of which commit",
        "",
        "`make prove` runs these; `make check` names those that a later change has made stale.",
        "",
        "| proof | shows | holds | date | commit | figures |",
        "|---|---|---|---|---|---|",
    ]
    for proof in proofs:
        found = proof.result()
        if found is None:
            lines.append(f"| {proof.name} | {proof.shows} | not run yet | | | |")
            continue
        figures = ", ".join(f"{key} {value}" for key, value in found["figures"].items())
        lines.append(
            f"| [{proof.name}]({proof.name}.json) | {proof.shows} "
            f"| {'yes' if found['holds'] else '**no**'} | {found['date'][:10]} "
            f"| `{found['commit']}` | {figures} |"
        )
    return "\n".join(lines) + "\n"
