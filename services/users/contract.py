"""What the users service does for others: identity, profiles, tokens. Structs and operations, no I/O."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec

from chassis import codes
from chassis.contract import (
    Answer,
    Cursor,
    Ids,
    Message,
    Nothing,
    Operation,
    PageSize,
    UserAccess,
)
from chassis.keyset import KeySet
from resilience.context import Priority

SERVICE = "users"

Email = Annotated[
    str,
    msgspec.Meta(
        min_length=3,
        max_length=254,
        pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f]+\Z",
    ),
]
Password = Annotated[str, msgspec.Meta(min_length=10, max_length=128)]
AnyPassword = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
Line = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
PictureUrl = Annotated[str, msgspec.Meta(max_length=500, pattern=r"^https://[^\s\x00-\x1f\x7f]+\Z")]
Agency = Annotated[
    str,
    msgspec.Meta(pattern=r"^[0-9]{4}(-[0-9Xx])?\Z", description="4 digits, check digit optional"),
]
AccountNumber = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9]{4,12}-[0-9Xx]\Z", description="number and check digit")
]
RefreshToken = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class Role(StrEnum):
    CUSTOMER = "customer"
    SUPPORT = "support"
    ADMIN = "admin"


class AccountType(StrEnum):
    CHECKING = "CHECKING"
    SAVINGS = "SAVINGS"
    SALARY = "SALARY"


class BankingDetails(Message, frozen=True, kw_only=True):
    """Where other banks send money to: agency, account number, account type."""

    agency: Agency
    account_number: AccountNumber
    account_type: AccountType


class Profile(Answer, frozen=True, kw_only=True):
    """A user as the owner and staff see them. `version` grows with every change."""

    id: UUID
    email: str
    name: str
    address: str | None
    picture_url: str | None
    banking_details: BankingDetails | None
    role: Role
    active: bool
    version: int
    created_at: datetime
    updated_at: datetime


class ProfileAnswer(Answer, frozen=True, kw_only=True):
    user: Profile


class Session(Answer, frozen=True, kw_only=True):
    """Tokens of a signed-in user. The refresh token may be used once; see `refresh`."""

    user: Profile
    access_token: str
    access_expires_in: int
    """Seconds that the access token lives from now."""
    refresh_token: str
    refresh_expires_in: int


class Register(Message, frozen=True, kw_only=True):
    email: Email
    password: Password
    name: Name
    address: Line | None = None
    picture_url: PictureUrl | None = None


class Login(Message, frozen=True, kw_only=True):
    email: Email
    password: AnyPassword


class Refresh(Message, frozen=True, kw_only=True):
    refresh_token: RefreshToken


class Logout(Message, frozen=True, kw_only=True):
    """Ends the session (the whole family) that the refresh token belongs to; unknown tokens are ignored."""

    refresh_token: RefreshToken


class GetUsers(Message, frozen=True, kw_only=True):
    ids: Ids


class Profiles(Answer, frozen=True, kw_only=True):
    """One entry per asked id, in that order; null where there is none or the caller may not see it."""

    users: list[Profile | None]


class PublicName(Answer, frozen=True, kw_only=True):
    """All that a counterparty sees of a user."""

    id: UUID
    name: str
    version: int


class Names(Answer, frozen=True, kw_only=True):
    """One entry per asked id, in that order; null where there is none."""

    names: list[PublicName | None]


class ListUsers(Message, frozen=True, kw_only=True):
    """A page of all users, newest first. For staff."""

    first: PageSize = 20
    after: Cursor | None = None
    search: Annotated[str, msgspec.Meta(min_length=2, max_length=100)] | None = None
    """Part of a name or an e-mail address, regardless of case."""


class UserPage(Answer, frozen=True, kw_only=True):
    users: list[Profile]
    next: str | None


class UpdateProfile(Message, frozen=True, kw_only=True):
    """Fields that are left out stay as they are; null clears address and picture."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    email: Email | msgspec.UnsetType = msgspec.UNSET
    address: Line | msgspec.UnsetType | None = msgspec.UNSET
    picture_url: PictureUrl | msgspec.UnsetType | None = msgspec.UNSET


class UpdateBankingDetails(Message, frozen=True, kw_only=True):
    banking_details: BankingDetails


class SetUserActive(Message, frozen=True, kw_only=True):
    user_id: UUID
    active: bool


class SeedUser(Message, frozen=True, kw_only=True):
    """Create a user with a role, or answer the one that has this e-mail address. For set-up only."""

    email: Email
    password: Password
    name: Name
    role: Role
    banking_details: BankingDetails | None = None


class UserRegistered(Answer, frozen=True, kw_only=True):
    """Payload of `user.registered` and `user.profile.updated`; key is the user's id."""

    user_id: UUID
    name: str
    active: bool


class BankingDetailsUpdated(Answer, frozen=True, kw_only=True):
    """Payload of `user.banking-details.updated`."""

    user_id: UUID
    agency: str
    account_number: str
    account_type: AccountType


class UserActivationUpdated(Answer, frozen=True, kw_only=True):
    """Payload of `user.activation.updated`."""

    user_id: UUID
    active: bool


class GetJwks(Message, frozen=True, kw_only=True):
    """Nothing to say."""


REGISTER = Operation(
    service=SERVICE,
    name="register",
    path="/v1/sessions/register",
    request=Register,
    response=Session,
    summary="Register a customer and sign them in",
    errors=(codes.EMAIL_TAKEN, codes.PASSWORD_HASHING_BUSY),
    idempotent=False,
    priority=Priority.HIGH,
)
LOGIN = Operation(
    service=SERVICE,
    name="login",
    path="/v1/sessions/login",
    request=Login,
    response=Session,
    summary="Check credentials and sign in",
    callers=frozenset({"gateway", "baluarte"}),
    errors=(codes.INVALID_CREDENTIALS, codes.USER_INACTIVE, codes.PASSWORD_HASHING_BUSY),
    idempotent=False,
    priority=Priority.CRITICAL,
)
REFRESH = Operation(
    service=SERVICE,
    name="refresh",
    path="/v1/sessions/refresh",
    request=Refresh,
    response=Session,
    summary="Exchange a refresh token for new tokens; repeatable for 30 s while the successor is unused",
    errors=(codes.REFRESH_TOKEN_INVALID, codes.REFRESH_TOKEN_REUSED, codes.USER_INACTIVE),
    priority=Priority.CRITICAL,
)
LOGOUT = Operation(
    service=SERVICE,
    name="logout",
    path="/v1/sessions/logout",
    request=Logout,
    response=Nothing,
    summary="End a session",
    priority=Priority.CRITICAL,
)
GET_USERS = Operation(
    service=SERVICE,
    name="get_users",
    path="/v1/users/get",
    request=GetUsers,
    response=Profiles,
    summary="Profiles by id: one's own, or any for staff",
    reads=True,
    callers=frozenset({"gateway", "baluarte"}),
    user=UserAccess.OPTIONAL,
    priority=Priority.HIGH,
)
GET_NAMES = Operation(
    service=SERVICE,
    name="get_names",
    path="/v1/users/names",
    request=GetUsers,
    response=Names,
    summary="Names by id, for counterparties",
    reads=True,
    callers=frozenset({"gateway", "transactions", "notifications"}),
    user=UserAccess.OPTIONAL,
    shared=True,
    priority=Priority.LOW,
)
LIST_USERS = Operation(
    service=SERVICE,
    name="list_users",
    path="/v1/users/list",
    request=ListUsers,
    response=UserPage,
    summary="All users by page, for staff",
    reads=True,
    user=UserAccess.REQUIRED,
    errors=(codes.FORBIDDEN,),
    priority=Priority.LOW,
)
UPDATE_PROFILE = Operation(
    service=SERVICE,
    name="update_profile",
    path="/v1/users/update-profile",
    request=UpdateProfile,
    response=ProfileAnswer,
    summary="Change one's own profile",
    user=UserAccess.REQUIRED,
    errors=(codes.EMAIL_TAKEN,),
    priority=Priority.HIGH,
)
UPDATE_BANKING_DETAILS = Operation(
    service=SERVICE,
    name="update_banking_details",
    path="/v1/users/update-banking-details",
    request=UpdateBankingDetails,
    response=ProfileAnswer,
    summary="Change one's own banking details",
    user=UserAccess.REQUIRED,
    errors=(codes.BANKING_DETAILS_TAKEN,),
    priority=Priority.HIGH,
)
SET_USER_ACTIVE = Operation(
    service=SERVICE,
    name="set_user_active",
    path="/v1/users/set-active",
    request=SetUserActive,
    response=ProfileAnswer,
    summary="Activate or deactivate a user; ends their sessions; for admins",
    user=UserAccess.REQUIRED,
    errors=(codes.FORBIDDEN, codes.USER_NOT_FOUND),
    priority=Priority.HIGH,
)
SEED_USER = Operation(
    service=SERVICE,
    name="seed_user",
    path="/v1/users/seed",
    request=SeedUser,
    response=ProfileAnswer,
    summary="Create a user with a role, once; for set-up",
    callers=frozenset({"baluarte"}),
)
JWKS = Operation(
    service=SERVICE,
    name="jwks",
    path="/.well-known/jwks.json",
    request=GetJwks,
    response=KeySet,
    summary="The public keys that verify access tokens",
    reads=True,
    callers=frozenset(),
    method="GET",
    shared=True,
    priority=Priority.CRITICAL,
)

OPERATIONS = (
    REGISTER,
    LOGIN,
    REFRESH,
    LOGOUT,
    GET_USERS,
    GET_NAMES,
    LIST_USERS,
    UPDATE_PROFILE,
    UPDATE_BANKING_DETAILS,
    SET_USER_ACTIVE,
    SEED_USER,
    JWKS,
)
