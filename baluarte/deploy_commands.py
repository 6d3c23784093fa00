"""Commands that set a deployment up, one after the other: `secrets`, `migrate`, `demo`.

compose.yaml runs them as containers that end; each may be run again at any time.
"""

import asyncio
import os
from pathlib import Path

import click

from baluarte.errors import BaluarteError
from baluarte.terminal import readable_errors


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--postgres", metavar="HOST:PORT", default="postgres:5432", show_default=True)
@click.option("--valkey", metavar="HOST:PORT", default="valkey:6379", show_default=True)
@click.option("--rabbitmq", metavar="HOST:PORT", default="rabbitmq:5672", show_default=True)
@click.option("--renew", is_flag=True, help="Make passwords and keys anew where data allow it.")
def secrets(folder: Path, postgres: str, valkey: str, rabbitmq: str, *, renew: bool) -> None:
    """Make the secrets of a deployment in FOLDER, in a folder for each process that reads them.

    What is there is kept. --renew replaces all but the passwords of PostgreSQL's superuser and of
    Grafana and the secret of the signing keys; start everything anew after it.
    """
    from baluarte.handout import READERS, Addresses, hand_out

    with readable_errors():
        try:
            hand_out(folder, Addresses(postgres, valkey, rabbitmq), renew=renew)
        except OSError as error:
            raise BaluarteError.of(
                "SECRETS_UNWRITABLE",
                f"cannot write in {folder}: {error.strerror} ({error.filename})",
                "name a folder that this user may write in; volumes belong to user 10001",
            ) from error
    click.echo(f"{folder} has the secrets of {', '.join(READERS)}")


@click.command()
@click.option(
    "--provision",
    is_flag=True,
    help="First create the role and the database that each service's URL names.",
)
def migrate(*, provision: bool) -> None:
    """Create and migrate the databases that the environment names, without starting anything.

    BALUARTE_DATABASE_URL is a server whose role may create databases;
    BALUARTE_<SERVICE>_DATABASE_URL names a service's own. The bus has no database when
    BALUARTE_AMQP_URL is set. With --provision, BALUARTE_DATABASE_URL is a superuser's, and only the
    databases that have a URL of their own are made and migrated, each by the role that owns it.
    """
    from baluarte import migrate as migrations
    from baluarte import provision as roles

    with readable_errors():
        services = migrations.wanted(os.environ)
        if provision:
            tenants = asyncio.run(roles.provision(os.environ))
            services = tuple(tenant.service for tenant in tenants)
        done = asyncio.run(migrations.migrate_all(os.environ, services))
    for service, outcome in done.items():
        click.echo(migrations.describe(service, outcome))


@click.command()
def demo() -> None:
    """Load the demonstration data into services that run, over their API.

    BALUARTE_<SERVICE>_URLS says where they are, BALUARTE_KEYS_DIR where the key `baluarte.pem` is.
    What is there is kept; in production nothing is loaded.
    """
    from baluarte import demo as loader
    from baluarte.demo_data import invitation

    with readable_errors():
        loaded = loader.load_as_told(os.environ)
    url = "http://127.0.0.1:8000"
    click.echo(invitation(url) if loaded else "no demonstration data in production")
