"""The rooms' place in the name server: taken over from the dead, kept, and not needed with --at."""

from __future__ import annotations

import signal

from Pyro5.api import locate_ns

from tests.support import eventually
from tests.system.support import Machine, free_port, stop
from tests.system.test_wrong_use import assert_one_complaint


def registered(machine: Machine) -> dict[str, str]:
    """The name server's rooms, and their URIs."""
    with locate_ns("localhost", machine.nameserver_port) as nameserver:
        return dict(nameserver.list(prefix="pyrochat."))


def register(machine: Machine, name: str, uri: str) -> None:
    with locate_ns("localhost", machine.nameserver_port) as nameserver:
        nameserver.register(name, uri)


def test_a_server_registers_its_rooms_and_itself_and_takes_them_out_again(machine: Machine) -> None:
    machine.nameserver()
    server = machine.server("--room", "tea", "--room", "coffee", rooms=2)
    assert registered(machine) == {
        "pyrochat.tea": server.uris["tea"],
        "pyrochat.coffee": server.uris["coffee"],
        "pyrochat.server": f"PYRO:pyrochat.server@{server.at}",
    }
    stop(server)
    assert registered(machine) == {}


def test_the_registration_of_a_dead_server_is_taken_over(machine: Machine) -> None:
    machine.nameserver()
    dead = machine.server()
    dead.kill()
    assert registered(machine)["pyrochat.lobby"] == dead.uris["lobby"]
    server = machine.server()
    assert registered(machine)["pyrochat.lobby"] == server.uris["lobby"]
    assert registered(machine)["pyrochat.server"].endswith(server.at)
    machine.client("Ana").wait_line("* Ana joined")


def test_the_registration_of_a_live_server_stays(machine: Machine) -> None:
    machine.nameserver()
    server = machine.server()
    before = registered(machine)
    second = machine.run("pyrochat-server", "--port", "0", "--data", str(machine.folder / "other"))
    assert second.wait() == 1
    assert registered(machine) == before
    other = machine.server("--room", "tea", "--data", str(machine.folder / "other"))
    assert registered(machine) == before | {"pyrochat.tea": other.uris["tea"]}
    stop(other)
    assert registered(machine) == before
    machine.client("Ana", "--at", server.at)


def test_a_name_that_somebody_else_has_taken_meanwhile_is_not_taken_out(machine: Machine) -> None:
    machine.nameserver()
    server = machine.server()
    somebody = "PYRO:pyrochat.lobby@localhost:1"
    register(machine, "pyrochat.lobby", somebody)
    stop(server)
    assert registered(machine) == {"pyrochat.lobby": somebody}


def test_a_name_server_that_starts_anew_knows_the_room_again_and_the_chat_goes_on(machine: Machine) -> None:
    nameserver = machine.nameserver()
    server = machine.server()
    ana, igor = machine.client("Ana"), machine.client("Igor")
    nameserver.kill()
    ana.write("is it still going?")
    igor.wait_line("Ana: is it still going?")
    igor.write("it is")
    ana.wait_line("Igor: it is")
    machine.nameserver()
    eventually(lambda: registered(machine).get("pyrochat.lobby") == server.uris["lobby"], 20)
    eventually(lambda: "pyrochat.server" in registered(machine), 20)
    late = machine.client("Late")
    late.wait_line("* Late joined")
    ana.wait_line("* Late joined")
    assert late.messages == ana.messages
    assert len(ana.errors) == len(igor.errors) == 1, "nobody was disturbed"


def test_found_23_a_name_server_that_hangs_while_a_server_starts_knows_its_room_when_it_goes_on(
    machine: Machine,
) -> None:
    nameserver = machine.nameserver()
    register(machine, "pyrochat.lobby", f"PYRO:pyrochat.lobby@localhost:{free_port()}")  # left by one that was killed
    nameserver.signal(signal.SIGSTOP)
    server = machine.server()
    server.wait_error("doesn't answer; until it answers, others join with ")
    nameserver.signal(signal.SIGCONT)
    eventually(lambda: registered(machine).get("pyrochat.lobby") == server.uris["lobby"], 20)
    machine.client("Ana").wait_line("* Ana joined")


def test_found_23_a_host_that_can_be_none_in_the_name_server_keeps_no_server_from_starting(machine: Machine) -> None:
    machine.nameserver()
    for name in ("pyrochat.lobby", "pyrochat.server"):
        register(machine, name, f"PYRO:{name}@a..b:5679")
    lost = machine.run("pyrochat-client", "Ana")
    assert_one_complaint(lost, 1, "says of room 'lobby' is no address", "started")
    server = machine.server()
    assert registered(machine)["pyrochat.lobby"] == server.uris["lobby"]
    machine.client("Ana").wait_line("* Ana joined")


def test_found_23_a_server_that_hangs_is_not_taken_for_dead(machine: Machine) -> None:
    machine.nameserver()
    hanging = machine.server()
    hanging.signal(signal.SIGSTOP)
    second = machine.run("pyrochat-server", "--port", "0", "--data", str(machine.folder / "other"))
    assert_one_complaint(second, 1, hanging.at, "takes connections and doesn't answer")
    hanging.signal(signal.SIGCONT)
    assert registered(machine)["pyrochat.lobby"] == hanging.uris["lobby"]


def test_with_an_address_no_name_server_is_needed(machine: Machine) -> None:
    server = machine.server()
    nowhere = {"PYRO_NS_PORT": free_port()}
    ana = machine.run("pyrochat-client", "Ana", "--at", server.at, typed="hello", env=nowhere)
    assert ana.wait() == 0
    assert ana.bodies == ["* Ana joined", "Ana: hello"]
    igor = machine.run("pyrochat", "Igor", "--at", server.at, typed="hi", env=nowhere)
    assert igor.wait() == 0
    assert igor.errors == ["joined room lobby as Igor"]


def test_found_43_a_name_server_that_has_ended_with_its_server_is_taken_over_by_another(machine: Machine) -> None:
    first = machine.server("--room", "tea")
    first.wait_line("no name server answered: started one")
    second = machine.server("--room", "coffee", "--data", str(machine.folder / "other"))
    assert not [line for line in second.lines if "started one" in line]
    first.kill()
    second.wait_error(f"the server that had the name server at localhost:{machine.nameserver_port} has ended")
    ana = machine.client("Ana", "--room", "coffee")
    ana.wait_line("* Ana joined")
    first = machine.server("--room", "tea")  # and the one that is back is found there as well
    machine.client("Igor", "--room", "tea").wait_line("* Igor joined")
    stop(second)
    first.wait_error("the server that had the name server")
    assert registered(machine)["pyrochat.tea"] == first.uris["tea"]
