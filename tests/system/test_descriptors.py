"""A server that runs out of descriptors: guests make room, members stay, and newcomers are told when it is full."""

from __future__ import annotations

import contextlib
import resource

import pytest
from Pyro5.api import Proxy
from Pyro5.errors import CommunicationError

from pyrochat import ServerFull
from tests.security.support import entered
from tests.support import eventually
from tests.system.support import Machine, Process

LIMIT = 160


def allow_few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


def connected(server: Process, number: int) -> Proxy:
    proxy = Proxy(server.uris["lobby"])
    proxy._pyroHandshake = {"name": f"guest{number}"}
    proxy._pyroBind()
    return proxy


def test_found_4_newcomers_get_in_beside_as_many_idle_guests_as_fit(machine: Machine) -> None:
    server = machine.server(preexec_fn=allow_few_descriptors)
    ana = machine.client("Ana", "--at", server.at)
    with contextlib.ExitStack() as inside:
        guests = [inside.enter_context(connected(server, number)) for number in range(LIMIT)]
        igor = machine.client("Igor", "--at", server.at)
        igor.write("is it crowded?")
        ana.wait_line("Igor: is it crowded?")
        assert guests[-1].post("and I can talk")[2].startswith("guest")
        igor.wait_line("and I can talk")
        with pytest.raises(CommunicationError):
            guests[0].members()
    assert len(ana.errors) == len(igor.errors) == 1, "nobody inside was disturbed"


def test_a_full_server_refuses_newcomers_and_serves_those_inside(machine: Machine) -> None:
    """Full of members, of whom nobody has to make room."""
    server = machine.server(preexec_fn=allow_few_descriptors)
    ana, igor = machine.client("Ana", "--at", server.at), machine.client("Igor", "--at", server.at)
    with contextlib.ExitStack() as inside:
        refusals: list[str] = []
        for number in range(LIMIT):
            try:
                inside.enter_context(entered(server.at, f"m{number}"))
            except ServerFull as error:
                refusals.append(str(error))
        assert LIMIT - len(refusals) > 10
        assert refusals

        newcomer = machine.run("pyrochat-client", "Late", "--at", server.at)
        assert newcomer.wait() == 1
        [complaint] = newcomer.complaints
        assert complaint.startswith("pyrochat-client: ")
        assert "try later" in complaint or "close some" in complaint or "try again later" in complaint

        ana.write("is it crowded?")
        igor.wait_line("Ana: is it crowded?")
        igor.write("it is")
        ana.wait_line("Igor: it is")

    def late_is_in() -> bool:
        return machine.run("pyrochat-client", "Late", "--at", server.at, typed="hello").wait() == 0

    eventually(late_is_in, 20)
    igor.wait_line("Late: hello")
    assert len(ana.errors) == len(igor.errors) == 1, "nobody inside was disturbed"
