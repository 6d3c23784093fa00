"""Run the fault proxy on its own.

    python -m chaos.proxy --port 8474 --config proxies.json

The file is an array as `POST /populate` takes it. Exit codes: 0 stopped, 2 could not start.
"""

import asyncio
import logging
import secrets
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from chaos.proxy.edge import Options
from chaos.proxy.errors import ApiError
from chaos.proxy.limits import MAX_LEASE_SECONDS, Limits
from chaos.proxy.messages import NewProxy, read
from chaos.proxy.serve import DEFAULT_PORT, serving

DESCRIPTORS = 2 * Limits().connections * 4
"""Open files asked of the system, where the hard limit allows: four proxies full of connections."""


@click.command()
@click.option(
    "--port", default=DEFAULT_PORT, show_default=True, help="Of the API; 0: any free one."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Of the API.")
@click.option(
    "--config", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Proxies, JSON."
)
@click.option("--seed", type=int, help="Of all chance; drawn and printed when not given.")
@click.option(
    "--default-lease",
    type=click.FloatRange(0, MAX_LEASE_SECONDS, min_open=True),
    help="Seconds after which a fault without a lease ends.  [never]",
)
@click.option("--allow-remote", is_flag=True, help="Listen on other than loopback addresses.")
def main(
    port: int,
    host: str,
    config: Path | None,
    seed: int | None,
    default_lease: float | None,
    allow_remote: bool,
) -> None:
    """Serve Toxiproxy's API, and the proxies that it makes."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    seed = secrets.randbits(32) if seed is None else seed
    options = Options(seed=seed, allow_remote=allow_remote, default_lease=default_lease)
    _raise_descriptors()
    try:
        proxies = read(config.read_bytes(), list[NewProxy]) if config else []
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(_run(proxies, host, port, options))
    except ApiError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)


async def _run(proxies: Sequence[NewProxy], host: str, port: int, options: Options) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with serving(proxies, host=host, port=port, options=options) as server:
        click.echo(f"fault proxy on {server.url}, seed {options.seed}")
        for edge in server.proxies:
            click.echo(f"  {edge.name}: {edge.listen} → {edge.upstream}")
        await stopped.wait()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # not on this platform; the standard loop serves too
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _raise_descriptors() -> None:
    """A connection takes two descriptors, and shells often allow no more than 1,024."""
    try:
        import resource
    except ImportError:  # not on this platform
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main()
