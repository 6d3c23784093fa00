"""Reads an environment key by key and collects what is wrong, so that all is told at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from chassis.secret_files import secret_text

T = TypeVar("T")


class SettingsError(Exception):
    """The settings are wrong. `problems` has a sentence each, with what to do."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(f"- {problem}" for problem in problems))
        self.problems = tuple(problems)


class Reader:
    """Reads keys of an environment and collects what is wrong, to be told all at once.

    Example: `reader.get("BALUARTE_PORT", parse=port, default=8000)`.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def get(self, key: str, *, parse: Callable[[str], T], default: T, from_file: bool = False) -> T:
        """The value of `key`, or `default` when it is absent or empty.

        Args:
            from_file: whether `<key>_FILE` may name a file with the value instead, as for secrets.
        """
        return self._parsed(key, self._text(key, from_file), parse, default)

    def require(
        self,
        key: str,
        *,
        parse: Callable[[str], T],
        default: T,
        hint: str,
        from_file: bool = False,
    ) -> T:
        """Like `get`, but absence is a problem, told with `hint`; `default` only fills the place."""
        text = self._text(key, from_file)
        if text == "":
            self.problems.append(f"{key} is not set; {hint}")
        return self._parsed(key, text, parse, default)

    def _text(self, key: str, from_file: bool) -> str | None:
        """The text of `key`; None when its file cannot be used, which is a problem told already."""
        try:
            if from_file:
                return secret_text(self._environ, key)
        except ValueError as error:
            self.problems.append(str(error))
            return None
        return self._environ.get(key, "").strip()

    def _parsed(self, key: str, text: str | None, parse: Callable[[str], T], default: T) -> T:
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self.problems.append(f"{key} {error}")
            return default

    def pass_over(self, *keys: str) -> None:
        """Say that these are settings too, though they do not count this time.

        Whoever watches what is asked for then does not take them for misspelt ones.
        """
        for key in keys:
            self._environ.get(key)

    def finish(self) -> None:
        """Raise `SettingsError` if anything was wrong."""
        if self.problems:
            raise SettingsError(self.problems)
