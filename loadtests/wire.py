"""One HTTP request, once: no retry, no redirect, a limit on the whole of it, and how it ended."""

from collections.abc import Mapping
from typing import Any, Final

import gevent
import msgspec
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError
from geventhttpclient.useragent import ConnectionError as AgentError
from geventhttpclient.useragent import UserAgent

from chaos.history.answers import Replied, Reply, Unanswered
from loadtests.documents import Query
from loadtests.limits import CLIENT_SECONDS

_EVERY_STATUS: Final = frozenset(range(100, 600))
_LOST: Final = (gevent.Timeout, AgentError, HTTPConnectionClosed, HTTPParseError, OSError)


class Wire:
    """Sends one user's requests to the gateway.

    Args:
        agent: of Locust's session. It must not retry; POST is not repeated by it in any case.
        url: the GraphQL endpoint.
        headers: sent with every request, such as the user's address.
    """

    def __init__(self, agent: UserAgent, url: str, headers: Mapping[str, str]) -> None:
        # What an error says is what we want to read. (Typed as a class variable, read as an attribute.)
        setattr(agent, "valid_response_codes", _EVERY_STATUS)  # noqa: B010
        agent.cookiejar = None  # the gateway sets none, and a jar costs time
        self._agent = agent
        self._url = url
        self._headers = {"Content-Type": "application/json", **headers}

    def post(self, query: Query, variables: Mapping[str, Any], token: str = "") -> Reply:
        """Send a document and wait for its answer. Raises nothing for a failure of the platform."""
        content = msgspec.json.encode({"query": query.document, "variables": variables})
        headers = {**self._headers, "Authorization": f"Bearer {token}"} if token else self._headers
        try:
            with gevent.Timeout(CLIENT_SECONDS):
                answer = self._agent.urlopen(
                    self._url, method="POST", headers=headers, payload=content
                )
                return Replied(answer.status_code, bytes(answer.content))
        except ConnectionRefusedError as error:
            return Unanswered(f"{type(error).__name__}: {error}", sent=False)
        except _LOST as error:
            # What the agent wraps in its own words is more telling than they are.
            cause = getattr(error, "original", None) or error
            return Unanswered(f"{type(cause).__name__}: {cause}")
