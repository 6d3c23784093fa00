"""The registry of effects is complete, and each name is a promise to whoever writes experiments."""

from pathlib import Path

from chassis.faults import effects
from chassis.faults.effects import REGISTRY

FOLDER = Path(effects.__file__).parent


def test_every_file_is_registered_under_its_own_name() -> None:
    """One effect per file, named like it, and with attributes that refuse what they do not know."""
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "effect"}

    assert files == set(REGISTRY)
    for kind, effect in REGISTRY.items():
        assert effect.kind == kind
        assert effect.__module__.endswith(f".{kind}")
        assert effect.__struct_config__.forbid_unknown_fields
        assert effect.__struct_config__.frozen
