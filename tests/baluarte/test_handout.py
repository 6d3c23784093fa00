"""Secrets are made once, and each reader finds its own."""

import base64
import hashlib
import json
import stat
from pathlib import Path
from urllib.parse import urlsplit

from click.testing import CliRunner

from baluarte.cli import main
from baluarte.handout import READERS, SERVICES, Addresses, hand_out
from chassis.credentials import Credentials, Verifier
from services.users.sealing import load_secret

HERE = Addresses("pg:1", "cache:2", "mq:3")


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.glob("**/*") if p.is_file()}


def test_each_reader_gets_a_folder(tmp_path: Path) -> None:
    """With URLs at the addresses told, and no file of another's in it."""
    hand_out(tmp_path, HERE)
    assert {path.name for path in tmp_path.iterdir()} == {"master", *READERS}
    assert {path.name for path in (tmp_path / "ledger").iterdir()} == {
        *("ledger.pem", "trust.json", "database-url", "amqp-url"),
    }
    url = urlsplit((tmp_path / "ledger" / "database-url").read_text())
    assert (url.username, url.hostname, url.port) == ("baluarte_ledger", "pg", 1)
    assert url.path == "/baluarte_ledger"
    assert "@cache:2/" in (tmp_path / "gateway" / "redis-url").read_text()
    assert "@mq:3/" in (tmp_path / "users" / "amqp-url").read_text()


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    """A second run changes no byte, and mends what was lost as it was."""
    hand_out(tmp_path, HERE)
    before = files(tmp_path)
    (tmp_path / "users" / "redis-url").unlink()
    (tmp_path / "rabbitmq" / "definitions.json").unlink()
    hand_out(tmp_path, HERE)
    assert files(tmp_path) == before


def test_keys_fit_each_other(tmp_path: Path) -> None:
    """What the gateway signs the ledger believes, by the files of their own folders."""
    hand_out(tmp_path, HERE)
    token = Credentials.load(tmp_path / "gateway", "gateway").token_for("ledger")
    assert Verifier.load(tmp_path / "ledger", "ledger").verify(token) == "gateway"
    operator = Credentials.load(tmp_path / "operator", "baluarte").token_for("users")
    assert Verifier.load(tmp_path / "users", "users").verify(operator) == "baluarte"
    assert load_secret(tmp_path / "users" / "users-signing-secret", create=False)


def test_hashes_are_those_of_the_passwords(tmp_path: Path) -> None:
    """Valkey and RabbitMQ get what they check passwords with, and not the passwords."""
    hand_out(tmp_path, HERE)
    password = urlsplit((tmp_path / "users" / "redis-url").read_text()).password or ""
    acl = (tmp_path / "valkey" / "users.acl").read_text()
    assert f"#{hashlib.sha256(password.encode()).hexdigest()} " in acl
    assert "user default off" in acl

    definitions = json.loads((tmp_path / "rabbitmq" / "definitions.json").read_text())
    hashes = {
        user["name"]: base64.b64decode(user["password_hash"]) for user in definitions["users"]
    }
    assert hashes.keys() == {"operator", *SERVICES}
    for service in SERVICES:
        password = urlsplit((tmp_path / service / "amqp-url").read_text()).password or ""
        salt, digest = hashes[service][:4], hashes[service][4:]
        assert digest == hashlib.sha256(salt + password.encode()).digest()
        assert password not in json.dumps(definitions) + acl


def test_files_are_closed_where_the_owner_reads(tmp_path: Path) -> None:
    """Ours are for our user; those of other servers for all, since the mount is their lock."""
    hand_out(tmp_path, HERE)
    others = {"postgres", "valkey", "rabbitmq", "grafana"}
    for reader in READERS:
        for path in (tmp_path / reader).iterdir():
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode == (0o444 if reader in others else 0o400), path
    for path in (tmp_path / "master").glob("**/*"):
        assert path.is_dir() or stat.S_IMODE(path.stat().st_mode) == 0o600


def test_renewal_spares_what_data_depend_on(tmp_path: Path) -> None:
    """All passwords and keys are new, but for PostgreSQL's superuser, Grafana's and the signing secret."""
    hand_out(tmp_path, HERE)
    before = files(tmp_path / "master")
    hand_out(tmp_path, HERE, renew=True)
    after = files(tmp_path / "master")
    assert before.keys() == after.keys()
    same = {name for name, content in after.items() if before[name] == content}
    assert same == {"postgres-password", "grafana-password", "users-signing-secret"}
    assert (tmp_path / "ledger" / "ledger.pem").read_bytes() == after["keys/ledger.pem"]


def test_the_command_says_where_to_write_or_why_not(tmp_path: Path) -> None:
    """A folder that takes no files is told with the way out."""
    target = tmp_path / "file"
    target.write_text("")
    done = CliRunner().invoke(main, ["secrets", str(tmp_path / "folder"), "--postgres", "db:9"])
    assert done.exit_code == 0
    assert "@db:9/" in (tmp_path / "folder" / "operator" / "server-url").read_text()
    refused = CliRunner().invoke(main, ["secrets", str(target / "below")])
    assert refused.exit_code == 1
    assert "SECRETS_UNWRITABLE" in refused.output
