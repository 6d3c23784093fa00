"""The service over HTTP: who may do and see what, with real credentials and tokens."""

from uuid import uuid4

import msgspec
import pytest

from chassis import codes
from chassis.contract import Nothing
from chassis.errors import CodedError
from services.users.contract import (
    GET_NAMES,
    GET_USERS,
    JWKS,
    LIST_USERS,
    LOGIN,
    LOGOUT,
    REFRESH,
    SEED_USER,
    SET_USER_ACTIVE,
    UPDATE_BANKING_DETAILS,
    UPDATE_PROFILE,
    AccountType,
    BankingDetails,
    GetJwks,
    GetUsers,
    ListUsers,
    Login,
    Logout,
    Refresh,
    Role,
    SeedUser,
    SetUserActive,
    UpdateBankingDetails,
    UpdateProfile,
)
from tests.services.users.running import PASSWORD, Users, post
from tests.waiting import eventually

DETAILS = BankingDetails(agency="1234", account_number="56789-x", account_type=AccountType.CHECKING)


async def code_of(users: Users, operation: object, request: object, **how: object) -> str:
    with pytest.raises(CodedError) as caught:
        await users.call(operation, request, **how)  # type: ignore[arg-type]
    return caught.value.code


async def test_owner_reads_their_profile(users: Users) -> None:
    """A customer sees their own profile and a null where another's is."""
    ana, bento = await users.register(), await users.register("bento@example.com", "Bento")

    found = await users.call(
        GET_USERS, GetUsers(ids=[bento.user.id, ana.user.id, uuid4()]), token=ana.access_token
    )

    assert found.users == [None, ana.user, None]


async def test_staff_and_operator_read_any_profile(users: Users) -> None:
    """Support, admins and the operator's principal see every profile, with its role."""
    ana = await users.register()
    for role in (Role.SUPPORT, Role.ADMIN):
        staff = await users.staff(role)
        found = await users.call(
            GET_USERS, GetUsers(ids=[ana.user.id, staff.user.id]), token=staff.access_token
        )
        assert found.users == [ana.user, staff.user]
        assert staff.user.role is role
    found = await users.call(GET_USERS, GetUsers(ids=[ana.user.id]), caller="baluarte")
    assert found.users == [ana.user]


async def test_nobody_reads_profiles_without_a_user(users: Users) -> None:
    """The gateway alone sees no profile and no name."""
    ana = await users.register()
    assert (await users.call(GET_USERS, GetUsers(ids=[ana.user.id]))).users == [None]
    assert (await users.call(GET_NAMES, GetUsers(ids=[ana.user.id]))).names == [None]


async def test_names_for_counterparties(users: Users) -> None:
    """Any signed-in user and the named services get names, in the order asked, and nothing more."""
    ana, bento = await users.register(), await users.register("bento@example.com", "Bento")
    request = GetUsers(ids=[bento.user.id, uuid4(), ana.user.id, bento.user.id])

    for how in (
        {"token": ana.access_token},
        {"caller": "transactions"},
        {"caller": "notifications"},
    ):
        found = await users.call(GET_NAMES, request, **how)
        assert [entry and entry.name for entry in found.names] == ["Bento", None, "Ana", "Bento"]
    assert set(found.names[0].__struct_fields__) == {"id", "name", "version"}


@pytest.mark.parametrize("caller", ["ledger", "notifications", "users"])
async def test_other_services_may_not_read_profiles(users: Users, caller: str) -> None:
    """A service that is not named by the operation is refused."""
    body = msgspec.json.encode(GetUsers(ids=[uuid4()]))
    status, problem = await post(users, GET_USERS, body, caller=caller)
    assert (status, problem["code"]) == (403, codes.SERVICE_FORBIDDEN.name)


async def test_update_profile(users: Users) -> None:
    """What is given changes, what is left out stays, null clears; version and event follow."""
    ana = await users.register()
    token = ana.access_token

    first = await users.call(
        UPDATE_PROFILE,
        UpdateProfile(address="Rua A, 1", picture_url="https://pics.example/a.png"),
        token=token,
    )
    second = await users.call(
        UPDATE_PROFILE, UpdateProfile(name="Ana Maria", address=None), token=token
    )

    assert (first.user.name, first.user.address, first.user.version) == ("Ana", "Rua A, 1", 2)
    assert (second.user.name, second.user.address) == ("Ana Maria", None)
    assert second.user.picture_url == "https://pics.example/a.png"
    assert second.user.version == 3
    assert second.user.updated_at > first.user.updated_at > ana.user.updated_at
    await eventually(
        lambda: (
            users.bus.types_of(ana.user.id)
            == ["user.registered", "user.profile.updated", "user.profile.updated"]
        )
    )
    assert [event.version for event in users.bus.events] == [1, 2, 3]


async def test_update_without_change(users: Users) -> None:
    """Writing what stands there already raises no version and tells nobody."""
    ana = await users.register()
    same = UpdateProfile(name="Ana", email="ana@example.com", address="")
    answer = await users.call(UPDATE_PROFILE, same, token=ana.access_token)
    assert answer.user == ana.user


async def test_email_change(users: Users) -> None:
    """A new address signs in, the old one no longer; one's own address may change its case."""
    ana = await users.register()
    for email in ("ANA@example.com", "ana.maria@example.com"):
        await users.call(UPDATE_PROFILE, UpdateProfile(email=email), token=ana.access_token)
    await users.call(LOGIN, Login(email="Ana.Maria@example.com", password=PASSWORD))
    old = Login(email="ana@example.com", password=PASSWORD)
    assert await code_of(users, LOGIN, old) == codes.INVALID_CREDENTIALS.name


async def test_email_of_another(users: Users) -> None:
    """Another's address is refused whatever its case, and nothing changes."""
    ana, _ = await users.register(), await users.register("bento@example.com", "Bento")
    wanted = UpdateProfile(email="BENTO@example.com", name="Eve")
    refused = await code_of(users, UPDATE_PROFILE, wanted, token=ana.access_token)
    assert refused == codes.EMAIL_TAKEN.name
    found = await users.call(GET_USERS, GetUsers(ids=[ana.user.id]), token=ana.access_token)
    assert found.users == [ana.user]


async def test_banking_details(users: Users) -> None:
    """Banking details are kept with their check digit as one character, and told by an event."""
    ana = await users.register()
    answer = await users.call(
        UPDATE_BANKING_DETAILS,
        UpdateBankingDetails(banking_details=DETAILS),
        token=ana.access_token,
    )
    assert answer.user.banking_details.account_number == "56789-X"
    await eventually(
        lambda: users.bus.types_of(ana.user.id)[1:] == ["user.banking-details.updated"]
    )


async def test_banking_details_of_another(users: Users) -> None:
    """Agency and account number belong to one user."""
    ana, bento = await users.register(), await users.register("bento@example.com", "Bento")
    request = UpdateBankingDetails(banking_details=DETAILS)
    await users.call(UPDATE_BANKING_DETAILS, request, token=ana.access_token)
    refused = await code_of(users, UPDATE_BANKING_DETAILS, request, token=bento.access_token)
    assert refused == codes.BANKING_DETAILS_TAKEN.name


async def test_list_is_for_staff(users: Users) -> None:
    """A customer may not list users."""
    ana = await users.register()
    assert await code_of(users, LIST_USERS, ListUsers(), token=ana.access_token) == "FORBIDDEN"
    assert await code_of(users, LIST_USERS, ListUsers()) == codes.UNAUTHENTICATED.name


async def test_list_by_pages(users: Users) -> None:
    """Pages hold every user once, newest first, however many arrive meanwhile."""
    support = await users.staff(Role.SUPPORT)
    for number in range(5):
        await users.register(f"user{number}@example.com", f"User {number}")
    names, after = [], None
    while True:
        page = await users.call(
            LIST_USERS, ListUsers(first=2, after=after), token=support.access_token
        )
        names += [user.name for user in page.users]
        await users.register(f"late{len(names)}@example.com", "Late")
        after = page.next
        if after is None:
            break
    assert names == [f"User {number}" for number in (4, 3, 2, 1, 0)] + ["Support"]


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("MARIA", ["Maria 100%"]),
        ("bento@", ["Bento"]),
        ("00%", ["Maria 100%"]),
        ("%%", []),
        ("__", []),
        ("' OR '1'='1", []),
        ("\\\\", []),
    ],
)
async def test_search(users: Users, search: str, names: list[str]) -> None:
    """A part of a name or address is found regardless of case; wildcards and quotes are only text."""
    support = await users.staff(Role.SUPPORT)
    await users.register("bento@example.com", "Bento")
    await users.register("m@example.com", "Maria 100%")
    page = await users.call(LIST_USERS, ListUsers(search=search), token=support.access_token)
    assert [user.name for user in page.users] == names


@pytest.mark.parametrize(
    "request_", [ListUsers(after="AAAA"), ListUsers(after="x" * 200), ListUsers(search="a\x00b")]
)
async def test_bad_page(users: Users, request_: ListUsers) -> None:
    """A forged cursor and a NUL are refused as input, not met by the database."""
    support = await users.staff(Role.SUPPORT)
    refused = await code_of(users, LIST_USERS, request_, token=support.access_token)
    assert refused == codes.INVALID_INPUT.name


async def test_deactivation(users: Users) -> None:
    """Deactivation ends sessions, refuses sign-in, refresh and changes, and is told by an event."""
    admin, ana = await users.staff(Role.ADMIN), await users.register()
    request = SetUserActive(user_id=ana.user.id, active=False)

    answer = await users.call(SET_USER_ACTIVE, request, token=admin.access_token)
    again = await users.call(SET_USER_ACTIVE, request, token=admin.access_token)

    assert (answer.user.active, answer.user.version) == (False, 2)
    assert again.user == answer.user
    old = Refresh(refresh_token=ana.refresh_token)
    assert await code_of(users, REFRESH, old) == codes.REFRESH_TOKEN_INVALID.name
    login = Login(email="ana@example.com", password=PASSWORD)
    assert await code_of(users, LOGIN, login) == codes.USER_INACTIVE.name
    change = UpdateProfile(name="Eve")
    refused = await code_of(users, UPDATE_PROFILE, change, token=ana.access_token)
    assert refused == codes.USER_INACTIVE.name
    await eventually(
        lambda: users.bus.types_of(ana.user.id) == ["user.registered", "user.activation.updated"]
    )

    await users.call(
        SET_USER_ACTIVE, SetUserActive(user_id=ana.user.id, active=True), token=admin.access_token
    )
    assert await code_of(users, REFRESH, old) == codes.REFRESH_TOKEN_INVALID.name
    await users.call(LOGIN, login)


async def test_who_may_deactivate(users: Users) -> None:
    """Only admins may, never themselves, and only somebody who exists."""
    admin, support = await users.staff(Role.ADMIN), await users.staff(Role.SUPPORT)
    ana = await users.register()
    other = SetUserActive(user_id=ana.user.id, active=False)
    for token in (ana.access_token, support.access_token):
        assert await code_of(users, SET_USER_ACTIVE, other, token=token) == "FORBIDDEN"
    own = SetUserActive(user_id=admin.user.id, active=False)
    assert await code_of(users, SET_USER_ACTIVE, own, token=admin.access_token) == "FORBIDDEN"
    nobody = SetUserActive(user_id=uuid4(), active=False)
    refused = await code_of(users, SET_USER_ACTIVE, nobody, token=admin.access_token)
    assert refused == codes.USER_NOT_FOUND.name


async def test_seeding_once(users: Users) -> None:
    """Seeding an address again answers the user that has it, unchanged."""
    first = SeedUser(
        email="ana@example.com",
        password=PASSWORD,
        name="Ana",
        role=Role.CUSTOMER,
        banking_details=DETAILS,
    )
    made = await users.call(SEED_USER, first, caller="baluarte")
    again = await users.call(
        SEED_USER,
        SeedUser(email="ANA@example.com", password="x" * 12, name="Eve", role=Role.ADMIN),
        caller="baluarte",
    )
    assert again.user == made.user
    await users.call(LOGIN, Login(email="ana@example.com", password=PASSWORD))
    taken = SeedUser(
        email="bento@example.com",
        password=PASSWORD,
        name="Bento",
        role=Role.CUSTOMER,
        banking_details=DETAILS,
    )
    refused = await code_of(users, SEED_USER, taken, caller="baluarte")
    assert refused == codes.BANKING_DETAILS_TAKEN.name


async def test_seeding_is_for_the_operator(users: Users) -> None:
    """No other service can make an admin."""
    eve = SeedUser(email="e@example.com", password=PASSWORD, name="Eve", role=Role.ADMIN)
    body = msgspec.json.encode(eve)
    for caller in ("gateway", "ledger", "transactions", "notifications", "users"):
        status, problem = await post(users, SEED_USER, body, caller=caller)
        assert (status, problem["code"]) == (403, codes.SERVICE_FORBIDDEN.name)


async def test_session_journey(users: Users) -> None:
    """Register, refresh, log out: the last ends what the others began."""
    ana = await users.register()
    ana = await users.call(REFRESH, Refresh(refresh_token=ana.refresh_token))
    out = await users.call(LOGOUT, Logout(refresh_token=ana.refresh_token))
    assert out == Nothing()
    refused = await code_of(users, REFRESH, Refresh(refresh_token=ana.refresh_token))
    assert refused == codes.REFRESH_TOKEN_INVALID.name


async def test_published_keys(users: Users) -> None:
    """Anybody may read the public keys, and they hold nothing private."""
    async with users.session.get(f"{users.url}/.well-known/jwks.json") as response:
        body = await response.json()
    assert [set(key) for key in body["keys"]] == [{"kid", "kty", "alg", "use", "n", "e"}]
    assert (await users.call(JWKS, GetJwks())).keys[0].alg == "RS256"


async def test_pages(users: Users) -> None:
    """Health, readiness, metrics and documentation answer."""
    await users.register()
    for path in ("/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs"):
        async with users.session.get(users.url + path) as response:
            text = await response.text()
            assert response.status == 200, path
        if path == "/health/ready":
            assert "postgres" in text
        if path == "/metrics":
            assert 'users_logins_total{outcome="ok"}' in text
            assert "outbox_pending" in text
