"""Addresses: what people and servers write, with the brackets of IPv6, and what can be none."""

from __future__ import annotations

import pytest

from pyrochat.values.addresses import checked_host, parse_address, parse_at, parse_places, shown_address
from pyrochat.values.errors import InvalidArgument

ADDRESSES = {
    "localhost": ("localhost", 5679),
    "localhost:1": ("localhost", 1),
    "192.0.2.7:65535": ("192.0.2.7", 65535),
    "[::1]:5680": ("::1", 5680),
    "[::1]": ("::1", 5679),
    "::1": ("::1", 5679),
    "2001:db8::7": ("2001:db8::7", 5679),
    "[fe80::1%eth0]:5680": ("fe80::1%eth0", 5680),
    "bücher.example:5680": ("bücher.example", 5680),
    "pyro:5680": ("pyro", 5680),
}
NONE = [
    "", ":", ":5679", "localhost:", "localhost:0", "localhost:65536", "localhost:http", "localhost:-1", "a..b:5679",
    f"{'x' * 64}:5679", "two words:5679", "bell\a:5679", "\udcff:5679", "[]:5679", "a/b:5679", "localhost:١",
]  # fmt: skip


@pytest.mark.parametrize("text", ADDRESSES)
def test_found_26_an_address_is_read_and_shown_with_brackets_around_ipv6(text: str) -> None:
    address = parse_address(text, 5679)
    assert address == ADDRESSES[text]
    assert parse_address(shown_address(address), 1) == address
    assert ("[" in shown_address(address)) == (":" in address[0])


def test_several_addresses_are_read_in_their_order_each_once() -> None:
    assert parse_places("b:2, a:1,b:2,[::1]", None, 5679) == [("b", 2), ("a", 1), ("::1", 5679)]
    assert parse_places("PYRO:pyrochat.lobby@a:1,b:2", "lobby", 5679) == [("a", 1), ("b", 2)]
    for text in ("a:1,", ",", "a:1,,b:2", "a:x,b", ",".join(f"a:{n}" for n in range(1, 19))):
        with pytest.raises(InvalidArgument):
            parse_places(text, None, 5679)


@pytest.mark.parametrize("text", NONE)
def test_found_23_what_can_be_no_address_is_refused(text: str) -> None:
    for parse in (lambda: parse_address(text, 5679), lambda: parse_at(text, None, 5679)):
        with pytest.raises(InvalidArgument, match="write it as host:port"):
            parse()


@pytest.mark.parametrize("host", ["localhost", "[::1]", "::1", "0.0.0.0", "bücher.example", "0x7f000001"])
def test_a_host_is_taken_without_its_brackets(host: str) -> None:
    assert checked_host(host) == host.strip("[]")


@pytest.mark.parametrize("host", ["", "a..b", "two words", "a@b", "\udcff", "[", "::"[:1]])
def test_what_can_be_no_host_is_refused(host: str) -> None:
    with pytest.raises(InvalidArgument, match="is no host"):
        checked_host(host)


def test_found_26_a_uri_that_a_server_prints_is_an_address() -> None:
    for room in ("lobby", None, "LOBBY"):
        assert parse_at("PYRO:pyrochat.lobby@localhost:5680", room, 5679) == ("localhost", 5680)
    assert parse_at("PYRO:pyrochat.Küche@[::1]:5680", "küche", 5679) == ("::1", 5680)


def test_found_26_the_uri_of_another_room_is_said_to_be_that() -> None:
    with pytest.raises(InvalidArgument, match="is the URI of room 'tea', not of 'lobby': say room=\"tea\""):
        parse_at("PYRO:pyrochat.tea@localhost:5679", "lobby", 5679)


@pytest.mark.parametrize("text", ["PYRO:x@localhost:1", "PYRONAME:pyrochat.lobby@localhost:1", "ana@localhost:1", "@"])
def test_another_uri_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"is no room's URI: it looks like PYRO:pyrochat\.ROOM@HOST:PORT"):
        parse_at(text, "lobby", 5679)
