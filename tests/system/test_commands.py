"""The commands as people use them: a name server, a server, and clients in pipes."""

from __future__ import annotations

import re
import signal

from tests.support import eventually
from tests.system.support import PATIENCE_SECONDS, Machine, Process, free_port

QUICK = ["--beat", "0.5", "--silence", "1.5", "--grace", "1"]
NEVER = ["--grace", "600"]


def ask_until(client: Process, command: str, wanted: str) -> str:
    """Type *command* again and again until an answer ends with *wanted*; that answer."""

    def answers() -> list[str]:
        return [line for line in list(client.lines) if line.startswith("-- ")]

    before = asked = len(answers())

    def answered() -> str | None:
        nonlocal asked
        known = answers()
        if len(known) > before and known[-1].endswith(wanted):
            return known[-1]
        if len(known) == asked:
            client.write(command)
            asked += 1
        return None

    answer = eventually(answered, PATIENCE_SECONDS, f"no answer {wanted!r}")
    assert answer is not None
    return answer


def test_the_server_finds_the_name_server_and_the_clients_find_the_room(machine: Machine) -> None:
    machine.nameserver()
    server = machine.server()
    assert server.lines == [f"room 'lobby' ready at PYRO:pyrochat.lobby@localhost:{server.port}"]
    ana = machine.client("Ana")
    ana.wait_line("* Ana joined")
    assert ana.errors == ["joined room lobby as Ana"]


def test_a_server_without_a_name_server_starts_one_and_says_so(machine: Machine) -> None:
    server = machine.server()
    assert server.lines[0] == f"no name server answered: started one at localhost:{machine.nameserver_port}"
    machine.client("Ana").wait_line("* Ana joined")


def test_three_clients_see_the_same_lines_and_a_fourth_gets_the_whole_history(machine: Machine) -> None:
    machine.server()
    clients = [machine.client(name, "--plain") for name in ("Ana", "Igor", "Zoë")]
    for number in range(10):
        for client in clients:
            client.write(f"text {number}")
    for client in clients:
        client.wait_lines(lambda line: ": text" in line, 30)
    messages = clients[0].messages
    assert [int(message.split()[0][1:]) for message in messages] == list(range(1, 34))
    assert sorted(clients[0].bodies[:3]) == ["* Ana joined", "* Igor joined", "* Zoë joined"]
    for client in clients[1:]:
        assert client.messages == messages
    late = machine.client("Late")
    late.wait_line("* Late joined")
    assert late.messages == [*messages, "#34 * Late joined"]


def test_confirmations_name_who_has_read(machine: Machine) -> None:
    machine.server()
    ana, igor = machine.client("Ana"), machine.client("Igor")
    ana.wait_line("Igor joined")
    igor.signal(signal.SIGSTOP)
    ana.write("who reads this?")
    ana.wait_line("Ana: who reads this?")
    waiting = ask_until(ana, "/confirmations 3", "waiting for Igor")
    assert waiting == "-- confirmations of #3: delivered to nobody; read by nobody; waiting for Igor"
    igor.signal(signal.SIGCONT)
    read = ask_until(ana, "/confirmations 3", "waiting for nobody")
    assert read == "-- confirmations of #3: delivered to Igor; read by Igor; waiting for nobody"


def test_quit_tells_the_others_at_once(machine: Machine) -> None:
    machine.server(*NEVER)
    ana, igor = machine.client("Ana"), machine.client("Igor")
    igor.write("bye", "/quit", "not sent")
    assert igor.wait(4) == 0
    ana.wait_line("* Igor left", timeout=1)
    assert ana.bodies == ["* Ana joined", "* Igor joined", "Igor: bye", "* Igor left"]


def test_a_closed_terminal_tells_the_others_at_once(machine: Machine) -> None:
    machine.server(*NEVER)
    ana, igor = machine.client("Ana"), machine.client("Igor")
    igor.signal(signal.SIGHUP)
    ana.wait_line("* Igor left", timeout=4)
    assert igor.wait(4) == 0


def test_a_killed_client_is_gone_within_seconds(machine: Machine) -> None:
    server = machine.server(*QUICK)
    ana, igor = machine.client("Ana"), machine.client("Igor")
    igor.kill()
    ana.wait_line("* Igor left", timeout=20)
    [line] = server.wait_lines(lambda line: "lost a session of igor" in line, 1, errors=True)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ INFO room lobby: lost a session of igor at 127\.0\.0\.1 \(.+\)", line
    )


def test_at_the_end_of_input_what_was_sent_has_been_printed(machine: Machine) -> None:
    machine.server()
    typed = [f"line {number}" for number in range(20)]
    ci = machine.run("pyrochat-client", "ci", typed="\n".join(typed))
    assert ci.wait() == 0
    assert ci.bodies == ["* ci joined", *(f"ci: {line}" for line in typed)]
    assert not ci.complaints


def test_five_thousand_lines_through_a_pipe_keep_their_order(machine: Machine) -> None:
    server = machine.server("--rate", "0")
    watcher = machine.client("watcher", "--at", server.at)
    typed = [f"line {number}" for number in range(5_000)]
    ci = machine.run("pyrochat-client", "ci", typed="\n".join(typed))
    assert ci.wait() == 0
    assert [body for body in ci.bodies if not body.startswith("*")] == [f"ci: {line}" for line in typed]
    watcher.wait_line("* ci left")
    assert watcher.bodies[1:] == ["* ci joined", *(f"ci: {line}" for line in typed), "* ci left"]
    late = machine.client("late")
    late.wait_line("* late joined")
    watcher.wait_line("* late joined")
    assert late.messages == watcher.messages


def test_json_lines_are_objects(machine: Machine) -> None:
    machine.server()
    client = machine.run("pyrochat-client", "Zoë", "--json", typed="Olá\n/who\n/confirmations\n/history 1\n")
    assert client.wait() == 0
    assert all(line.isascii() for line in client.lines)
    by_type = {found["type"]: found for found in client.objects}
    assert list(by_type) == ["message", "members", "confirmations", "history"]
    message = by_type["message"]
    assert list(message) == ["type", "id", "room", "sender", "text", "time", "kind", "about", "ref"]
    assert (message["id"], message["room"], message["sender"], message["text"]) == (2, "lobby", "Zoë", "Olá")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", message["time"])
    assert by_type["members"]["members"] == ["Zoë"]
    assert by_type["confirmations"]["id"] == 2
    assert by_type["history"]["messages"][0]["text"] == "Olá"


def test_a_reader_that_has_enough_does_not_disturb_the_sender(machine: Machine) -> None:
    machine.server()
    watcher = machine.client("watcher")
    # head closes the pipe after one line; what is typed is sent all the same
    typed = "\n".join(f"line {number}" for number in range(50))
    pipe = machine.shell("pyrochat-client ci | head -n 1")
    pipe.write(*typed.splitlines())
    assert pipe.finish() == 0
    assert pipe.bodies == ["* watcher joined"]
    watcher.wait_line("* ci left")
    assert [body for body in watcher.bodies if body.startswith("ci:")] == [f"ci: line {n}" for n in range(50)]
    assert pipe.errors == ["joined room lobby as ci"]


def test_two_rooms_in_one_server_do_not_mix(machine: Machine) -> None:
    server = machine.server("--room", "tea", "--room", "coffee", rooms=2)
    assert list(server.uris) == ["tea", "coffee"]
    ana = machine.client("Ana", "--room", "tea")
    igor = machine.client("Igor", "--room", "COFFEE", "--at", server.at)
    ana.write("Earl Grey")
    igor.write("espresso")
    ana.wait_line("Earl Grey")
    igor.wait_line("espresso")
    assert ana.bodies == ["* Ana joined", "Ana: Earl Grey"]
    assert igor.bodies == ["* Igor joined", "Igor: espresso"]


def test_every_option_can_stand_in_the_environment(machine: Machine) -> None:
    port, data = free_port(), machine.folder / "elsewhere"
    variables = {"PYROCHAT_ROOM": "tea coffee", "PYROCHAT_PORT": port, "PYROCHAT_DATA": data, "PYROCHAT_GRACE": 600}
    server = machine.start("pyrochat-server", env=variables)
    server.wait_line(f"room 'tea' ready at PYRO:pyrochat.tea@localhost:{port}")
    server.wait_line(f"room 'coffee' ready at PYRO:pyrochat.coffee@localhost:{port}")
    assert sorted(path.name for path in (data / "rooms").glob("*.sqlite3")) == ["coffee.sqlite3", "tea.sqlite3"]
    variables = {"PYROCHAT_ROOM": "coffee", "PYROCHAT_AT": f"localhost:{port}", "PYROCHAT_JSON": 1}
    ana = machine.run("pyrochat-client", "Ana", typed="espresso", env=variables)
    assert ana.wait() == 0
    assert [(found["room"], found["text"]) for found in ana.objects][1:] == [("coffee", "espresso")]
