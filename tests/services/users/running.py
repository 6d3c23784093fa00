"""The users service on a port, with clients that speak for the gateway, the operator and others."""

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.bus.port import QueueStats
from chassis.client import ServiceClient, open_session
from chassis.context import Call
from chassis.contract import Operation
from chassis.credentials import Credentials, generate_keys
from chassis.database import create_engine
from chassis.health import Registry
from chassis.messages import Event
from chassis.settings import SERVICES
from services.users import contract, settings
from services.users.app import build
from services.users.contract import (
    LOGIN,
    REGISTER,
    SEED_USER,
    Login,
    Register,
    Role,
    SeedUser,
    Session,
)
from services.users.keys import KeySource
from services.users.passwords import HashingOptions
from tests.asgi import serving

PASSWORD = "correct horse battery"
CHEAP = HashingOptions(memory_kib=8, passes=1, max_waiting=64)


class NotedBus:
    """A bus that notes what is published, and can be away."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def publish(self, events: Sequence[Event]) -> None:
        self.events.extend(events)

    async def queue_stats(self) -> Sequence[QueueStats]:
        return []

    async def ping(self) -> None: ...

    async def close(self) -> None: ...

    def types_of(self, user_id: UUID) -> list[str]:
        return [event.type for event in self.events if event.key == str(user_id)]


@dataclass
class Users:
    """The running service."""

    url: str
    session: aiohttp.ClientSession
    keys_dir: Path
    engine: AsyncEngine
    bus: NotedBus = field(default_factory=NotedBus)

    def client(self, caller: str = "gateway") -> ServiceClient:
        return ServiceClient(
            contract.SERVICE,
            (self.url,),
            session=self.session,
            credentials=Credentials.load(self.keys_dir, caller),
        )

    async def call(
        self,
        operation: Operation[Any, Any],
        request: Any,
        *,
        token: str | None = None,
        caller: str = "gateway",
    ) -> Any:
        call = Call.background(caller)
        if token is not None:
            call = Call(call.correlation_id, call.deadline, caller, user_token=token)
        return await self.client(caller).call(call, operation, request)

    async def register(self, email: str = "ana@example.com", name: str = "Ana") -> Session:
        request = Register(email=email, password=PASSWORD, name=name)
        session: Session = await self.call(REGISTER, request)
        return session

    async def staff(self, role: Role) -> Session:
        """A signed-in support or admin, made as the operator makes them."""
        email = f"{role.value}@bank.example"
        request = SeedUser(email=email, password=PASSWORD, name=role.value.title(), role=role)
        await self.call(SEED_USER, request, caller="baluarte")
        session: Session = await self.call(LOGIN, Login(email=email, password=PASSWORD))
        return session


async def post(
    users: Users,
    operation: Operation[Any, Any],
    body: bytes,
    *,
    token: str | None = None,
    headers: dict[str, str] | None = None,
    caller: str | None = "gateway",
) -> tuple[int, dict[str, Any]]:
    """Status and answer of a request as it is on the wire, which a client of ours would translate."""
    sent = {"content-type": "application/json"}
    if caller is not None:
        credential = Credentials.load(users.keys_dir, caller).token_for("users")
        sent["authorization"] = f"Bearer {credential}"
    if token is not None:
        sent["user-authorization"] = f"Bearer {token}"
    sent.update(headers or {})
    # A session that waits for a busy machine, where a client of ours would give up.
    async with (
        aiohttp.ClientSession() as session,
        session.post(users.url + operation.path, data=io.BytesIO(body), headers=sent) as response,
    ):
        return response.status, await response.json(content_type=None)


@asynccontextmanager
async def running_users(
    database_url: str,
    tmp_path: Path,
    key_source: KeySource,
    *,
    redis: Redis | None = None,
    ledger_url: str | None = None,
) -> AsyncIterator[Users]:
    """The service as `compose` builds it, but for the bus, quick hashing and a ready-made RSA key."""
    keys_dir, bus = tmp_path / "keys", NotedBus()
    generate_keys(keys_dir, (*SERVICES, "baluarte"))
    environ = {
        "BALUARTE_ENVIRONMENT": "test",
        "BALUARTE_USERS_DATABASE_URL": database_url,
        "BALUARTE_STATE_DIR": str(tmp_path),
        "BALUARTE_KEYS_DIR": str(keys_dir),
    }
    read = settings.read(environ)
    cheap = settings.UsersSettings(read.common, read.signing_secret, hashing=CHEAP)
    engine = create_engine(database_url, application_name="users-test")
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session())
        stack.push_async_callback(engine.dispose)
        ledger = None
        if ledger_url is not None:
            credentials = Credentials.load(keys_dir, contract.SERVICE)
            ledger = ServiceClient(
                "ledger", (ledger_url,), session=session, credentials=credentials
            )
        app = build(
            cheap,
            bus=bus,  # type: ignore[arg-type]
            ledger=ledger,
            redis=redis,
            registry=Registry(),
            key_source=key_source,
        )
        async with serving(app) as url:
            yield Users(url, session, keys_dir, engine, bus)
