"""Write `assets/` anew from published npm packages: `python -m graphql_api.graphiql.vendor`.

Needs npm. Versions and checksums are fixed here; a package that differs is refused.
"""

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ASSETS = Path(__file__).with_name("assets")


@dataclass(frozen=True, slots=True)
class Package:
    """A package and its files that we serve: path in the package → name in `assets/`."""

    name: str
    version: str
    sha512: str
    files: dict[str, str]


PACKAGES = (
    Package(
        "graphiql",
        "4.1.2",
        "rNlzQIAzm6i2KBXmVQWBgLvt0TloxFVB2d18bukvdsvjEuFDHsKx5IVOomL1W1o5WW+tE54+ioHb2AEKzO2cUg==",
        {
            "graphiql.min.js": "graphiql.min.js",
            "graphiql.min.css": "graphiql.min.css",
            "LICENSE": "LICENSE.graphiql.txt",
        },
    ),
    Package(
        "react",
        "18.3.1",
        "wS+hAgJShR0KhEvPJArfuPVN1+Hz1t0Y6n5jLrGQbkb4urgPE/0Rve+1kMB1v/oWgHgm4WIcV+i7F2pTVj+2iQ==",
        {
            "umd/react.production.min.js": "react.production.min.js",
            "LICENSE": "LICENSE.react.txt",
        },
    ),
    Package(
        "react-dom",
        "18.3.1",
        "5m4nQKp+rZRb09LNH59GM4BxTh9251/ylbKIbpe7TpGxfJ+9kv6BLkLBXIjjspbgbnIBNqlI23tRnTWT0snUIw==",
        {
            "umd/react-dom.production.min.js": "react-dom.production.min.js",
            "LICENSE": "LICENSE.react-dom.txt",
        },
    ),
)


def vendor() -> None:
    """Fetch, check and write every file."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is needed to fetch the packages; install Node.js and try again")
    with tempfile.TemporaryDirectory() as folder:
        for package in PACKAGES:
            subprocess.run(  # noqa: S603 - fixed arguments
                [npm, "pack", "--silent", f"{package.name}@{package.version}"],
                cwd=folder,
                check=True,
            )
            archive = Path(folder) / f"{package.name}-{package.version}.tgz"
            _unpack(package, archive)


def _unpack(package: Package, archive: Path) -> None:
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != package.sha512:
        raise SystemExit(
            f"{package.name} {package.version} is not the package that was reviewed: "
            f"sha512-{found}, expected sha512-{package.sha512}"
        )
    with tarfile.open(archive) as tar:
        for source, target in package.files.items():
            member = tar.extractfile(f"package/{source}")
            if member is None:
                raise SystemExit(f"{package.name} has no file {source}")
            text = member.read().decode()
            lines = [line for line in text.split("\n") if not line.startswith("//# sourceMapping")]
            (ASSETS / target).write_text("\n".join(lines))


if __name__ == "__main__":
    vendor()
