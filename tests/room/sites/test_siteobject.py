"""What sites answer to whoever calls them: odd arguments, strangers, clients."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from pyrochat import Server
from pyrochat.pyro.remote import RemoteObject
from pyrochat.room.sites.dialing import PyroWire
from pyrochat.room.sites.hosting import Sites
from pyrochat.trust.keys import Key
from pyrochat.values.addresses import parse_address
from pyrochat.values.errors import ProofMissing, PyroChatError, RoomNotFound, ServerFault
from pyrochat.values.protocol import site_object
from tests.support import QUICK, QUICK_PACE, hosted

ODD: list[object] = [
    None, True, -1, 1 << 62, 1.5, "", "x", "00" * 32, "\x00", [], [None], [[]], [1, 2, 3], [["a", 1], [], []], [[], ["zz"], []],
    [["site", 1, 1, "", "[1,1,[],[]]", "", "[]"]], "[[],[]]", "[" * 3000, "[[[1,2,3]],[5]]", {"a": 1},
]  # fmt: skip
METHODS = {"meet": 1, "enter": 2, "push": 3, "exchange": 4, "prove": 2}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    sites = Sites("ana", [], None, False, 0.0)
    with Server(["lobby"], tmp_path, nameserver=False, sites=sites, timing=QUICK, pace=QUICK_PACE) as server:
        yield server


def wire_to(server: Server, key: Key | None = None) -> PyroWire:
    address = parse_address(server.at, 0)
    return PyroWire(address, site_object("lobby"), "igor", key or Key.made(), None, None)


@pytest.mark.parametrize("method", METHODS)
def test_odd_arguments_are_refused_and_nothing_else_happens(server: Server, method: str) -> None:
    wire = wire_to(server)
    root = wire.call("meet", "")
    assert isinstance(root, list)
    _, root_digits, site, *_ = root
    wanted = Key.made()
    within = wire_to(server, wanted)
    within.call("enter", "ab" * 16, "bob")
    rows = list(itertools.islice(itertools.product(ODD, repeat=METHODS[method]), 400))
    rows += [(root_digits, site, *rest) for rest in itertools.product(ODD, repeat=max(0, METHODS[method] - 2))]
    said = []
    for arguments in rows:
        with suppress(PyroChatError):
            try:
                within.call(method, *arguments[: METHODS[method]])
            except ServerFault as error:
                said.append(str(error))
    assert [text for text in said if "internal-error" in text] == []
    assert wire.call("meet", "") == root


def test_a_client_has_no_business_there(server: Server) -> None:
    with closing(RemoteObject(parse_address(server.at, 0), site_object("lobby"), {"name": "Eve"}, timeout=20)) as eve:
        for method in ("meet", "enter", "push", "exchange"):
            with pytest.raises(ProofMissing):
                eve.call(method, *[""] * METHODS[method])


def test_a_room_that_has_one_server_has_no_sites(tmp_path: Path) -> None:
    with hosted(tmp_path, nameserver=False) as server, pytest.raises(RoomNotFound):
        wire_to(server)
