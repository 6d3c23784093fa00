"""Secrets of a deployment: made once, and handed out so that each process finds its own and no other's.

`hand_out(folder)` fills `folder/<reader>/` for every reader; a container mounts its reader's folder, as a
volume of its own, where secrets belong (`/run/secrets`). What is random lies in `folder/master`, which
nobody else mounts; all other files follow from it, so that running it again mends what was lost and
changes nothing that is right.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from baluarte.embedded.places import kept_secret
from baluarte.migrate import database_name
from chassis.credentials import TRUST_FILE, generate_keys

SERVICES: Final = ("users", "ledger", "transactions", "notifications")
WITH_CACHE: Final = ("gateway", "users")
PRINCIPAL: Final = "baluarte"
"""Who sets the deployment up: the name of its key, and of PostgreSQL's superuser."""

READERS: Final = (
    *("gateway", *SERVICES, "operator"),
    *("postgres", "valkey", "rabbitmq", "grafana"),
)
SIGNING_SECRET: Final = "users-signing-secret"  # noqa: S105 - the name of a file
_KEPT: Final = frozenset({"postgres-password", "grafana-password", SIGNING_SECRET})
"""Not renewed: they are known to data that outlive us, which would be closed for good."""

_OURS: Final = 0o400
_OTHERS: Final = 0o444
"""Servers of others run as users of their own; as with Docker's secrets, the mount is the lock."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the services find the servers: `host:port` each."""

    postgres: str = "postgres:5432"
    valkey: str = "valkey:6379"
    rabbitmq: str = "rabbitmq:5672"


def hand_out(folder: Path, addresses: Addresses, *, renew: bool = False) -> None:
    """Make what is missing, and write every reader's files.

    Args:
        renew: make passwords and keys anew, but for those that data depend on (`_KEPT`).
    """
    master = folder / "master"
    if renew:
        _forget(master)
    generate_keys(master / "keys", ("gateway", *SERVICES, PRINCIPAL))
    ours, others = _ours(master, addresses), _others(master)
    for files, mode in ((ours, _OURS), (others, _OTHERS)):
        for reader, contents in files.items():
            for name, content in contents.items():
                _write(folder / reader / name, content, mode)


def _forget(master: Path) -> None:
    for path in (*master.glob("*"), *master.glob("keys/*")):
        if path.is_file() and path.name not in _KEPT:
            path.unlink()


def _ours(master: Path, addresses: Addresses) -> dict[str, dict[str, str]]:
    """The files of our own processes: key, whom to trust, and URLs with their passwords."""
    files = {reader: _keys(master, reader) for reader in ("gateway", *SERVICES)}
    operator = files["operator"] = _keys(master, PRINCIPAL)
    postgres = f"{addresses.postgres}/"
    operator["server-url"] = (
        f"postgresql://{PRINCIPAL}:{_password(master, 'postgres')}@{postgres}postgres"
    )
    operator["grafana-password"] = _password(master, "grafana")
    operator["rabbitmq-password"] = _password(master, "rabbitmq-operator")
    for service in SERVICES:
        name = database_name(service)
        url = f"postgresql://{name}:{_password(master, name)}@{postgres}{name}"
        files[service]["database-url"] = operator[f"{service}-database-url"] = url
        password = _password(master, f"rabbitmq-{service}")
        files[service]["amqp-url"] = f"amqp://{service}:{password}@{addresses.rabbitmq}/"
    for service in WITH_CACHE:
        password = _password(master, f"valkey-{service}")
        files[service]["redis-url"] = f"redis://{service}:{password}@{addresses.valkey}/0"
    files["users"][SIGNING_SECRET] = kept_secret(master / SIGNING_SECRET)
    return files


def _keys(master: Path, name: str) -> dict[str, str]:
    keys = master / "keys"
    return {file: (keys / file).read_text() for file in (f"{name}.pem", TRUST_FILE)}


def _others(master: Path) -> dict[str, dict[str, str]]:
    """The files of other people's servers, with hashes of passwords where they take them."""
    return {
        "postgres": {"password": _password(master, "postgres")},
        "valkey": {"users.acl": _valkey_users(master)},
        "rabbitmq": {"definitions.json": json.dumps(_rabbitmq_definitions(master), indent=2)},
        "grafana": {"password": _password(master, "grafana")},
    }


def _valkey_users(master: Path) -> str:
    """Valkey's ACL file: nobody without a password but `health`, who may ask for a pong."""
    lines = ["user default off", "user health on nopass resetkeys resetchannels -@all +ping"]
    for service in WITH_CACHE:
        digest = hashlib.sha256(_password(master, f"valkey-{service}").encode()).hexdigest()
        lines.append(f"user {service} on #{digest} ~* &* +@all -@admin -@dangerous +info")
    return "\n".join(lines) + "\n"


def _rabbitmq_definitions(master: Path) -> Mapping[str, object]:
    """Users of the broker: each service on our names only, and the operator, who sees everything."""
    ours = r"^baluarte\..*"
    users = [_rabbitmq_user("operator", _password(master, "rabbitmq-operator"), "administrator")]
    permissions = [_permission("operator", ".*")]
    for service in SERVICES:
        users.append(_rabbitmq_user(service, _password(master, f"rabbitmq-{service}"), ""))
        permissions.append(_permission(service, ours))
    return {"vhosts": [{"name": "/"}], "users": users, "permissions": permissions}


def _permission(user: str, names: str) -> dict[str, str]:
    return {"user": user, "vhost": "/", "configure": names, "write": names, "read": names}


def _rabbitmq_user(name: str, password: str, tags: str) -> dict[str, str]:
    """A user with RabbitMQ's salted hash; the salt follows from the password, so that files stay put."""
    salt = hmac.digest(password.encode(), b"salt", "sha256")[:4]
    hashed = base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
    algorithm = "rabbit_password_hashing_sha256"
    return {"name": name, "password_hash": hashed, "hashing_algorithm": algorithm, "tags": tags}


def _password(master: Path, name: str) -> str:
    return kept_secret(master / f"{name}-password")


def _write(path: Path, content: str, mode: int) -> None:
    """`path` with `content`, whole or not at all; untouched when it is right already."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    if path.is_file() and path.read_text() == content:
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(mode)  # whatever the umask said
    draft.replace(path)
