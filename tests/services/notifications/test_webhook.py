"""The webhook against a real HTTP server: signature, idempotency, refusals, hangs."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis.client import open_session
from chassis.settings import Secret
from services.notifications.channels import webhook
from services.notifications.channels.port import DeliveryFailed, Letter
from services.notifications.channels.webhook import WebhookChannel, sign
from tests.asgi import serving

SECRET = Secret("a shared secret of some length")
LETTER = Letter(
    id=uuid4(),
    user_id=uuid4(),
    type="transaction.completed",
    title="Transfer received",
    body="You received R$ 10,00 from João.",
    transaction_id=uuid4(),
    created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    correlation_id="0123456789abcdef",
)


class Receiver:
    """Takes posts as told and notes them."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        self.headers: dict[str, str] = {}
        self.release = asyncio.Event()
        self.release.set()

    async def take(self, request: Request) -> Response:
        self.posts.append((dict(request.headers), await request.body()))
        await self.release.wait()
        return Response(status_code=self.status, headers=self.headers)


@pytest.fixture
async def receiver() -> Receiver:
    """A receiver that takes everything, unless told otherwise."""
    return Receiver()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """The process' HTTP session."""
    async with open_session() as session:
        yield session


@pytest.fixture
async def channel(
    receiver: Receiver, session: aiohttp.ClientSession
) -> AsyncIterator[WebhookChannel]:
    """The channel that posts to it."""
    app = Starlette(routes=[Route("/hook", receiver.take, methods=["POST"])])
    async with serving(app) as url:
        yield WebhookChannel(f"{url}/hook", SECRET, session, now=lambda: 1_700_000_000.9)
        receiver.release.set()


async def failure(channel: WebhookChannel) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        await channel.deliver(LETTER)
    return caught.value


async def test_post_is_signed(channel: WebhookChannel, receiver: Receiver) -> None:
    """The receiver can check who posted what and when, and drop what it has seen."""
    await channel.deliver(LETTER)
    await channel.deliver(LETTER)

    headers, body = receiver.posts[0]
    digest = hmac.new(SECRET.reveal().encode(), b"1700000000." + body, hashlib.sha256).hexdigest()
    assert headers["baluarte-signature"] == f"t=1700000000,v1={digest}"
    assert headers["content-type"] == "application/json"
    assert headers["x-correlation-id"] == LETTER.correlation_id
    assert [post[0]["idempotency-key"] for post in receiver.posts] == [str(LETTER.id)] * 2
    told = json.loads(body)
    assert UUID(told["userId"]) == LETTER.user_id
    assert told["body"] == LETTER.body
    assert set(told) == {"id", "userId", "type", "title", "body", "transactionId", "createdAt"}


def test_signature_depends_on_everything() -> None:
    """Another secret, time or body gives another signature."""
    signatures = {
        sign(secret, at, body)
        for secret in (SECRET, Secret("another secret of some length"))
        for at in (1, 2)
        for body in (b"a", b"b")
    }
    assert len(signatures) == 8


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404, 408, 425, 429, 500, 503])
async def test_tried_again(channel: WebhookChannel, receiver: Receiver, status: int) -> None:
    """What may be mended on the other side is no refusal for good; redirects are not followed."""
    receiver.status, receiver.headers = status, {"location": "/elsewhere"}
    failed = await failure(channel)
    assert (failed.reason, failed.permanent) == (f"HTTP_{status}", False)
    assert len(receiver.posts) == 1


@pytest.mark.parametrize("status", [400, 410, 413, 415, 422])
async def test_refused_for_good(channel: WebhookChannel, receiver: Receiver, status: int) -> None:
    """What the receiver will never take is given up at once."""
    receiver.status = status
    assert (await failure(channel)).permanent


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("999999", webhook.LONGEST_WAIT), ("-1", 0), ("soon", 0), ("1" * 50, 0)],
)
async def test_retry_after(
    channel: WebhookChannel, receiver: Receiver, header: str, seconds: float
) -> None:
    """A wish to wait is followed within bounds, and nonsense is not."""
    receiver.status, receiver.headers = 503, {"retry-after": header}
    assert (await failure(channel)).after == seconds


async def test_hanging_receiver(
    channel: WebhookChannel, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that never answers costs a bounded time and is asked again later."""
    monkeypatch.setattr(webhook, "TIMEOUT", 0.2)
    receiver.release.clear()
    failed = await failure(channel)
    assert (failed.reason, failed.permanent) == ("TIMEOUT", False)


async def test_no_receiver(session: aiohttp.ClientSession) -> None:
    """A refused connection is one failed attempt."""
    channel = WebhookChannel("http://127.0.0.1:1/hook", SECRET, session)
    assert (await failure(channel)).reason == "CONNECTION"
