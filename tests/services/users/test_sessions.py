"""Registration, login, refresh and logout on a real database: thefts, lost answers, races."""

import asyncio
from uuid import UUID

import jwt
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import codes
from chassis.context import Call
from chassis.errors import CodedError
from chassis.metrics import Metrics
from chassis.tokens import AccessTokens
from services.users import families
from services.users.accounts import Accounts
from services.users.contract import Login, Logout, Refresh, Register, Session
from services.users.keys import KeyRing
from services.users.passwords import HashingOptions, Passwords
from services.users.sessions import SessionMetrics, Sessions

CALL = Call.background("gateway")
PASSWORD = "correct horse battery"


async def register(sessions: Sessions, email: str = "ana@example.com") -> Session:
    return await sessions.register(CALL, Register(email=email, password=PASSWORD, name="Ana"))


async def refresh(sessions: Sessions, session: Session) -> Session:
    return await sessions.refresh(CALL, Refresh(refresh_token=session.refresh_token))


async def refused(sessions: Sessions, session: Session) -> str:
    with pytest.raises(CodedError) as caught:
        await refresh(sessions, session)
    return caught.value.code


async def run_sql(engine: AsyncEngine, statement: str, **values: object) -> int:
    async with engine.begin() as connection:
        return (await connection.execute(text(statement), values)).rowcount


async def count(engine: AsyncEngine, table: str, where: str = "true") -> int:
    async with engine.connect() as connection:
        found = await connection.execute(text(f"SELECT count(*) FROM {table} WHERE {where}"))
        return int(found.scalar_one())


async def age(engine: AsyncEngine, seconds: float) -> None:
    """Move everything that happened to refresh tokens `seconds` into the past."""
    await run_sql(
        engine,
        "UPDATE refresh_tokens SET used_at = used_at - make_interval(secs => :s),"
        " created_at = created_at - make_interval(secs => :s),"
        " expires_at = expires_at - make_interval(secs => :s)",
        s=seconds,
    )


async def test_registration_signs_in_with_verifiable_token(
    sessions: Sessions, keys: KeyRing
) -> None:
    """The access token of a registration verifies against the published keys and names its user."""
    session = await register(sessions)

    user = await AccessTokens(keys.public_keys).verify(session.access_token)

    assert (user.id, user.role) == (session.user.id, "customer")
    assert session.access_expires_in == 900
    assert session.refresh_expires_in == 7 * 86_400
    claims = jwt.decode(session.access_token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 900
    assert claims["jti"]


async def test_a_skewed_clock_dates_access_tokens_and_nothing_else(
    engine: AsyncEngine, passwords: Passwords, keys: KeyRing
) -> None:
    """With the fault `token_skew` an access token is an hour old when made; refresh tokens are not."""
    skewed = Sessions(
        engine,
        passwords,
        keys,
        Accounts(None),
        SessionMetrics(Metrics()),
        skew=lambda: -3600.0,
    )
    session = await register(skewed)

    with pytest.raises(CodedError, match="TOKEN_EXPIRED"):
        await AccessTokens(keys.public_keys).verify(session.access_token)
    assert session.refresh_expires_in == 7 * 86_400
    assert (await refresh(skewed, session)).user == session.user


async def test_registration_enqueues_its_event_with_the_row(
    sessions: Sessions, engine: AsyncEngine
) -> None:
    """`user.registered` stands in the outbox as soon as the user exists, and not otherwise."""
    session = await register(sessions)
    with pytest.raises(CodedError):
        await register(sessions)

    async with engine.connect() as connection:
        rows = (await connection.execute(text("SELECT topic, key, payload FROM outbox"))).all()
    assert [(row.topic, row.key) for row in rows] == [("user-events", str(session.user.id))]
    assert b'"user.registered"' in rows[0].payload


@pytest.mark.parametrize(
    "other",
    ["ANA@EXAMPLE.COM", "Ana@Example.com", "ana@example.com"],
    ids=["upper", "mixed", "same"],
)
async def test_email_is_unique_regardless_of_case(
    sessions: Sessions, engine: AsyncEngine, other: str
) -> None:
    """Two users cannot have addresses that differ in case only; nothing is written for the second."""
    await register(sessions, "ana@example.com")

    with pytest.raises(CodedError) as caught:
        await register(sessions, other)

    assert caught.value.code == codes.EMAIL_TAKEN.name
    assert await count(engine, "users") == 1
    assert await count(engine, "refresh_families") == 1


async def test_email_is_unique_regardless_of_composition(sessions: Sessions) -> None:
    """An address is the same however its accents are composed."""
    await register(sessions, "jos\u00e9@example.com")

    with pytest.raises(CodedError) as caught:
        await register(sessions, "JOSE\u0301@example.com")

    assert caught.value.code == codes.EMAIL_TAKEN.name


async def test_concurrent_registrations_of_one_address(
    sessions: Sessions, engine: AsyncEngine
) -> None:
    """Of many registrations of one address at once exactly one succeeds."""
    outcomes = await asyncio.gather(
        *(register(sessions, f"{'A' * (n % 2)}{'a' * (1 - n % 2)}@example.com") for n in range(8)),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, Session) for outcome in outcomes) == 1
    assert await count(engine, "users") == 1


async def test_login_with_any_case_of_the_address(sessions: Sessions) -> None:
    """Credentials are checked against the address regardless of case."""
    session = await register(sessions)

    again = await sessions.login(CALL, Login(email="ANA@example.COM", password=PASSWORD))

    assert again.user == session.user
    assert again.refresh_token != session.refresh_token


@pytest.mark.parametrize(
    ("email", "password"),
    [("ana@example.com", "wrong password"), ("nobody@example.com", PASSWORD)],
    ids=["wrong password", "unknown user"],
)
async def test_wrong_credentials_look_alike(
    sessions: Sessions, engine: AsyncEngine, email: str, password: str
) -> None:
    """A wrong password and an unknown user get the same error, and no session."""
    await register(sessions)

    with pytest.raises(CodedError) as caught:
        await sessions.login(CALL, Login(email=email, password=password))

    assert caught.value.code == codes.INVALID_CREDENTIALS.name
    assert caught.value.detail == codes.INVALID_CREDENTIALS.error().detail
    assert await count(engine, "refresh_families") == 1


async def test_login_hashes_anew_with_new_parameters(
    sessions: Sessions, engine: AsyncEngine
) -> None:
    """A hash made with other parameters is replaced at the next login, which goes on as usual."""
    old = Passwords(HashingOptions(memory_kib=16, passes=2))
    session = await register(sessions)
    await run_sql(engine, "UPDATE users SET password_hash = :h", h=await old.hash(PASSWORD))
    await old.close()

    again = await sessions.login(CALL, Login(email="ana@example.com", password=PASSWORD))

    assert again.user.version == session.user.version
    assert await count(engine, "users", "password_hash LIKE '%m=8,t=1,p=1%'") == 1
    await sessions.login(CALL, Login(email="ana@example.com", password=PASSWORD))


async def test_inactive_user_cannot_sign_in(sessions: Sessions, engine: AsyncEngine) -> None:
    """A deactivated user gets USER_INACTIVE for right credentials, and no session."""
    await register(sessions)
    await run_sql(engine, "UPDATE users SET active = false")

    with pytest.raises(CodedError) as caught:
        await sessions.login(CALL, Login(email="ana@example.com", password=PASSWORD))

    assert caught.value.code == codes.USER_INACTIVE.name
    assert await count(engine, "refresh_families") == 1


async def test_refresh_carries_the_session_on(sessions: Sessions) -> None:
    """Each refresh gives new tokens of the same session; the newest can be refreshed again."""
    session = await register(sessions)
    sids = set()
    for _ in range(3):
        session = await refresh(sessions, session)
        sids.add(jwt.decode(session.access_token, options={"verify_signature": False})["sid"])
    assert len(sids) == 1
    assert UUID(sids.pop())


async def test_tokens_are_stored_hashed_only(sessions: Sessions, engine: AsyncEngine) -> None:
    """No refresh token stands in the database in plain, and none can be told from what stands there."""
    session = await register(sessions)
    async with engine.connect() as connection:
        rows = (await connection.execute(text("SELECT token_hash FROM refresh_tokens"))).all()
    assert [bytes(row.token_hash) for row in rows] == [families.hash_of(session.refresh_token)]


async def test_lost_answer_can_be_asked_for_again(sessions: Sessions) -> None:
    """Within the window the token just used is answered anew, and the answer works."""
    first = await register(sessions)
    lost = await refresh(sessions, first)

    again = await refresh(sessions, first)
    once_more = await refresh(sessions, first)

    assert len({lost.refresh_token, again.refresh_token, once_more.refresh_token}) == 3
    await refresh(sessions, once_more)


async def test_a_late_request_overtaken_by_its_retry_does_not_end_the_session(
    sessions: Sessions,
) -> None:
    """The answer that the owner got stays good when a first, late request is answered after it."""
    first = await register(sessions)
    held = await refresh(sessions, first)
    await refresh(sessions, first)  # it was sent first, and arrives now

    held = await refresh(sessions, held)
    await refresh(sessions, held)


async def test_the_first_twin_that_is_used_makes_the_other_void(sessions: Sessions) -> None:
    """Whoever presents a twin of a successor that was used shows that two hold tokens: the family ends."""
    for owner_has in (0, 1):
        first = await register(sessions, email=f"ana{owner_has}@example.com")
        twins = [await refresh(sessions, first), await refresh(sessions, first)]
        owner = await refresh(sessions, twins[owner_has])

        assert await refused(sessions, twins[1 - owner_has]) == codes.REFRESH_TOKEN_REUSED.name
        assert await refused(sessions, owner) == codes.REFRESH_TOKEN_INVALID.name


async def test_a_twin_of_an_earlier_generation_ends_the_session(sessions: Sessions) -> None:
    """A void token is good only until its twin is used, however new the session's last token is."""
    first = await register(sessions)
    lost = await refresh(sessions, first)
    held = await refresh(sessions, await refresh(sessions, first))
    await refresh(sessions, held)

    assert await refused(sessions, lost) == codes.REFRESH_TOKEN_REUSED.name


async def test_stolen_token_after_its_successor_was_used(sessions: Sessions) -> None:
    """Once the successor has been used, the old token ends the family, even within the window."""
    stolen = await register(sessions)
    owner = await refresh(sessions, stolen)
    owner = await refresh(sessions, owner)

    assert await refused(sessions, stolen) == codes.REFRESH_TOKEN_REUSED.name
    assert await refused(sessions, owner) == codes.REFRESH_TOKEN_INVALID.name


async def test_used_token_after_the_window(sessions: Sessions, engine: AsyncEngine) -> None:
    """After 30 s a used token ends the family although its successor is unused."""
    first = await register(sessions)
    second = await refresh(sessions, first)
    await age(engine, families.REPLAY_WINDOW.total_seconds() + 0.1)

    assert await refused(sessions, first) == codes.REFRESH_TOKEN_REUSED.name
    assert await refused(sessions, second) == codes.REFRESH_TOKEN_INVALID.name
    assert await count(engine, "refresh_families", "end_reason = 'reuse'") == 1


async def test_window_is_reckoned_from_the_first_use(
    sessions: Sessions, engine: AsyncEngine
) -> None:
    """Asking again does not draw the window out."""
    first = await register(sessions)
    await refresh(sessions, first)
    await age(engine, 20)
    await refresh(sessions, first)
    await age(engine, 20)

    assert await refused(sessions, first) == codes.REFRESH_TOKEN_REUSED.name


async def test_reuse_spares_other_sessions(sessions: Sessions) -> None:
    """A theft ends the session that it happened in and no other."""
    stolen = await register(sessions)
    other = await sessions.login(CALL, Login(email="ana@example.com", password=PASSWORD))
    owner = await refresh(sessions, stolen)
    await refresh(sessions, owner)
    await refused(sessions, stolen)

    await refresh(sessions, other)


async def test_expired_token(sessions: Sessions, engine: AsyncEngine) -> None:
    """After seven days a refresh token is invalid, and that is no theft."""
    session = await register(sessions)
    await age(engine, families.TOKEN_LIFETIME.total_seconds())

    assert await refused(sessions, session) == codes.REFRESH_TOKEN_INVALID.name
    assert await count(engine, "refresh_families", "ended_at IS NULL") == 1


async def test_session_cannot_outlive_its_family(sessions: Sessions, engine: AsyncEngine) -> None:
    """A token made late in a session ends with it."""
    session = await register(sessions)
    await run_sql(
        engine, "UPDATE refresh_families SET created_at = created_at - interval '29 days'"
    )

    late = await refresh(sessions, session)

    assert 0 < late.refresh_expires_in <= 86_400


async def test_concurrent_refreshes_leave_one_live_token(
    sessions: Sessions, engine: AsyncEngine
) -> None:
    """Many refreshes of one token at once are all answered; one is live and works, the others are void."""
    first = await register(sessions)

    answers = await asyncio.gather(*(refresh(sessions, first) for _ in range(8)))

    assert len({answer.refresh_token for answer in answers}) == 8
    assert await count(engine, "refresh_tokens", "state = 'live'") == 1
    assert await count(engine, "refresh_tokens", "state = 'void'") == 7
    async with engine.connect() as connection:
        live = (
            await connection.execute(
                text("SELECT token_hash FROM refresh_tokens WHERE state = 'live'")
            )
        ).scalar_one()
    winner = next(a for a in answers if families.hash_of(a.refresh_token) == bytes(live))
    await refresh(sessions, winner)


async def test_logout_ends_the_session(sessions: Sessions, engine: AsyncEngine) -> None:
    """After a logout, by any token of the session, none of them works; doing it again is harmless."""
    first = await register(sessions)
    second = await refresh(sessions, first)

    await sessions.logout(CALL, Logout(refresh_token=first.refresh_token))
    await sessions.logout(CALL, Logout(refresh_token=first.refresh_token))

    assert await refused(sessions, second) == codes.REFRESH_TOKEN_INVALID.name
    assert await count(engine, "refresh_families", "end_reason = 'logout'") == 1


async def test_logout_of_an_unknown_token(sessions: Sessions, engine: AsyncEngine) -> None:
    """An unknown token is ignored, whatever it contains, and touches no session."""
    await register(sessions)
    await sessions.logout(CALL, Logout(refresh_token="'; DROP TABLE users; --"))
    assert await count(engine, "refresh_families", "ended_at IS NULL") == 1


async def test_deactivated_user_cannot_refresh(sessions: Sessions, engine: AsyncEngine) -> None:
    """An inactive user's token is refused even if its family is still open, and is not used up."""
    session = await register(sessions)
    await run_sql(engine, "UPDATE users SET active = false")
    assert await refused(sessions, session) == codes.USER_INACTIVE.name

    await run_sql(engine, "UPDATE users SET active = true")
    await refresh(sessions, session)


async def test_sessions_per_user_are_bounded(sessions: Sessions, engine: AsyncEngine) -> None:
    """The oldest session ends when there are more than the bound."""
    first = await register(sessions)
    for _ in range(families.FAMILIES_PER_USER):
        last = await sessions.login(CALL, Login(email="ana@example.com", password=PASSWORD))

    assert await refused(sessions, first) == codes.REFRESH_TOKEN_INVALID.name
    await refresh(sessions, last)
    assert await count(engine, "refresh_families", "ended_at IS NULL") == families.FAMILIES_PER_USER
