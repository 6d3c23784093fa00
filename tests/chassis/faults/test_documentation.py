"""`docs/chaos.md` says what the fault point does."""

import re
import shlex
from pathlib import Path

import msgspec

from chassis.faults.calls import LIMIT
from chassis.faults.contract import MAX_LEASE_SECONDS, Fault, NewFault, Target
from chassis.faults.effects import REGISTRY
from chassis.faults.fault import HELD_LIMIT
from chassis.faults.point import MAX_FAULTS
from chassis.faults.targets import SPARED
from services.users.contract import OPERATIONS
from tests.chassis.faults.faulted import TOKEN, Faulted, new_point

WHOLE = (Path(__file__).parents[3] / "docs" / "chaos.md").read_text()
PAGE = WHOLE.split("\n## The fault point\n")[1].split("\n## ")[0]


def rows(heading: str) -> list[tuple[str, str]]:
    """The first two columns of the table under a heading."""
    part = PAGE.split(f"### {heading}\n")[1].split("\n### ")[0]
    return re.findall(r"^\| `([a-z_]+)` \|([^|]*)\|", part, re.MULTILINE)


def test_the_table_of_effects_is_the_registry() -> None:
    """Every effect stands in the page with all its attributes, optional ones in parentheses."""
    wanted = []
    for kind, effect in REGISTRY.items():
        fields = msgspec.structs.fields(effect)
        names = [f"`{field.name}`" if field.required else f"(`{field.name}`)" for field in fields]
        wanted.append((kind, ", ".join(names)))

    assert [(kind, attributes.strip()) for kind, attributes in rows("Effects")] == wanted


def test_the_table_of_targets_is_the_contract() -> None:
    """Every condition is explained."""
    assert {name for name, _ in rows("Whom it hits")} == set(Target.__struct_fields__)


def test_the_bounds_are_those_of_the_page() -> None:
    """The numbers in the page are the code's."""
    assert f"is {MAX_LEASE_SECONDS:.0f} at most" in PAGE
    assert f"{MAX_FAULTS} faults at once" in PAGE
    assert f"keeps {HELD_LIMIT:,} requests" in PAGE
    assert f"last {LIMIT:,}" in PAGE
    assert all(f"`{path}`" in PAGE for path in SPARED)


def commands() -> list[list[str]]:
    found = re.findall(r"^curl .+$", PAGE, re.MULTILINE)
    return [shlex.split(line.replace("$BALUARTE_CHAOS_TOKEN", TOKEN))[1:] for line in found]


async def test_the_calls_of_the_page_work(faulted: Faulted) -> None:
    """The page's commands, one after the other, all succeed on a process that serves what users serves."""
    faulted.point.routes = [operation.path for operation in OPERATIONS]
    faulted.point.publishes = True
    assert len(commands()) >= 8
    made = ""
    for words in commands():
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        data = words[words.index("-d") + 1] if "-d" in words else None
        name, _, value = words[words.index("-H") + 1].partition(": ")
        (url,) = (word for word in words if word.startswith("http://"))
        url = url.replace("http://127.0.0.1:8001", faulted.running.url).replace("$ID", made)
        async with faulted.running.session.request(
            method, url, data=data, headers={name: value}
        ) as answer:
            body = await answer.read()
            assert answer.status < 300, (words, body)
        if answer.status == 201:
            made = msgspec.json.decode(body, type=Fault).id
    assert not faulted.point.faults


def test_the_orders_of_the_page_fit_the_users_service() -> None:
    """Routes and attributes in the examples exist, so that nobody copies a fault that cannot be met."""
    point = new_point()
    point.routes, point.publishes = [operation.path for operation in OPERATIONS], True
    orders = [words[words.index("-d") + 1] for words in commands() if "-d" in words]
    faults = [
        point.add(msgspec.json.decode(order, type=NewFault)) for order in orders if "type" in order
    ]

    assert len(faults) >= 4
    point.end_all()
