"""A server that runs out of descriptors refuses newcomers and goes on serving those inside."""

from __future__ import annotations

import contextlib
import resource

from Pyro5.api import Proxy
from Pyro5.errors import CommunicationError

from tests.support import eventually
from tests.system.support import Machine

LIMIT = 160


def allow_few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


def test_a_full_server_refuses_newcomers_and_serves_those_inside(machine: Machine) -> None:
    server = machine.server(preexec_fn=allow_few_descriptors)
    ana, igor = machine.client("Ana", "--at", server.at), machine.client("Igor", "--at", server.at)

    def connected(number: int) -> Proxy:
        proxy = Proxy(server.uris["lobby"])
        proxy._pyroHandshake = {"name": f"guest{number}"}
        proxy._pyroBind()
        return proxy

    with contextlib.ExitStack() as inside:
        refusals: list[str] = []
        guests: list[Proxy] = []
        for number in range(LIMIT):
            try:
                guests.append(inside.enter_context(connected(number)))
            except CommunicationError as error:
                refusals.append(str(error))
        assert 10 < len(guests) < LIMIT - len(refusals) + 1
        assert refusals
        assert all("server-full: " in refusal for refusal in refusals), refusals

        newcomer = machine.run("pyrochat-client", "Late", "--at", server.at)
        assert newcomer.wait() == 1
        [complaint] = newcomer.complaints
        assert complaint.startswith("pyrochat-client: the server has no descriptors left: ")

        ana.write("is it crowded?")
        igor.wait_line("Ana: is it crowded?")
        igor.write("it is")
        ana.wait_line("Igor: it is")
        assert guests[-1].post("and I can talk")[2].startswith("guest")
        ana.wait_line("and I can talk")

    def late_is_in() -> bool:
        return machine.run("pyrochat-client", "Late", "--at", server.at, typed="hello").wait() == 0

    eventually(late_is_in, 20)
    igor.wait_line("Late: hello")
    assert len(ana.errors) == len(igor.errors) == 1, "nobody inside was disturbed"
