"""Where the embedded servers' files lie when the user they run as cannot reach ours.

A checkout or a state directory may lie under a directory that only its owner may enter (mode 0700).
The servers run as another user when we are root, so what they need is then put in a *shared place*:
`/var/lib/baluarte` where that can be made, else `/var/tmp/baluarte-<uid>`. The binaries are copied
there once (a folder named after their content), and data gets a folder of its own, remembered in
the state directory.
"""

import hashlib
import os
import secrets
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

from baluarte.embedded.identity import Identity, can_use_directory, give, server_identity
from baluarte.errors import BaluarteError

_OWNER_ONLY = 0o700
_TRAVERSABLE = 0o711  # others may pass through but not list
_READ_BLOCK = 1 << 20


def _default_shared_places() -> tuple[Path, ...]:
    return (Path("/var/lib/baluarte"), Path(f"/var/tmp/baluarte-{os.geteuid()}"))  # noqa: S108


@dataclass(frozen=True, slots=True)
class Places:
    """The state directory, the user that servers run as, and the shared places to fall back to."""

    state: Path
    identity: Identity | None = field(default_factory=server_identity)
    shared: tuple[Path, ...] = field(default_factory=_default_shared_places)

    def home(self, name: str) -> Path:
        """The folder of server `name`, made if missing, reachable by the user it runs as.

        It is `<state>/<name>` where that user can enter it; else a folder in a shared place, whose
        path is kept in `<state>/<name>.location`.
        """
        make_state_directory(self.state)
        home = self.known_home(name)
        if home.is_dir() and can_use_directory(self.identity, home):
            return home
        remembered = self.state / f"{name}.location"
        if remembered.exists() or (home.is_dir() and any(home.iterdir())):
            raise BaluarteError.of(
                "STATE_UNREACHABLE",
                f"the data of {name} lie in {home}, where the server's user cannot go (any more)",
                "bring the folder back or open its parents, or start over with `up --fresh`",
            )
        home.mkdir(mode=_TRAVERSABLE, exist_ok=True)
        if can_use_directory(self.identity, home):
            return home
        home.rmdir()
        home = self.shared_place() / f"{name}-{secrets.token_hex(6)}"
        home.mkdir(mode=_TRAVERSABLE)
        (home / "BELONGS-TO").write_text(f"{self.state}\n")
        write_private(remembered, f"{home}\n")
        return home

    def known_home(self, name: str) -> Path:
        """Where `home(name)` is or would be; nothing is made or checked."""
        remembered = self.state / f"{name}.location"
        if remembered.exists():
            return Path(remembered.read_text().strip())
        return self.state / name

    def forget(self, name: str) -> None:
        """Remove the folder of server `name` and what it holds."""
        remembered = self.state / f"{name}.location"
        if remembered.exists():
            shutil.rmtree(remembered.read_text().strip(), ignore_errors=True)
            remembered.unlink()
        shutil.rmtree(self.state / name, ignore_errors=True)

    def shared_place(self) -> Path:
        """The first shared place that can be made and that nobody else can write to."""
        for place in self.shared:
            try:
                place.mkdir(mode=_TRAVERSABLE, exist_ok=True)
            except OSError:
                continue
            if _is_ours_alone(place) and can_use_directory(self.identity, place):
                return place
        tried = ", ".join(str(place) for place in self.shared)
        raise BaluarteError.of(
            "NO_SHARED_PLACE",
            f"the embedded servers' user cannot reach {self.state}, and none of {tried} is ours",
            "run baluarte as an unprivileged user, or put --state-dir where other users can enter",
        )


def make_state_directory(state: Path) -> None:
    """Make the state directory: entered by the servers' user when we are root, else ours alone."""
    if not state.exists():
        state.mkdir(mode=_OWNER_ONLY, parents=True)
        state.chmod(_TRAVERSABLE if os.geteuid() == 0 else _OWNER_ONLY)
    if state.stat().st_uid != os.geteuid():
        raise BaluarteError.of(
            "STATE_OF_ANOTHER_USER",
            f"{state} belongs to user {state.stat().st_uid}, and this is user {os.geteuid()}",
            "run baluarte as that user, or choose another place with --state-dir",
        )


def _is_ours_alone(place: Path) -> bool:
    status = place.lstat()
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def write_private(path: Path, text: str, identity: Identity | None = None) -> None:
    """Write `text` so that only the owner ever sees it, replacing the file as a whole."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    give(draft, identity)
    draft.replace(path)


def kept_secret(path: Path) -> str:
    """The random secret in `path`, made at the first call."""
    if not path.exists():
        path.parent.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text().strip()


def content_name(files: list[Path]) -> str:
    """A short name for the content of `files`."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            while block := stream.read(_READ_BLOCK):
                digest.update(block)
    return digest.hexdigest()[:16]


def publish(sources: dict[str, Path], destination: Path) -> Path:
    """Copy `sources` (relative name → file or folder) to `destination`, whole or not at all.

    The copy belongs to us and is readable by all; a copy that is there already is kept.
    """
    if destination.is_dir():
        return destination
    draft = destination.with_name(f"{destination.name}.{secrets.token_hex(4)}")
    try:
        for name, source in sources.items():
            _copy_readable(source, draft / name)
        draft.chmod(0o755)
        draft.rename(destination)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not destination.is_dir():  # else another start was faster, with the same content
            raise
    return destination


def _copy_readable(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.a", "pkgconfig", "pgxs"))
    else:
        shutil.copy2(source, target)
    for folder, _, files in os.walk(target.parent):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder) / name
            path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
