"""A load whose gateway says what a test wants, in order, and whose time passes only on purpose."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from chaos.history.answers import Replied, Reply, Unanswered
from chaos.history.book import Book
from chaos.history.client import Party
from chaos.history.commands import Commands
from chaos.history.events import Event, HistoryWriter, header, read_history
from chaos.record import Sample
from loadtests.documents import Query
from loadtests.load import Load, LoadConfig
from loadtests.people import Person, Session
from loadtests.wire import Wire

LOST = Unanswered("lost")


def said(**body: Any) -> Replied:
    """An answer."""
    return Replied(200, msgspec.json.encode(body))


def refused(code: str, field: str = "transfer", **more: Any) -> Replied:
    """A coded error instead of a field."""
    extensions = {"code": code, **more}
    return said(data={field: None}, errors=[{"message": "No.", "extensions": extensions}])


def session(number: int, field: str = "refreshToken") -> Replied:
    """New tokens."""
    tokens = {"accessToken": f"access-{number}", "refreshToken": f"refresh-{number}"}
    return said(data={field: {**tokens, "user": {"id": "user-0"}}})


class Script(Wire):
    """Answers from a list, and remembers what was asked. `before` is called as a request leaves."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self.asked: list[tuple[str, Any, str]] = []
        self.before: Callable[[], object] = lambda: None

    def post(self, query: Query, variables: Mapping[str, Any], token: str = "") -> Reply:
        self.before()
        self.asked.append((query.field, variables, token))
        return self._replies.pop(0)


class Passing:
    """The signal that ends a load, for a test: waiting takes no time but the clock's."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._over = False

    def set(self) -> None:
        self._over = True

    def clear(self) -> None:
        self._over = False

    def is_set(self) -> bool:
        return self._over

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return self._over


class Scene:
    """One person at a scripted gateway."""

    def __init__(self, folder: Path, *replies: Reply, others: int = 1) -> None:
        self.path = folder / "history.jsonl"
        self.wire = Script(*replies)
        self.samples: list[Sample] = []
        self.ending = Passing()
        config = LoadConfig(gateway="http://bank", journeys={"pay": 1}, rate=1.0, users=2)
        self.load = Load(
            config,
            Book(HistoryWriter(self.path, header())),
            samples=self,
            commands=Commands("run00000", "BRL"),
            origin=0.0,
            report=lambda sample: None,
            network=1,
            clock=lambda: sum(self.ending.waits),
            ending=self.ending,
        )
        self.load.people += [self._person(number) for number in range(1 + others)]

    def _person(self, number: int) -> Person:
        user = f"user-{number}"
        tokens = Session("a@example.com", "password", user, "access-0", "refresh-0")
        party = Party(user, f"account-{number}")
        return Person(number, "a", self.wire, random.Random(number), tokens, party)

    @property
    def person(self) -> Person:
        return self.load.people[0]

    def write(self, sample: Sample) -> None:
        """Keep a sample."""
        self.samples.append(sample)

    @property
    def history(self) -> list[tuple[str, str]]:
        """Its lines: type, and operation."""
        return [_short(line) for line in read_history(self.path).events]


def _short(line: Event) -> tuple[str, str]:
    return type(line).__name__.lower(), str(line.op)
