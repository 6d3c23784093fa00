"""What presenting a refresh token means: a model of many clients and thieves, and the pure verdicts."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.context import Call
from chassis.database import create_engine
from chassis.errors import CodedError
from chassis.metrics import Metrics
from services.users import families
from services.users.accounts import Accounts
from services.users.contract import Logout, Refresh, Register
from services.users.families import PresentedToken, TokenState, Verdict, judge
from services.users.keys import KeyRing
from services.users.passwords import Passwords
from services.users.sealing import Seal
from services.users.sessions import SessionMetrics, Sessions
from tests.services.users.conftest import SECRET, one_key
from tests.services.users.running import CHEAP

NOW = datetime(2026, 1, 1, tzinfo=UTC)
T = TypeVar("T")


def token(
    state: TokenState,
    *,
    used: float | None = None,
    successor: TokenState | None = None,
    ended: bool = False,
    expires: float = 60,
    twin_unused: bool = False,
) -> PresentedToken:
    return PresentedToken(
        state=state,
        expires_at=NOW + timedelta(seconds=expires),
        used_at=None if used is None else NOW - timedelta(seconds=used),
        successor_state=successor,
        family_ended=ended,
        twin_unused=twin_unused,
    )


@pytest.mark.parametrize(
    ("presented", "verdict"),
    [
        (token(TokenState.LIVE), Verdict.ROTATE),
        (token(TokenState.LIVE, expires=0), Verdict.INVALID),
        (token(TokenState.LIVE, ended=True), Verdict.INVALID),
        (token(TokenState.VOID), Verdict.REUSED),
        (token(TokenState.VOID, ended=True), Verdict.INVALID),
        (token(TokenState.VOID, twin_unused=True), Verdict.ROTATE),
        (token(TokenState.VOID, twin_unused=True, ended=True), Verdict.INVALID),
        (token(TokenState.VOID, twin_unused=True, expires=0), Verdict.INVALID),
        (token(TokenState.USED, used=0, successor=TokenState.LIVE), Verdict.REPLACE),
        (token(TokenState.USED, used=30, successor=TokenState.LIVE), Verdict.REPLACE),
        (token(TokenState.USED, used=30.001, successor=TokenState.LIVE), Verdict.REUSED),
        (token(TokenState.USED, used=1, successor=TokenState.USED), Verdict.REUSED),
        (token(TokenState.USED, used=1, successor=TokenState.VOID), Verdict.REUSED),
        (token(TokenState.USED, used=1, successor=None), Verdict.REUSED),
        (token(TokenState.USED, used=1, successor=TokenState.LIVE, ended=True), Verdict.INVALID),
        (token(TokenState.USED, used=99, successor=TokenState.USED, expires=-1), Verdict.INVALID),
    ],
)
def test_verdicts(presented: PresentedToken, verdict: Verdict) -> None:
    """Every state of a token has one meaning, at the edges of the window too."""
    assert judge(presented, NOW) is verdict


def test_tokens_are_recognisable_and_unguessable() -> None:
    """Each token begins with the prefix and differs from every other."""
    made = {families.new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(item.startswith("brt_") and len(item) >= 4 + 43 for item in made)


@dataclass
class ModelToken:
    """A token as the model sees it."""

    text: str
    state: TokenState = TokenState.LIVE
    used_at: float = 0.0
    successor: "ModelToken | None" = None
    parent: "ModelToken | None" = None


@dataclass
class ModelFamily:
    """All tokens of a session; `ended` when any of them proved a theft or signed out."""

    ended: bool = False
    tokens: list[ModelToken] = field(default_factory=list)


@dataclass(frozen=True)
class Held:
    """Somebody holds this token: the owner, or whoever copied it."""

    family: ModelFamily
    token: ModelToken


class FamilyMachine(RuleBasedStateMachine):
    """Owners and thieves present tokens in any order; the service agrees with the model at every step."""

    loop: asyncio.AbstractEventLoop
    engine: AsyncEngine
    sessions: Sessions
    number = 0

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.families: list[ModelFamily] = []
        self.time = 0.0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    @rule(target=held)
    def sign_in(self) -> Held:
        type(self).number += 1
        request = Register(
            email=f"user{self.number}@example.com", password="correct horse", name="Ana"
        )
        session = self.run(self.sessions.register(Call.background("gateway"), request))
        family = ModelFamily(tokens=[ModelToken(session.refresh_token)])
        self.families.append(family)
        return Held(family, family.tokens[0])

    @rule(target=held, copy=held)
    def steal(self, copy: Held) -> Held:
        return copy

    # Ten seconds clear of the window's end: a slow machine adds some of its own.
    @rule(seconds=st.sampled_from([10, 20, 40]))
    def time_passes(self, seconds: int) -> None:
        """Everything that happened moves into the past, which is what a clock does."""
        self.time += seconds

        async def age() -> None:
            async with self.engine.begin() as connection:
                await connection.execute(
                    text(
                        "UPDATE refresh_tokens SET used_at = used_at - make_interval(secs => :s),"
                        " created_at = created_at - make_interval(secs => :s)"
                    ),
                    {"s": seconds},
                )

        self.run(age())

    @rule(target=held, shown=held)
    def present(self, shown: Held) -> Any:
        expected = self.expect(shown)
        try:
            session = self.run(
                self.sessions.refresh(
                    Call.background("gateway"), Refresh(refresh_token=shown.token.text)
                )
            )
        except CodedError as error:
            assert expected is None or isinstance(expected, str)
            assert error.code == expected
            return multiple()
        assert expected is True
        fresh = ModelToken(session.refresh_token, parent=shown.token)
        shown.token.successor = fresh
        shown.family.tokens.append(fresh)
        return Held(shown.family, fresh)

    @rule(shown=consumes(held))
    def sign_out(self, shown: Held) -> None:
        self.run(
            self.sessions.logout(Call.background("gateway"), Logout(refresh_token=shown.token.text))
        )
        shown.family.ended = True

    def expect(self, shown: Held) -> bool | str:
        """What the rules say, and the model's own step."""
        presented, family = shown.token, shown.family
        if family.ended:
            return "REFRESH_TOKEN_INVALID"
        if presented.state is TokenState.LIVE:
            presented.state, presented.used_at = TokenState.USED, self.time
            return True
        twins = [item for item in family.tokens if item.parent is presented.parent]
        live = next((item for item in twins if item.state is TokenState.LIVE), None)
        if presented.state is TokenState.VOID and live is not None:
            presented.state, presented.used_at = TokenState.USED, self.time
            live.state = TokenState.VOID
            return True
        successor = presented.successor
        lost = presented.state is TokenState.USED and self.time - presented.used_at < 30
        if lost and successor is not None and successor.state is TokenState.LIVE:
            successor.state = TokenState.VOID
            return True
        family.ended = True
        return "REFRESH_TOKEN_REUSED"

    @invariant()
    def at_most_one_live_token_a_family(self) -> None:
        for family in self.families:
            live = [item for item in family.tokens if item.state is TokenState.LIVE]
            assert len(live) <= 1

    @invariant()
    def stored_states_are_the_model_s(self) -> None:
        async def stored() -> dict[bytes, tuple[str, bool]]:
            async with self.engine.connect() as connection:
                rows = await connection.execute(
                    text(
                        "SELECT t.token_hash, t.state, f.ended_at IS NOT NULL AS ended"
                        " FROM refresh_tokens t JOIN refresh_families f ON f.id = t.family_id"
                    )
                )
                return {bytes(row.token_hash): (row.state, row.ended) for row in rows}

        found = self.run(stored()) if self.families else {}
        for family in self.families:
            for item in family.tokens:
                assert found[families.hash_of(item.text)] == (item.state.value, family.ended)


async def test_families_follow_their_model(database_url: str) -> None:
    """Whatever owners and thieves do: one live token at most, reuse ends the family, lost answers do not."""
    engine = create_engine(database_url, application_name="families-test")
    passwords = Passwords(CHEAP)
    keys = KeyRing(engine, Seal(SECRET), source=one_key)
    sessions = Sessions(engine, passwords, keys, Accounts(None), SessionMetrics(Metrics()))

    class Machine(FamilyMachine):
        pass

    Machine.loop, Machine.engine, Machine.sessions = asyncio.get_running_loop(), engine, sessions
    profile = settings(
        max_examples=12,
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    try:
        await asyncio.to_thread(run_state_machine_as_test, Machine, settings=profile)
    finally:
        await passwords.close()
        await engine.dispose()
