"""The roster of a platform: who may read it, and what stands in it."""

import stat
from pathlib import Path
from urllib.parse import urlsplit

from baluarte.demo_data import PASSWORD
from baluarte.supervisor import rosters
from baluarte.supervisor.blueprint import draw
from baluarte.supervisor.occupancy import Address
from baluarte.supervisor.plan import Options, make_plan
from baluarte.supervisor.rosters import Secrets
from chaos.roster import OwnerKind, Roster, read

SECRETS = Secrets("the-chaos-token", "the-auditor")


def roster_for(state: Path, environ: dict[str, str] | None = None) -> Roster:
    options = Options(state, replicas={"users": 2}, chaos=True, chaos_in_production=True)
    plan = make_plan(options, environ or {}, port_is_free=lambda _: True)
    blueprint = draw(plan, state / "gate", chaos_token=SECRETS.chaos_token)
    return rosters.roster_of(plan, blueprint, Address(1, 8010, "the-token"), SECRETS)


def test_it_names_every_owner_of_faults(tmp_path: Path) -> None:
    """Supervisor, proxies, and each process with its replicas, where they really listen."""
    roster = roster_for(tmp_path)
    kinds = {owner.name: owner.kind for owner in roster.owners}
    processes = {"gateway", "users", "users-2", "ledger", "transactions", "notifications"}
    assert {name for name, kind in kinds.items() if kind is OwnerKind.PROCESS} == processes
    assert kinds["supervisor"] is OwnerKind.SUPERVISOR
    assert kinds["proxies"] is OwnerKind.PROXIES
    assert roster.owner("supervisor").url == "http://127.0.0.1:8010"
    assert roster.owner("proxies").url == "http://127.0.0.1:8474"
    assert roster.owner("users").url == "http://127.0.0.1:8001"
    assert roster.gateway == "http://127.0.0.1:8000"
    assert (roster.supervisor_token, roster.chaos_token) == ("the-token", "the-chaos-token")


def test_it_opens_the_books_to_an_auditor(tmp_path: Path) -> None:
    """The three databases with the money's story, directly, as a role that is not the platform's."""
    roster = roster_for(tmp_path)
    assert set(roster.databases) == {"ledger", "transactions", "notifications"}
    url = urlsplit(roster.databases["ledger"])
    assert (url.username, url.password) == ("baluarte_auditor", "the-auditor")
    assert (url.hostname, url.port, url.path) == ("127.0.0.1", 8032, "/baluarte_ledger")


def test_a_server_of_the_operators_gets_no_role(tmp_path: Path) -> None:
    """Nor is its own role handed out: the roster then has no databases at all."""
    environ = {"BALUARTE_DATABASE_URL": "postgresql://a:b@db/postgres"}
    assert roster_for(tmp_path, environ).databases == {}
    one = {"BALUARTE_LEDGER_DATABASE_URL": "postgresql://a:b@db/money"}
    assert roster_for(tmp_path, one).databases == {}


def test_it_says_what_kind_of_platform_it_is(tmp_path: Path) -> None:
    """The bus, whether it is production, and whom of the demonstration may reverse."""
    plain = roster_for(tmp_path)
    assert (plain.bus, plain.production) == ("postgres", False)
    assert plain.staff is not None
    assert (plain.staff.email, plain.staff.password) == ("admin@baluarte.example", PASSWORD)
    environ = {"BALUARTE_ENVIRONMENT": "production", "BALUARTE_AMQP_URL": "amqp://a:b@broker"}
    serious = roster_for(tmp_path, environ)
    assert (serious.bus, serious.production, serious.staff) == ("rabbitmq", True, None)


def test_it_is_for_its_owner_and_can_be_read_back(tmp_path: Path) -> None:
    """Mode 0600, since it opens everything; what was written is what chaos tools read; then it is gone."""
    roster = roster_for(tmp_path)
    rosters.write(tmp_path, roster)
    assert stat.S_IMODE((tmp_path / "chaos.json").stat().st_mode) == 0o600
    assert read(tmp_path) == roster
    rosters.strike(tmp_path)
    rosters.strike(tmp_path)
    assert not (tmp_path / "chaos.json").exists()


def test_every_start_draws_new_secrets() -> None:
    """What was read once opens nothing later, and nothing that a process refuses as too short."""
    first, second = Secrets.draw(), Secrets.draw()
    drawn = {first.chaos_token, first.auditor, second.chaos_token, second.auditor}
    assert len(drawn) == 4
    assert all(len(one) >= 32 for one in drawn)
