"""The line to one owner: small requests with a bound, and errors with codes."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final, TypeVar

import aiohttp
import msgspec

from chaos.owners.owner import Code, OwnerError

ANSWER_SECONDS: Final = 3.0
"""For one answer, from connecting to its last byte: owners are on this machine."""

MAX_BYTES: Final = 4 * 1024 * 1024
"""Of one answer: all proxies with all the toxics they take."""

_SHOWN: Final = 300  # characters of an answer that nobody understands
_NOT_FOUND: Final = 404

T = TypeVar("T")


class Line:
    """Requests to the owner at `url`.

    Args:
        name: of the owner, for errors.
        token: its bearer token; empty for none.
        seconds: for one answer.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        name: str,
        url: str,
        token: str = "",
        seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.name = name
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._seconds = seconds

    async def ask(self, method: str, path: str, kind: type[T], body: object = None) -> T:
        """The answer, as a `kind`; None as the kind for no content. Raises OwnerError."""
        status, text = await self._exchange(method, path, body)
        if status >= 400:
            raise self._refusal(status, text)
        try:
            return msgspec.json.decode(text or b"null", type=kind)
        except msgspec.MsgspecError as error:
            raise self._silent(f"its answer cannot be understood: {error}") from error

    async def find(self, method: str, path: str, kind: type[T], body: object = None) -> T | None:
        """As `ask`; None where there is no such thing (404). Raises OwnerError."""
        try:
            return await self.ask(method, path, kind, body)
        except _NotFound:
            return None

    async def _exchange(self, method: str, path: str, body: object) -> tuple[int, bytes]:
        data = None if body is None else msgspec.json.encode(body)
        headers = self._headers | ({} if data is None else {"Content-Type": "application/json"})
        try:
            async with self._session.request(
                method, self._url + path, data=data, headers=headers, timeout=self._timeout
            ) as answer:
                text = bytearray()
                async for piece in answer.content.iter_any():
                    text += piece
                    if len(text) > MAX_BYTES:
                        raise self._silent(f"its answer is over {MAX_BYTES} bytes")
                return answer.status, bytes(text)
        except TimeoutError as error:
            raise self._silent(f"no answer within {self._seconds:g} s") from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, ConnectionRefusedError):
                raise OwnerError(Code.GONE, self.name, f"nobody listens on {self._url}") from error
            raise self._silent(str(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._silent(f"{type(error).__name__} {error}".rstrip()) from error

    def _refusal(self, status: int, text: bytes) -> OwnerError:
        said, refusal = _reason(text)
        kind = _NotFound if status == _NOT_FOUND else OwnerError
        return kind(Code.REFUSED, self.name, f"{said} ({status})", refusal)

    def _silent(self, said: str) -> OwnerError:
        return OwnerError(Code.SILENT, self.name, said)


class _NotFound(OwnerError):
    """There is no such thing."""


class _Problem(msgspec.Struct):
    """A refusal: a problem document's members, or Toxiproxy's `error`."""

    code: str = ""
    detail: str = ""
    error: str = ""


def _reason(text: bytes) -> tuple[str, str]:
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
        problem = msgspec.json.decode(text, type=_Problem)
        if problem.detail or problem.error:
            return problem.detail or problem.error, problem.code
    return text[:_SHOWN].decode(errors="replace").strip() or "without a word", ""


@contextlib.asynccontextmanager
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session for lines. Nothing goes through a proxy of the environment's, and none is kept open.

    A kept connection to a process that was paused or killed since would be found dead only when used.
    """
    connector = aiohttp.TCPConnector(limit=0, force_close=True)  # as many as there are owners
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as opened:
        yield opened


Json = dict[str, Any]
