"""What happens at once must look as if it had happened in some order."""

import asyncio
from collections import Counter

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.errors import CodedError
from services.users.contract import (
    LOGIN,
    REFRESH,
    SET_USER_ACTIVE,
    UPDATE_BANKING_DETAILS,
    UPDATE_PROFILE,
    AccountType,
    BankingDetails,
    Login,
    Refresh,
    Role,
    SetUserActive,
    UpdateBankingDetails,
    UpdateProfile,
)
from tests.services.users.running import PASSWORD, Users
from tests.waiting import eventually


async def outcome(users: Users, operation: object, request: object, **how: object) -> str:
    """`ok`, or the code of the error."""
    try:
        await users.call(operation, request, **how)  # type: ignore[arg-type]
    except CodedError as error:
        return error.code
    return "ok"


async def open_families(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        found = await connection.execute(
            text("SELECT count(*) FROM refresh_families WHERE ended_at IS NULL")
        )
        return int(found.scalar_one())


async def test_updates_of_one_profile(users: Users) -> None:
    """Concurrent changes of one profile each count: no version is lost and every event has its own."""
    ana = await users.register()
    await asyncio.gather(
        *(
            users.call(UPDATE_PROFILE, UpdateProfile(name=f"Ana {n}"), token=ana.access_token)
            for n in range(8)
        )
    )
    last = await users.call(UPDATE_PROFILE, UpdateProfile(name="Ana"), token=ana.access_token)
    assert last.user.version == 1 + 8 + 1
    await eventually(lambda: len(users.bus.events) == 10, timeout=15)
    assert [event.version for event in users.bus.events] == list(range(1, 11))


async def test_one_address_for_many(users: Users) -> None:
    """Of several users who want one address at once exactly one gets it."""
    sessions = [await users.register(f"user{n}@example.com", f"User {n}") for n in range(4)]
    wanted = UpdateProfile(email="Wanted@example.com")
    outcomes = await asyncio.gather(
        *(outcome(users, UPDATE_PROFILE, wanted, token=s.access_token) for s in sessions)
    )
    assert Counter(outcomes) == {"ok": 1, "EMAIL_TAKEN": 3}


async def test_one_bank_account_for_many(users: Users) -> None:
    """Of several users who name one bank account at once exactly one keeps it."""
    sessions = [await users.register(f"user{n}@example.com", f"User {n}") for n in range(4)]
    details = BankingDetails(
        agency="1234", account_number="56789-0", account_type=AccountType.SALARY
    )
    request = UpdateBankingDetails(banking_details=details)
    outcomes = await asyncio.gather(
        *(outcome(users, UPDATE_BANKING_DETAILS, request, token=s.access_token) for s in sessions)
    )
    assert Counter(outcomes) == {"ok": 1, "BANKING_DETAILS_TAKEN": 3}


async def test_two_swap_addresses(users: Users) -> None:
    """Two users who each want the other's address are both refused, and neither waits for ever."""
    ana, bento = await users.register(), await users.register("bento@example.com", "Bento")
    outcomes = await asyncio.gather(
        outcome(
            users, UPDATE_PROFILE, UpdateProfile(email="bento@example.com"), token=ana.access_token
        ),
        outcome(
            users, UPDATE_PROFILE, UpdateProfile(email="ana@example.com"), token=bento.access_token
        ),
    )
    assert "EMAIL_TAKEN" in outcomes
    assert set(outcomes) <= {"EMAIL_TAKEN", "ok", "UNAVAILABLE"}


async def test_deactivation_leaves_no_session(users: Users, engine: AsyncEngine) -> None:
    """Sign-ins and refreshes that race a deactivation leave no open session, whoever wins."""
    admin, ana = await users.staff(Role.ADMIN), await users.register()
    before = await open_families(engine)
    login = Login(email="ana@example.com", password=PASSWORD)
    refresh = Refresh(refresh_token=ana.refresh_token)
    off = SetUserActive(user_id=ana.user.id, active=False)

    outcomes = await asyncio.gather(
        *(outcome(users, LOGIN, login) for _ in range(4)),
        *(outcome(users, REFRESH, refresh) for _ in range(4)),
        outcome(users, SET_USER_ACTIVE, off, token=admin.access_token),
    )

    assert outcomes[-1] == "ok"
    assert set(outcomes) <= {"ok", "USER_INACTIVE", "REFRESH_TOKEN_INVALID"}
    assert await open_families(engine) == before - 1
    assert await outcome(users, LOGIN, login) == "USER_INACTIVE"


async def test_admins_deactivate_each_other(users: Users) -> None:
    """Two admins who act on each other at once end in some order: one of them stays, and nobody hangs."""
    first = await users.staff(Role.ADMIN)
    second = await users.register("second@bank.example", "Second")
    # Made an admin the way an operator's database session would.
    admin = await _promote(users, second.user.email)
    outcomes = await asyncio.gather(
        outcome(
            users,
            SET_USER_ACTIVE,
            SetUserActive(user_id=second.user.id, active=False),
            token=first.access_token,
        ),
        outcome(
            users,
            SET_USER_ACTIVE,
            SetUserActive(user_id=first.user.id, active=False),
            token=admin,
        ),
    )
    assert sorted(outcomes) == ["USER_INACTIVE", "ok"]


async def _promote(users: Users, email: str) -> str:
    """An admin's access token for the user with that address."""
    async with users.engine.begin() as connection:
        await connection.execute(
            text("UPDATE users SET role = 'admin' WHERE email = :email"), {"email": email}
        )
    session = await users.call(LOGIN, Login(email=email, password=PASSWORD))
    return str(session.access_token)


async def test_demotion_counts_at_once_for_activation(users: Users) -> None:
    """An admin's token does not deactivate anybody once its owner's row says otherwise."""
    admin, ana = await users.staff(Role.ADMIN), await users.register()
    async with users.engine.begin() as connection:
        await connection.execute(text("UPDATE users SET role = 'support' WHERE role = 'admin'"))
    off = SetUserActive(user_id=ana.user.id, active=False)
    assert await outcome(users, SET_USER_ACTIVE, off, token=admin.access_token) == "FORBIDDEN"
    assert await outcome(users, LOGIN, Login(email="ana@example.com", password=PASSWORD)) == "ok"


async def test_logout_and_refresh(users: Users, engine: AsyncEngine) -> None:
    """A logout that races refreshes wins in the end: the session is over."""
    from services.users.contract import LOGOUT, Logout

    ana = await users.register()
    request = Refresh(refresh_token=ana.refresh_token)
    await asyncio.gather(
        *(outcome(users, REFRESH, request) for _ in range(4)),
        users.call(LOGOUT, Logout(refresh_token=ana.refresh_token)),
    )
    assert await open_families(engine) == 0
    assert await outcome(users, REFRESH, request) == "REFRESH_TOKEN_INVALID"


async def test_seeding_at_once(users: Users, engine: AsyncEngine) -> None:
    """Several set-ups that seed one user at once all get the same one."""
    from services.users.contract import SEED_USER, SeedUser

    request = SeedUser(email="a@b.example", password=PASSWORD, name="A", role=Role.SUPPORT)
    answers = await asyncio.gather(
        *(users.call(SEED_USER, request, caller="baluarte") for _ in range(5))
    )
    assert len({answer.user.id for answer in answers}) == 1
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM users"))).scalar() == 1
