"""A collector for OTLP over HTTP, in a process of its own: it takes spans, counts them, and keeps none.

`POST /v1/traces` as every collector; `GET /` answers `{spans, bytes}` by the `service.namespace` and name.
"""

import asyncio
import gzip

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

MAX_BODY = 16 * 1024 * 1024
"""Bytes of one batch; the exporters' own are a few hundred thousand."""


class Counting:
    """What came in, in all."""

    def __init__(self) -> None:
        self.spans = 0
        self.bytes = 0

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()  # aiohttp has undone the compression, if the client said so
        self.bytes += len(body)
        message = ExportTraceServiceRequest()
        message.ParseFromString(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        for resource in message.resource_spans:
            self.spans += sum(len(scope.spans) for scope in resource.scope_spans)
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")

    async def tell(self, _: web.Request) -> web.Response:
        return web.json_response({"spans": self.spans, "bytes": self.bytes})


async def serve() -> None:
    """Print the address, and serve until told to stop."""
    counting = Counting()
    app = web.Application(client_max_size=MAX_BODY)
    app.add_routes([web.post("/v1/traces", counting.take), web.get("/", counting.tell)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
