"""What the server command tells its operator, and others: an address that leads to this machine, or that it doesn't."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from pyrochat import Server
from pyrochat.commands.announcing import announce, network_address

NOWHERE = ("255.255.255.255", 9)  # the system refuses to choose an interface for it, as it does without a route


def test_found_26_without_a_route_a_name_that_leads_to_oneself_is_no_address_for_others() -> None:
    assert network_address(NOWHERE, "localhost") is None
    assert network_address(NOWHERE, "127.0.1.1") is None  # what Debian writes into /etc/hosts
    assert network_address(NOWHERE, "::1") is None
    assert network_address(NOWHERE, "a..b") is None


def test_without_a_route_the_machines_name_may_have_an_address() -> None:
    assert network_address(NOWHERE, "192.0.2.7") == "192.0.2.7"


def test_with_a_route_its_interface_has_the_address() -> None:
    found = network_address(("127.0.0.1", 9))
    assert found is not None
    assert ipaddress.ip_address(found).is_loopback


@pytest.mark.parametrize("tls", [False, True])
def test_found_12b_a_server_that_is_open_to_others_says_what_holds_only_with_tls(
    data: Path, capsys: pytest.CaptureFixture[str], tls: bool
) -> None:
    with Server(["lobby"], data, host="0.0.0.0", advertise="192.0.2.7", nameserver=False, tls=tls) as server:
        announce(server, "0.0.0.0", "192.0.2.7")
    said = capsys.readouterr()
    assert "others join with: pyrochat-client NAME --at 192.0.2.7:" in said.out
    assert ("--fingerprint" in said.out) == tls
    for word in ("nothing is encrypted", "can read everything", "write under the name", "--tls"):
        assert (word in said.err) != tls
    assert said.err.count("\n") == (not tls), "one line"


@pytest.mark.parametrize(("shown", "said"), [(None, "--advertise"), ("127.0.1.1", "reach themselves at 127.0.1.1")])
def test_found_26_a_line_for_others_that_leads_nowhere_is_said(
    data: Path, capsys: pytest.CaptureFixture[str], shown: str | None, said: str
) -> None:
    with Server(["lobby"], data, host="0.0.0.0", advertise=shown or "vm", nameserver=False) as server:
        announce(server, "0.0.0.0", shown)
    assert said in capsys.readouterr().err
