"""What must stay secret, made so that it can be found again wherever it went.

Every private text that these tests send to the platform carries one marker, unique to the run; what the
platform itself makes up (tokens) or what has a form without room for a marker (numbers) is remembered.
"""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_MARKER_BYTES = 5
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")
"""The beginning of a JWT: of a user, of a service, or forged."""


@dataclass(slots=True)
class Sentinels:
    """Makes sentinels and finds them.

    Attributes:
        marker: stands in every private text; letters and digits, so that no encoding changes it.
        headers: every header that an answer had, as a line.
    """

    marker: str = field(default_factory=lambda: f"zq{secrets.token_hex(_MARKER_BYTES)}zq")
    headers: list[str] = field(default_factory=list)
    _remembered: set[str] = field(default_factory=set)
    _made: int = 0

    def text(self, kind: str) -> str:
        """A private text such as a name: unlike any other, and found by its marker."""
        self._made += 1
        return f"{self.marker}-{kind}-{self._made}"

    def email(self) -> str:
        return f"{self.text('mail')}@sentinel.example"

    def picture(self) -> str:
        return f"https://pictures.example/{self.text('picture')}.png"

    def account_number(self) -> str:
        """Twelve digits and a check digit: too long to turn up in a log by chance."""
        digits = "".join(secrets.choice("123456789") for _ in range(12))
        self.remember(digits)
        return f"{digits}-{secrets.choice('0123456789')}"

    def remember(self, *values: str) -> None:
        """Add what the platform made up; of a JWT the signature, which nothing else contains."""
        for value in values:
            self._remembered.add(value.rsplit(".", 1)[-1] if value.startswith("eyJ") else value)

    def saw(self, headers: Iterable[tuple[str, str]]) -> None:
        """Keep an answer's headers, to be searched like a log."""
        self.headers += [f"{name}: {value}" for name, value in headers]

    def found(self, text: str) -> list[str]:
        """The sentinels in `text`, with a little of what surrounds them, and anything like a token."""
        lowered = text.lower()
        hits = [match.start() for match in re.finditer(re.escape(self.marker), lowered)]
        hits += [text.index(value) for value in self._remembered if value in text]
        hits += [match.start() for match in _JWT.finditer(text)]
        return [text[max(0, at - 60) : at + 80] for at in hits[:20]]

    def found_in(self, places: Mapping[str, str]) -> dict[str, list[str]]:
        """The places that hold any, with what they hold."""
        return {name: hits for name, text in places.items() if (hits := self.found(text))}
