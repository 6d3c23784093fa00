"""Addresses: how they are read, and where one may listen."""

import pytest

from chaos.proxy.addresses import Address, listening_socket, name_of, upstream_address
from chaos.proxy.errors import BadRequestBody, CannotListen, NotLoopback


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:80", "127.0.0.1", 80),
        ("localhost:0", "localhost", 0),
        ("[::1]:5432", "::1", 5432),
        (":8080", "", 8080),
    ],
)
def test_addresses_are_read_and_written(text: str, host: str, port: int) -> None:
    """Names, IPv4, bracketed IPv6 and an empty host are read, and written as they were."""
    address = Address.parse(text)

    assert address == Address(host, port)
    assert str(address) == text


@pytest.mark.parametrize("text", ["", "host", "host:", "host:port", "host:70000", "::1:80", "a:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """A missing or impossible port, or an IPv6 host without brackets, is an error."""
    with pytest.raises(ValueError):
        Address.parse(text)


@pytest.mark.parametrize("text", ["db", "db:0", ":5432"])
def test_an_upstream_names_host_and_port(text: str) -> None:
    """A proxy must lead somewhere; a typing error is told at once."""
    with pytest.raises(BadRequestBody, match="write host:port"):
        upstream_address(text)


@pytest.mark.parametrize("text", ["", ":0", "127.0.0.1:0", "localhost:0"])
async def test_an_empty_host_is_the_loopback(text: str) -> None:
    """Without a host, or without an address at all, only this machine can connect; one port is chosen."""
    listener = await listening_socket(text, allow_remote=False)

    host, port = listener.getsockname()[:2]
    listener.close()
    assert host == "127.0.0.1"
    assert name_of_is_sane(f"{host}:{port}")


def name_of_is_sane(text: str) -> bool:
    return Address.parse(text).port > 0


async def test_other_addresses_need_a_word() -> None:
    """Listening where others can reach it is refused, unless it was allowed."""
    with pytest.raises(NotLoopback, match="--allow-remote"):
        await listening_socket("0.0.0.0:0", allow_remote=False)

    listener = await listening_socket("0.0.0.0:0", allow_remote=True)
    assert name_of(listener).startswith("0.0.0.0:")
    listener.close()


@pytest.mark.parametrize("text", ["nonsense", "203.0.113.1:0"])
async def test_what_cannot_be_bound_is_told(text: str) -> None:
    """No address, or one that is not this machine's: the error names it."""
    with pytest.raises(CannotListen, match=f"listen tcp {text}"):
        await listening_socket(text, allow_remote=True)
