"""One process: read settings, compose the app, serve it until told to stop, leave in order.

On SIGTERM or SIGINT the server stops accepting, lets requests in flight finish for up to 3 s, then the
app's lifespan stops the workers and closes the dependencies.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import uvicorn
from starlette.applications import Starlette

from chassis import logs, tracing
from chassis.faults.point import IN_STATE
from chassis.settings import Settings, SettingsError

DRAIN_SECONDS = 3
"""Time for requests in flight after the server stopped accepting."""

BACKLOG = 1_024
"""Connections that wait to be accepted."""

CONCURRENCY = 2_000
"""Connections and requests at once; more are refused with 503 before they cost memory."""

BAD_SETTINGS = 2
"""Exit code when the settings are wrong: restarting will not help."""

EDGE = "gateway"
"""The process whose callers are not ours."""

Compose = Callable[[Mapping[str, str]], Awaitable[tuple[Starlette, Settings]]]


def run(service: str, compose: Compose) -> None:
    """Serve what `compose` builds from the environment, and exit the process when it is over."""
    logs.configure(service, _level(os.environ))
    log = logs.get("server")
    try:
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(_serve(compose, os.environ))
    except SettingsError as error:
        print(  # noqa: T201 - for the operator's terminal, beside the log line
            f"baluarte: the {service} process cannot start:\n{error}", file=sys.stderr
        )
        log.error("settings are wrong", count=len(error.problems))
        sys.exit(BAD_SETTINGS)
    except KeyboardInterrupt:
        return


def _level(environ: Mapping[str, str]) -> str:
    level = environ.get("BALUARTE_LOG_LEVEL", "INFO").upper()
    return level if level in {"DEBUG", "INFO", "WARNING", "ERROR"} else "INFO"


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # not on this platform; the standard loop serves too
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def _serve(compose: Compose, environ: Mapping[str, str]) -> None:
    app, settings = await compose(environ)
    log = logs.get("server")
    log.info(
        "starting",
        host=settings.host,
        port=settings.port,
        pid=os.getpid(),
        environment=settings.environment.value,
    )
    tracer = _traced(settings)
    try:
        await uvicorn.Server(server_config(app, settings.host, settings.port)).serve()
    finally:
        if tracer is not None:
            await tracer.close()
    log.info("stopped", pid=os.getpid())


def _traced(settings: Settings) -> tracing.Tracing | None:
    if settings.otlp_url is None:
        return None
    return tracing.configure(
        settings.service,
        tracing.otlp(settings.otlp_url),
        sample=settings.trace_sample,
        # Anybody calls the gateway, and could have every request recorded.
        trust_callers=settings.service != EDGE,
    )


def _http(app: Starlette) -> type[asyncio.Protocol] | Literal["httptools"]:
    """With a fault point, a server whose connections can be broken on purpose."""
    if not hasattr(app.state, IN_STATE):
        return "httptools"
    from chassis.faults.abortable import AbortableHttp

    return AbortableHttp


def server_config(app: Starlette, host: str, port: int) -> uvicorn.Config:
    """How every process serves; tests use it too, so that they meet the same server."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="none",
        http=_http(app),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who is trusted to name a client is a setting of the gateway's own
        backlog=BACKLOG,
        limit_concurrency=CONCURRENCY,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
