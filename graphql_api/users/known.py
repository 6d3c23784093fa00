"""Profiles as the gateway knows them: just told by the users service, or kept from earlier.

The role is never kept. Decisions follow the verified access token; and what is shown as somebody's role
must not be what it was an hour ago.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from services.users.contract import BankingDetails, Profile, Role


class KnownProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile; `role` is None in a copy."""

    id: UUID
    email: str
    name: str
    address: str | None
    picture_url: str | None
    banking_details: BankingDetails | None
    active: bool
    version: int
    created_at: datetime
    updated_at: datetime
    role: Role | None = None

    @classmethod
    def of(cls, profile: Profile) -> "KnownProfile":
        """The whole profile, as the users service tells it."""
        return cls(**{name: getattr(profile, name) for name in cls.__struct_fields__})


class ProfileCodec:
    """Keeps everything but the role; refuses bytes that have one."""

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(KnownProfile, strict=True)

    def encode(self, value: KnownProfile) -> bytes:
        return self._encoder.encode(msgspec.structs.replace(value, role=None))

    def decode(self, data: bytes) -> KnownProfile:
        profile = self._decoder.decode(data)
        if profile.role is not None:
            raise ValueError("a copy of a profile has a role, which is never kept")
        return profile
