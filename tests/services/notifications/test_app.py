"""The service as a process runs it: from the bus to the history, over HTTP, with real tokens."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import aiohttp
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from baluarte.migrate import migrate
from chassis import codes, logs, messages
from chassis.bus.postgres import PostgresBus
from chassis.client import ServiceClient, open_session
from chassis.context import Call
from chassis.credentials import Credentials, generate_keys
from chassis.errors import CodedError
from chassis.health import Registry
from chassis.policies import Policies
from chassis.settings import SERVICES
from chassis.tokens import AccessTokens
from services.notifications import settings
from services.notifications.app import POLICY_FILE, build
from services.notifications.channels import registry as channels
from services.notifications.contract import (
    LIST_NOTIFICATIONS,
    ListNotifications,
    NotificationPages,
    NotificationStatus,
)
from services.transactions.contract import TransactionSettled, TransactionStatus, TransactionType
from services.users.contract import AccountType, BankingDetailsUpdated, UserRegistered
from tests.asgi import serving
from tests.chassis.signing import Signer
from tests.conftest import CreateDatabase
from tests.services.fuzzing import fuzz
from tests.services.notifications.conftest import event, rows, take_in
from tests.waiting import eventually


@dataclass
class Notifications:
    """The running service and what surrounds it."""

    url: str
    session: aiohttp.ClientSession
    keys_dir: Path
    bus: PostgresBus
    signer: Signer

    async def list(
        self, request: ListNotifications, *, user: UUID | None, role: str = "customer"
    ) -> NotificationPages:
        call = Call.background("gateway")
        token = None if user is None else self.signer.token(user, role)
        call = Call(call.correlation_id, call.deadline, "gateway", user_token=token)
        client = ServiceClient(
            "notifications",
            (self.url,),
            session=self.session,
            credentials=Credentials.load(self.keys_dir, "gateway"),
        )
        return await client.call(call, LIST_NOTIFICATIONS, request)


@asynccontextmanager
async def running(database_url: str, bus_url: str, tmp_path: Path) -> AsyncIterator[Notifications]:
    keys_dir = tmp_path / "keys"
    generate_keys(keys_dir, SERVICES)
    read = settings.read(
        {
            "BALUARTE_ENVIRONMENT": "test",
            "BALUARTE_NOTIFICATIONS_DATABASE_URL": database_url,
            "BALUARTE_STATE_DIR": str(tmp_path),
            "BALUARTE_KEYS_DIR": str(keys_dir),
        }
    )
    registry, signer = Registry(), Signer()
    policies = Policies.open(read.common, POLICY_FILE)
    bus = PostgresBus(bus_url, application_name="notifications-test")
    registry.register("bus", ping=bus.ping, close=bus.close, required=False)
    async with open_session() as session:
        app = build(
            read,
            bus=bus,
            channels=channels.make(read, session, policies),
            tokens=AccessTokens(signer.fetch),
            registry=registry,
            policies=policies,
        )
        async with serving(app) as url:
            yield Notifications(url, session, keys_dir, bus, signer)


@pytest.fixture
async def service(
    database_url: str, create_database: CreateDatabase, tmp_path: Path
) -> AsyncIterator[Notifications]:
    """The service on a real PostgreSQL bus."""
    bus_url = await create_database("bus")
    await migrate(bus_url, "bus")
    async with running(database_url, bus_url, tmp_path) as notifications:
        yield notifications


async def test_from_the_bus_to_the_history(service: Notifications, engine: AsyncEngine) -> None:
    """Published events become delivered notifications that their recipient reads, and are told on."""
    stream = io.StringIO()
    logs.configure("notifications", "INFO", stream)
    ana = uuid4()
    details = BankingDetailsUpdated(
        user_id=ana, agency="9876", account_number="135792468-0", account_type=AccountType.CHECKING
    )
    registered = UserRegistered(user_id=ana, name="Sentinel Name", active=True)
    await service.bus.publish(
        [
            event(registered, messages.USER_REGISTERED, key=ana),
            event(details, messages.USER_BANKING_DETAILS_UPDATED, key=ana, version=2),
        ]
    )

    async def delivered() -> NotificationPages | None:
        answer = await service.list(ListNotifications(user_ids=[ana]), user=ana)
        page = answer.pages[0]
        assert page is not None
        done = [item.status is NotificationStatus.DELIVERED for item in page.notifications]
        return answer if done == [True, True] else None

    answer = await eventually(delivered, timeout=30)
    page = answer.pages[0] if answer else None
    assert page is not None
    assert [item.type for item in page.notifications] == [
        "user.banking-details.updated",
        "user.registered",
    ]
    assert all(item.delivered_at is not None for item in page.notifications)
    await eventually(lambda: relayed(engine), timeout=30)
    written = stream.getvalue()
    assert '"channel":"log"' in written
    for sentinel in ("Sentinel", "135792468", "Welcome", "468-0"):
        assert sentinel not in written


async def relayed(engine: AsyncEngine) -> bool:
    return await rows(engine, "SELECT 1 FROM outbox") == []


async def fill(engine: AsyncEngine, receiver: UUID, number: int) -> None:
    for amount in range(1, number + 1):
        data = TransactionSettled(
            transaction_id=uuid4(),
            type=TransactionType.DEPOSIT,
            status=TransactionStatus.COMPLETED,
            sender_id=None,
            receiver_id=receiver,
            sender_name=None,
            receiver_name=None,
            amount=amount,
            currency="BRL",
            failure_reason=None,
            reverses=None,
        )
        await take_in(engine, event(data, messages.TRANSACTION_COMPLETED))


async def test_pages(service: Notifications, engine: AsyncEngine) -> None:
    """Pages hold the whole history once, newest first."""
    ana = uuid4()
    await fill(engine, ana, 7)
    bodies: list[str] = []
    after: str | None = None
    while True:
        answer = await service.list(
            ListNotifications(user_ids=[ana], first=3, after=after), user=ana
        )
        page = answer.pages[0]
        assert page is not None
        assert len(page.notifications) <= 3
        bodies += [item.body for item in page.notifications]
        after = page.next
        if after is None:
            break
    assert bodies == [f"You deposited R$ 0,0{cents}." for cents in range(7, 0, -1)]


async def test_who_may_read(service: Notifications, engine: AsyncEngine) -> None:
    """A customer reads their own history only; staff read any; the order asked is the order answered."""
    ana, bento, nobody = uuid4(), uuid4(), uuid4()
    await fill(engine, ana, 1)
    await fill(engine, bento, 2)
    asked = ListNotifications(user_ids=[bento, ana, nobody, bento])

    def sizes(answer: NotificationPages) -> list[int | None]:
        return [None if page is None else len(page.notifications) for page in answer.pages]

    assert sizes(await service.list(asked, user=ana)) == [None, 1, None, None]
    assert sizes(await service.list(asked, user=nobody)) == [None, None, 0, None]
    for role in ("support", "admin"):
        assert sizes(await service.list(asked, user=uuid4(), role=role)) == [2, 1, 0, 2]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"userIds": []}, "INVALID_INPUT"),
        ({"userIds": ["' OR 1=1 --"]}, "INVALID_INPUT"),
        ({"userIds": [str(uuid4())] * 101}, "INVALID_INPUT"),
        ({"userIds": [str(uuid4())], "first": 0}, "INVALID_INPUT"),
        ({"userIds": [str(uuid4())], "after": "'; DROP TABLE notifications; --"}, "INVALID_INPUT"),
        ({"userIds": [str(uuid4())], "status": "PENDING"}, "INVALID_INPUT"),
    ],
)
async def test_bad_input(service: Notifications, body: dict[str, object], code: str) -> None:
    """What the contract does not admit is refused by name."""
    credential = Credentials.load(service.keys_dir, "gateway").token_for("notifications")
    headers = {
        "authorization": f"Bearer {credential}",
        "user-authorization": f"Bearer {service.signer.token(uuid4())}",
    }
    target = service.url + LIST_NOTIFICATIONS.path
    async with service.session.post(target, json=body, headers=headers) as response:
        assert response.status == 422
        assert (await response.json(content_type=None))["code"] == code


async def test_credentials_are_needed(service: Notifications) -> None:
    """Without a user, or without a service's credential, nothing is read."""
    with pytest.raises(CodedError) as caught:
        await service.list(ListNotifications(user_ids=[uuid4()]), user=None)
    assert caught.value.code == codes.UNAUTHENTICATED.name
    target = service.url + LIST_NOTIFICATIONS.path
    async with service.session.post(target, json={"userIds": [str(uuid4())]}) as response:
        assert (await response.json(content_type=None))["code"] == "SERVICE_UNAUTHENTICATED"


@pytest.mark.may_block  # Hypothesis holds the interpreter while it makes requests up
async def test_no_made_up_request_breaks_the_service(service: Notifications) -> None:
    """What the OpenAPI document admits, and what it does not, ends in an answer or a code."""
    credentials = Credentials.load(service.keys_dir, "gateway")

    def headers(_: str) -> dict[str, str]:
        return {
            "authorization": f"Bearer {credentials.token_for('notifications')}",
            "user-authorization": f"Bearer {service.signer.token(uuid4(), 'support')}",
        }

    assert await asyncio.to_thread(fuzz, service.url, headers, 25) > 25


async def test_health_and_metrics(service: Notifications) -> None:
    """Readiness names its dependencies; metrics tell of deliveries, the inbox and the outbox."""
    async with service.session.get(f"{service.url}/health/ready") as response:
        assert set((await response.json())["dependencies"]) == {"postgres", "bus"}
    async with service.session.get(f"{service.url}/metrics") as response:
        text = await response.text()
    for name in ("notifications_delivery_attempts_total", "inbox_pending", "outbox_pending"):
        assert name in text
