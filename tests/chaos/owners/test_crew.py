"""The owners of a roster, by name."""

import pytest

from tests.chaos.owners.grounds import NOBODY, crew_of


async def test_owners_are_found_by_name_and_kind() -> None:
    """Each once, in the roster's order; what is not there is told."""
    async with crew_of(supervisor=NOBODY, proxies=NOBODY, users=NOBODY) as found:
        assert list(found.by_name) == ["supervisor", "proxies", "users"]
        assert found.supervisor.name == "supervisor"
        assert found.proxies.name == "proxies"
        assert found.process("users").name == "users"
        for name in ("proxies", "moon"):
            with pytest.raises(LookupError):
                found.process(name)
    async with crew_of(users=NOBODY) as found:
        with pytest.raises(LookupError, match="SupervisorOwner"):
            assert found.supervisor
