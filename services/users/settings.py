"""What the users service is told beyond what every process is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from chassis.settings import Reader, Settings, read_settings, whole_number
from services.users.contract import SERVICE
from services.users.key_plan import ROTATE_EVERY
from services.users.passwords import HashingOptions
from services.users.sealing import load_secret

SECRET_FILE = "users-signing-secret"  # noqa: S105 - the name of a file
"""Where the secret of the signing keys lies in the keys' folder unless a setting says otherwise."""


@dataclass(frozen=True, slots=True)
class UsersSettings:
    """Settings of a users process.

    Attributes:
        common: what every process has.
        signing_secret: seals the signing keys in the database.
        rotate_every: how long one key signs.
        hashing: cost and queue of password hashing.
    """

    common: Settings
    signing_secret: bytes
    rotate_every: timedelta = ROTATE_EVERY
    hashing: HashingOptions = field(default_factory=HashingOptions)

    def __repr__(self) -> str:
        return f"UsersSettings({self.common!r})"


def read(environ: Mapping[str, str]) -> UsersSettings:
    """Read everything from the environment, once.

    Raises:
        SettingsError: with every problem and its way out.
    """
    reader = Reader(environ)
    common = read_settings(environ, SERVICE, peers=("ledger",), reader=reader)
    secret_file = reader.get(
        "BALUARTE_USERS_SIGNING_SECRET_FILE", parse=Path, default=common.keys_dir / SECRET_FILE
    )
    days = reader.get(
        "BALUARTE_USERS_KEY_ROTATION_DAYS",
        parse=whole_number(1, 365),
        default=ROTATE_EVERY.days,
    )
    waiting = reader.get(
        "BALUARTE_USERS_HASHING_QUEUE",
        parse=whole_number(1, 1_000),
        default=HashingOptions().max_waiting,
    )
    reader.finish()
    return UsersSettings(
        common=common,
        # In production an operator hands the same secret to all replicas; a made-up one would differ.
        signing_secret=load_secret(secret_file, create=not common.in_production),
        rotate_every=timedelta(days=days),
        hashing=HashingOptions(max_waiting=waiting),
    )
