"""Fault owners and a gateway of a few lines, in a thread: exported experiments are synchronous."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from chaos.roster import FILE, Owner, OwnerKind, Roster, Staff

TOKENS = {"/chaos/faults": "Bearer chaos", "/faults": "Bearer supervisor"}


@dataclass
class Platform:
    """What it was told, and the faults in place by path."""

    faults: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"/chaos/faults": [], "/faults": []}
    )
    begun: list[dict[str, Any]] = field(default_factory=list)
    toxics: dict[str, dict[str, Any]] = field(default_factory=dict)
    enabled: bool = True
    failing: bool = False

    def answer(self, method: str, path: str, token: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and body of an answer."""
        if path == "/graphql":
            return 200, self.graphql(body, token)
        if path.startswith("/proxies/"):
            return self.proxy(method, path, body)
        kind = "/" + "/".join(path.strip("/").split("/")[: 2 if path.startswith("/chaos") else 1])
        if token != TOKENS[kind]:
            return 401, {"code": "UNAUTHENTICATED"}
        return self.owner(method, path, kind, body)

    def owner(self, method: str, path: str, kind: str, body: dict[str, Any]) -> tuple[int, Any]:
        if method == "POST":
            self.begun.append(body)
            self.faults[kind].append({**body, "id": f"f{len(self.begun)}", "met": 7})
            return 201, self.faults[kind][-1]
        if method == "DELETE":
            self.faults[kind] = [one for one in self.faults[kind] if not path.endswith(one["id"])]
        return 200, {"faults": self.faults[kind]}

    def proxy(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if method == "POST":
            self.begun.append(body)
            self.toxics[body["name"]] = body
        elif method == "PATCH":
            self.enabled = body["enabled"]
        elif method == "DELETE":
            del self.toxics[path.rpartition("/")[2]]
            return 204, None
        return 200, {"enabled": self.enabled, "toxics": list(self.toxics.values())}

    def graphql(self, body: dict[str, Any], token: str) -> Any:
        if "login" in body["query"]:
            return {"data": {"login": {"accessToken": "mine"}}}
        if self.failing or token != "Bearer mine":
            return {"data": {"me": None}, "errors": [{"extensions": {"code": "UNAVAILABLE"}}]}
        return {"data": {"me": {"id": "1"}}}


@contextlib.contextmanager
def running(state: Path) -> Iterator[Platform]:
    """A platform whose roster lies in `state`."""
    platform = Platform()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(text) if text else {}
            token = self.headers.get("Authorization", "")
            status, answer = platform.answer(self.command, self.path, token, body)
            told = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        roster = Roster(
            gateway=url,
            supervisor_token="supervisor",
            chaos_token="chaos",
            owners=(
                Owner(kind=OwnerKind.PROCESS, name="users", url=url),
                Owner(kind=OwnerKind.SUPERVISOR, name="supervisor", url=url),
                Owner(kind=OwnerKind.PROXIES, name="proxies", url=url),
            ),
            staff=Staff(email="staff@example.org", password="secret"),
        )
        (state / FILE).write_bytes(msgspec.json.encode(roster))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield platform
        finally:
            server.shutdown()
            thread.join()
