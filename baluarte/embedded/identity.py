"""Under which user an embedded server runs: PostgreSQL refuses to run as root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# The first that exists is taken; else any that is not root. Without a name only Valkey would run.
_PREFERRED_USERS = ("postgres", "nobody")
_NAMELESS_UID = 65534


@dataclass(frozen=True, slots=True)
class Identity:
    """A user and group that a child process switches to; no supplementary groups."""

    uid: int
    gid: int


def server_identity(effective_uid: int | None = None) -> Identity | None:
    """The user for embedded servers, or None where we are unprivileged ourselves."""
    if (os.geteuid() if effective_uid is None else effective_uid) != 0:
        return None
    for name in _PREFERRED_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Identity(entry.pw_uid, entry.pw_gid)
    for entry in pwd.getpwall():
        if entry.pw_uid != 0:
            return Identity(entry.pw_uid, entry.pw_gid)
    return Identity(_NAMELESS_UID, _NAMELESS_UID)


def has_a_name(identity: Identity | None) -> bool:
    """Whether the server's user (None: ourselves) is in the user database: initdb looks it up."""
    try:
        pwd.getpwuid(os.geteuid() if identity is None else identity.uid)
    except KeyError:
        return False
    return True


def credentials(identity: Identity | None) -> dict[str, object]:
    """The `subprocess` arguments that switch to `identity`."""
    if identity is None:
        return {}
    return {"user": identity.uid, "group": identity.gid, "extra_groups": []}


def give(path: Path, identity: Identity | None) -> None:
    """Make `identity` the owner of `path`, where there is someone to give it to."""
    if identity is not None:
        os.chown(path, identity.uid, identity.gid)


def succeeds_as(identity: Identity | None, argv: Sequence[str]) -> bool:
    """Whether `argv` runs and exits with 0 as `identity`.

    Asking the kernel by doing it is the only answer that knows of ACLs, noexec mounts and parents
    that cannot be entered.
    """
    try:
        answer = subprocess.run(
            argv,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=10,
            check=False,
            **credentials(identity),  # type: ignore[call-overload]
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return bool(answer.returncode == 0)


def can_use_directory(identity: Identity | None, directory: Path) -> bool:
    """Whether `identity` can enter `directory` (and so everything above it)."""
    if identity is None:
        return os.access(directory, os.X_OK)
    test = shutil.which("test", path="/usr/bin:/bin") or "test"
    return succeeds_as(identity, [test, "-x", str(directory)])
