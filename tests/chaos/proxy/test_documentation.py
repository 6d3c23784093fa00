"""`docs/chaos.md` says what the proxy does."""

import re
import shlex
from pathlib import Path

import aiohttp
import click

from chaos.proxy import Limits, serving
from chaos.proxy.__main__ import main
from chaos.proxy.toxics import REGISTRY

WHOLE = (Path(__file__).parents[3] / "docs" / "chaos.md").read_text()
PAGE = WHOLE.split("\n## The fault proxy\n")[1].split("\n## ")[0]
"""The proxy's section of the page."""


def test_the_table_of_toxics_is_the_registry() -> None:
    """Every toxic stands in the page with all its attributes, in the registry's order."""
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \|", PAGE, re.MULTILINE)

    assert [(kind, re.findall(r"`([a-z_]+)`", names)) for kind, names in rows] == [
        (kind, list(toxic.__struct_fields__)) for kind, toxic in REGISTRY.items()
    ]


def test_the_bounds_are_those_of_the_page() -> None:
    """The numbers in the page are the defaults."""
    limits = Limits()

    assert f"{limits.proxies} proxies, {limits.toxics} toxics per proxy" in PAGE
    assert f"{limits.connections:,} connections per proxy" in PAGE
    assert f"{limits.buffered_bytes // 2**20} MiB held" in PAGE
    assert f"{limits.body_bytes // 2**10} KiB of request body" in PAGE
    assert f"{limits.connect_seconds:.0f} s to reach an upstream" in PAGE
    assert f"{limits.close_seconds:.0f} s for a closing connection" in PAGE


def test_the_command_of_the_page_is_understood(tmp_path: Path) -> None:
    """Every option that the page shows exists."""
    (line,) = re.findall(r"^python -m chaos\.proxy (.+)$", PAGE, re.MULTILINE)
    config = tmp_path / "proxies.json"
    config.write_text("[]")

    context = main.make_context("proxy", shlex.split(line.replace("proxies.json", str(config))))

    assert isinstance(context, click.Context)


async def test_the_calls_of_the_page_work() -> None:
    """The page's curl commands, one after the other, all succeed."""
    calls = [shlex.split(line)[1:] for line in re.findall(r"^curl .+$", PAGE, re.MULTILINE)]
    assert len(calls) >= 8
    async with serving(port=0) as server, aiohttp.ClientSession() as client:
        for words in calls:
            method = words[words.index("-X") + 1] if "-X" in words else "GET"
            data = words[words.index("-d") + 1] if "-d" in words else None
            (url,) = (word for word in words if word.startswith("http://"))
            url = url.replace("http://127.0.0.1:8474", server.url)
            async with client.request(method, url, data=data) as answer:
                assert answer.status < 300, (words, await answer.text())
