"""What a pipe asks for: so much of the history, no status, and to say something without being there."""

from __future__ import annotations

import signal

import pytest

import pyrochat
from pyrochat import Chat
from tests.support import changes, eventually, texts
from tests.system.support import Machine, free_port, stop
from tests.system.test_wrong_use import FAILED, WRONG_USAGE, assert_one_complaint


def seen(chat: Chat) -> list[str]:
    return [message.text for message in chat.history()]


@pytest.mark.parametrize("program", ["pyrochat", "pyrochat-client"])
def test_found_30_so_much_of_the_history_is_shown_first_and_then_what_comes(machine: Machine, program: str) -> None:
    server = machine.server()
    with pyrochat.join("Igor", at=server.at) as igor:
        igor.send_many(["one", "two", "three"])
        for count, before in (("3", ["Igor: two", "Igor: three", "* Ana joined"]), ("0", [])):
            ana = machine.client("Ana", "--history", count, program=program)
            ana.write("/who", "hi")
            igor.send("live")
            ana.wait_line("Igor: live")
            assert ana.finish() == 0
            assert ana.bodies[: len(before)] == before
            assert sorted(ana.bodies[len(before) :]) == ["Ana: hi", "Igor: live"]
        all_of_it = machine.run(program, "Ana", "--history", "1000", "--plain").bodies
        assert all_of_it[:3] == ["* Igor joined", "Igor: one", "Igor: two"]
        wrong = machine.run(program, "Ana", "--history", "-1")
        assert_one_complaint(wrong, WRONG_USAGE, "--history")
        asked = machine.run(program, "Ana", typed="/quit", env={"PYROCHAT_HISTORY": "0", "PYROCHAT_QUIET": "1"})
        assert (asked.lines, asked.errors) == ([], [])


def test_found_30_who_wants_quiet_is_told_no_status_and_every_error(machine: Machine) -> None:
    port = free_port()
    server = machine.server(port=port)
    ana = machine.start("pyrochat-client", "Ana", "--quiet")
    ana.wait_line("* Ana joined")
    stop(server)
    again = machine.server(port=port)
    ana.write("x" * 20_000, "back")
    ana.wait_line("Ana: back")
    assert ana.finish() == FAILED
    assert len(ana.errors) == 1
    assert ana.errors[0].startswith("error: the text has 20,000 bytes")
    stop(again)
    assert_one_complaint(machine.run("pyrochat-client", "Ana", "--quiet"), FAILED, "no name server answers")


@pytest.mark.parametrize("program", ["pyrochat", "pyrochat-client"])
def test_found_30_who_does_not_join_posts_in_order_and_is_no_member(machine: Machine, program: str) -> None:
    server = machine.server()
    with pyrochat.join("Igor", at=server.at) as igor:
        pipe = machine.run(program, "ci", "--no-join", typed="one\ntwo\n//three")
        assert (pipe.wait(), pipe.lines, pipe.errors) == (0, [], ["posting to room lobby as ci"])
        assert seen(igor) == ["Igor joined", "one", "two", "/three"]
        assert igor.members == ["Igor"]
        assert {m.sender for m in igor.history(after=1)} == {"ci"}
        waiting = machine.start(program, "Igor", "--no-join", "--quiet")
        waiting.write("as a member who is here already")
        eventually(lambda: seen(igor)[-1] == "as a member who is here already")
        assert waiting.finish() == 0
        assert changes(igor.history()) == ["Igor joined"]


def test_found_30_who_does_not_join_goes_on_when_the_server_is_back_and_sends_nothing_twice(machine: Machine) -> None:
    port = free_port()
    server = machine.server(port=port)
    pipe = machine.start("pyrochat-client", "ci", "--no-join")
    with pyrochat.join("Igor", at=server.at) as igor:
        for number in range(3):
            pipe.write(f"before {number}")
            eventually(lambda number=number: f"before {number}" in seen(igor))
            server.kill()
            pipe.write(f"meanwhile {number}")
            pipe.wait_lines(lambda line: "connection lost" in line, number + 1, errors=True)
            server = machine.server(port=port)
            eventually(lambda number=number: f"meanwhile {number}" in seen(igor), 30)
        assert pipe.finish() == 0
        assert texts(igor.history()) == [f"{when} {n}" for n in range(3) for when in ("before", "meanwhile")]


def test_found_30_what_could_not_be_posted_is_said(machine: Machine) -> None:
    server = machine.server()
    pipe = machine.start("pyrochat-client", "ci", "--no-join", "--quiet")
    pipe.write("/who", "x" * 20_000, "one")
    with pyrochat.join("Igor", at=server.at) as igor:
        eventually(lambda: "one" in seen(igor))
    server.kill()
    pipe.write("two", "three")
    pipe.signal(signal.SIGTERM)
    assert pipe.wait() == FAILED
    assert pipe.errors[0].startswith("error: /who is for members")
    assert pipe.errors[1].startswith("error: the text has 20,000 bytes")
    assert pipe.errors[2].startswith("error: 2 lines were not sent")
    assert [line.rpartition("sent: ")[2] for line in pipe.errors[3:]] == ["two", "three"]


def test_found_30_without_a_room_there_is_nothing_to_post_to(machine: Machine) -> None:
    for program in ("pyrochat", "pyrochat-client"):
        assert_one_complaint(machine.run(program, "ci", "--no-join", typed="x"), FAILED, "no name server answers")
    two = machine.run("pyrochat-client", "ci", "--no-join", "--room", "tea", "--room", "coffee")
    assert_one_complaint(two, WRONG_USAGE, "--no-join posts to one room")
    for program in ("pyrochat", "pyrochat-client"):
        both = machine.run(program, "ci", "--no-join", "--follow")
        assert_one_complaint(both, WRONG_USAGE, "--no-join posts what is typed, and --follow reads nothing")
