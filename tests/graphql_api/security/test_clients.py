"""Client addresses behind proxies."""

import ipaddress

import pytest

from graphql_api.security.clients import MAX_HOPS, UNKNOWN, client_address

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.7", [], "198.51.100.7"),
        ("198.51.100.7", ["1.2.3.4"], "198.51.100.7"),  # not a proxy of ours: its word is nothing
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        (
            "10.0.0.1",
            ["1.2.3.4, 203.0.113.9"],
            "203.0.113.9",
        ),  # the left part is anybody's invention
        ("10.0.0.1", ["1.2.3.4", "203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["10.9.9.9, 10.0.0.2"], "10.9.9.9"),
        ("10.0.0.1", ["garbage"], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4, garbage, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["203.0.113.9:1234"], "10.0.0.1"),
        ("::ffff:198.51.100.7", [], "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::"),
        ("fd00::1", ["2001:db8:1:2:ffff::1"], "2001:db8:1:2::"),
        ("fe80::1%eth0", [], "fe80::"),
        ("", ["1.2.3.4"], UNKNOWN),
        ("unix", ["1.2.3.4"], UNKNOWN),
    ],
)
def test_the_address_that_counts(peer: str, forwarded: list[str], expected: str) -> None:
    """Only what trusted proxies appended is believed, read from the right."""
    assert client_address(peer, forwarded, PROXIES) == expected


def test_a_long_list_is_cut() -> None:
    """However long the header, a bounded part is looked at."""
    hops = ", ".join(["10.0.0.9"] * 10_000)
    assert client_address("10.0.0.1", ["203.0.113.9, " + hops], PROXIES) == "10.0.0.9"
    assert MAX_HOPS < 100
