"""People and scenes of paper."""

from chaos.explore.operations import Person, Scene


def person(name: str) -> Person:
    return Person(
        f"id-{name}", f"{name}@example.com", "secret", f"access-{name}", f"refresh-{name}"
    )


def scene() -> Scene:
    """A scene of paper."""
    return Scene(
        person("customer"),
        person("other"),
        person("staff"),
        "transaction-1",
        "key-00001",
        "word1",
        17,
    )
