"""`baluarte console`: the way into the console, as a link that works once."""

import json
import urllib.request
import webbrowser
from pathlib import Path

import click

from baluarte.console.access import TICKET_SECONDS, token_of
from baluarte.console.names import HEADER, PREFIX
from baluarte.errors import BaluarteError
from baluarte.supervisor import occupancy
from baluarte.terminal import readable_errors, state_directory

_SECONDS = 5.0


@click.command()
@state_directory
@click.option("--open", "open_it", is_flag=True, help="Open it in this machine's browser.")
@click.option("--token", "only_token", is_flag=True, help="Print the token instead, to be pasted.")
def console(state_dir: Path, *, open_it: bool, only_token: bool) -> None:
    """Print a link that signs in to the console of the running platform, once.

    The link is good for two minutes. Whoever has it looks at everything the console shows, and stops faults.
    """
    with readable_errors():
        state = state_dir.absolute()
        address, token = occupancy.address(state), _token(state)
        link = token if only_token else link_of(address.url, token)
    click.echo(link)
    if not only_token:
        click.echo(f"It signs in once, within {TICKET_SECONDS:.0f} s.", err=True)
    if open_it and not only_token and not webbrowser.open(link):
        click.echo("no browser was found here; open the link by hand", err=True)


def _token(state: Path) -> str:
    try:
        return token_of(state)
    except OSError:
        raise BaluarteError.of(
            "CONSOLE_OFF",
            "this platform has no console: it runs with production's settings, or BALUARTE_CONSOLE is off",
            "use Grafana there; else unset BALUARTE_CONSOLE and start again",
        ) from None


def link_of(url: str, token: str) -> str:
    """A new link into the console at the supervisor's `url`.

    The ticket is in the fragment, which browsers keep to themselves: no log and no Referer ever has it.
    Raises `BaluarteError` SUPERVISOR_SILENT.
    """
    headers = {"Authorization": f"Bearer {token}", HEADER: "1"}
    request = urllib.request.Request(f"{url}{PREFIX}/tickets", b"", headers)  # noqa: S310 - our own
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=_SECONDS) as answer:
            ticket = json.load(answer)["ticket"]
    except (OSError, ValueError, KeyError) as error:
        raise BaluarteError.of(
            "SUPERVISOR_SILENT",
            f"the supervisor does not let us in at {url}: {error}",
            "it may be starting or ending; look at `baluarte logs supervisor`",
        ) from error
    return f"{url}{PREFIX}#ticket={ticket}"
