"""Programs that fork: a child neither uses nor disturbs what belongs to its parent, and can begin anew."""

from __future__ import annotations

import signal

import pytest

import pyrochat
from tests.support import changes, eventually, free_port, texts
from tests.system.support import Machine, Process

QUICK = ("--beat", "0.5", "--silence", "2", "--grace", "1")

PARENT = """
import os, sys
import pyrochat

def wait(pid):
    print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)

chat = pyrochat.join("Ana", at=sys.argv[1])
other = pyrochat.join("Ben", at=sys.argv[1])
states = []
chat.on_state(lambda state, reason: states.append(state))
"""


def run(machine: Machine, program: str, *arguments: str) -> Process:
    """Run *program* to its end."""
    process = machine.python(program, *arguments)
    assert process.wait() == 0, str(process)
    assert "Traceback" not in str(process)
    return process


CHILD_EXITS = (
    PARENT
    + """
for number in range(5):
    pid = os.fork()
    if pid == 0:
        sys.exit(number)  # with all that the interpreter does at its end
    wait(pid)
    chat.send(f"after {number}")
with chat:  # a child that leaves the block leaves nothing else
    pid = os.fork()
    if pid == 0:
        sys.exit(7)
    wait(pid)
    message = chat.send("the last")
    other.wait_for(message.id, timeout=20)
    print("states", states, chat.members, flush=True)
"""
)


def test_found_21_a_child_that_ends_does_not_take_its_parent_out(machine: Machine) -> None:
    server = machine.server()
    parent = run(machine, CHILD_EXITS, server.at)
    assert parent.lines == [*(f"child {n}" for n in (0, 1, 2, 3, 4, 7)), "states [] ['Ana', 'Ben']"]
    with pyrochat.join("late", at=server.at) as late:
        eventually(lambda: late.members == ["late"])
        assert changes(late.history())[:2] == ["Ana joined", "Ben joined"]
        assert sorted(changes(late.history())[2:4]) == ["Ana left", "Ben left"]
        assert texts(late.history()) == [*(f"after {number}" for number in range(5)), "the last"]


USES_ALL = (
    PARENT
    + """
arguments = {
    "send": ("no",), "send_many": (["no"],), "wait_for": (1,), "confirmations": (1,), "mark_read": (1,),
    "search": ("no",), "create_room": ("no",), "join_room": ("no",), "on_message": (print,), "on_state": (print,),
    "on_notice": (print,), "on_unnumbered": (print,), "off": (print,), "current": (1,), "edit": (1, "no"), "redact": (1,), "react": (1, "no"),
    "unreact": (1, "no"), "set_topic": ("no",), "wait_read": (1,), "on_confirmations": (print,), "is_mentioned_in": ("no",),
    "called": (1,), "find": ("1",), "who": (chat.history()[0],), "direct": ("no",), "invite": ("no",), "remove": ("no",), "counts_as_unread": (chat.history()[0],),
}
listening = chat.listen(after=0)
next(listening)
pid = os.fork()
if pid == 0:
    uses = {name: lambda name=name: getattr(chat, name) for name in dir(chat) if name[0] != "_"}
    for name in ("name", "room"):
        print(name, uses.pop(name)(), flush=True)
    uses["the rest of a listening"] = lambda: next(listening)
    for name, use in uses.items():
        try:
            found = use()
            found = found(*arguments.get(name, ())) if callable(found) else found
            if name == "listen":
                found = next(found)
            print("not refused:", name, found, flush=True)
        except pyrochat.ChatClosed as error:
            assert "this Chat belongs to the parent process: join in the child" in str(error), error
    print(len(uses), chat, flush=True)
    sys.exit(0)
wait(pid)
print(states, chat.send("still here").text, flush=True)
"""
)


def test_found_21_all_methods_of_the_parents_chat_say_so_in_a_child(machine: Machine) -> None:
    server = machine.server()
    process = run(machine, USES_ALL, server.at)
    count, _, shown = process.lines[2].partition(" ")
    assert process.lines[:2] == ["name Ana", "room lobby"]
    assert int(count) > 20
    assert shown == "<Chat of Ana in lobby: the parent process's>"
    assert process.lines[3:] == ["child 0", "[] still here"]


JOINS_ITSELF = (
    PARENT
    + """
import multiprocessing, threading
busy = threading.Event()
def keep_busy():
    while not busy.is_set():
        other.send("busy")
threading.Thread(target=keep_busy, daemon=True).start()

def work(number, at):
    try:
        chat.send("from a child")
        print("not refused", flush=True)
    except pyrochat.ChatClosed:
        pass
    with pyrochat.join(f"child{number}", at=at) as mine:
        message = mine.send(f"from child {number}")
        mine.wait_for(message.id, timeout=30)
        heard = threading.Event()
        mine.on_message(lambda message: heard.set(), after=0)
        assert heard.wait(30)

fork = multiprocessing.get_context("fork")
children = [fork.Process(target=work, args=(number, sys.argv[1])) for number in range(8)]
for child in children:
    child.start()
for child in children:
    child.join(60)
busy.set()
print([child.exitcode for child in children], states, flush=True)
chat.send("done")
"""
)


def test_found_21_a_child_joins_for_itself_whatever_its_parent_was_doing(machine: Machine) -> None:
    server = machine.server("--rate", "0")
    process = run(machine, JOINS_ITSELF, server.at)
    assert process.lines == [f"{[0] * 8} []"]
    with pyrochat.join("late", at=server.at) as late:
        said = [message for message in late.history() if message.text.startswith("from child ")]
        assert sorted((m.sender, m.text) for m in said) == [(f"child{n}", f"from child {n}") for n in range(8)]
        assert late.history()[-2].sender in ("Ana", "Ben")


FORKS_IN_A_HANDLER = (
    PARENT
    + """
import threading
done = threading.Event()

@other.on_message
def work(message):
    if not done.is_set():
        print(os.getpid() == parent, message.text, flush=True)
    if message.text.startswith("fork"):
        pid = os.fork()
        if pid == 0:
            if message.text == "fork and exit":
                sys.exit(3)
            if message.text == "fork and end":
                os._exit(4)
            return
        wait(pid)
    elif message.text == "the last":
        done.set()

parent = os.getpid()
chat.send_many(["one", "fork and exit", "fork and end", "fork and return", "two", "the last"])
assert done.wait(60)
assert other.state == "connected"
"""
)


def test_found_21_a_handler_that_forks_goes_on_in_the_parent_only(machine: Machine) -> None:
    server = machine.server()
    process = run(machine, FORKS_IN_A_HANDLER, server.at)
    assert process.lines == [
        "True one", "True fork and exit", "child 0", "True fork and end", "child 4", "True fork and return", "child 0",
        "True two", "True the last",
    ]  # fmt: skip


CHILD_OUTLIVES = (
    PARENT
    + """
pid = os.fork()
if pid == 0:
    print("living on", flush=True)
    sys.stdin.read()
    os._exit(0)
sys.stdin.read()
"""
)


def test_found_21_a_child_that_lives_on_does_not_hold_its_parents_connections(machine: Machine) -> None:
    server = machine.server(*QUICK[:4], "--grace", "600")
    with pyrochat.join("watcher", at=server.at) as watcher:
        parent = machine.python(CHILD_OUTLIVES, server.at)
        parent.wait_line("living on")
        eventually(lambda: watcher.members == ["watcher", "Ana", "Ben"])
        parent.kill()
        eventually(lambda: set(watcher.suspected()) == {"Ana", "Ben"})
        parent.end_input()
    lost = server.wait_lines(lambda line: "lost a session of" in line, 2, errors=True)
    assert not [line for line in lost if "no answer" in line], "it is seen at once, and not by its silence"


HOSTS = """
import os, sys
import pyrochat

def wait(pid):
    print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)

server = pyrochat.host("lobby", port=int(sys.argv[1]), nameserver=False)
igor = pyrochat.join("Igor", at=server.at)
message = igor.send("before")
for number in range(5):
    pid = os.fork()
    if pid == 0:
        for name in ("at", "close", "port", "rooms", "status", "uri", "wait", "started_nameserver"):
            try:
                found = getattr(server, name)
                print("not refused", name, found("lobby") if name == "uri" else found() if callable(found) else found)
            except pyrochat.CannotHost as error:
                assert "belongs to the parent process: host in the child" in str(error)
        print(server, flush=True)
        with server:
            sys.exit(number)
    wait(pid)
    igor.send(f"after {number}")
pid = os.fork()
if pid == 0:
    with pyrochat.join("child", at=sys.argv[2]) as child:
        child.send("from the child")
    with pyrochat.host("lobby", data="elsewhere", nameserver=False) as mine, pyrochat.join("X", at=mine.at) as x:
        print(x.send("in a room of its own").id, flush=True)
    try:
        pyrochat.host("lobby", nameserver=False)
    except pyrochat.LogInUse:
        print("the log is the parent's", flush=True)
    sys.exit(0)
wait(pid)
print([m.text for m in igor.history() if m.kind == "chat"], igor.state, flush=True)
pid = os.fork()
if pid == 0:
    print("living on", flush=True)
    sys.stdin.read()
    os._exit(0)
sys.stdin.read()
"""


def test_found_21_a_child_of_a_program_that_hosts_leaves_the_server_alone(machine: Machine) -> None:
    port = free_port()
    parent = machine.python(HOSTS, str(port), f"localhost:{port}")
    parent.wait_line("living on")
    parent.kill()
    shown = "<PyroChat server: the parent process's>"
    said = [line for line in parent.lines if line != "living on"]
    assert said == [
        *(line for number in range(5) for line in (shown, f"child {number}")),
        "2", "the log is the parent's", "child 0",
        f"{['before', *(f'after {number}' for number in range(5)), 'from the child']} connected",
    ]  # fmt: skip
    server = machine.server(port=port)  # port and log are free, though the child lives on
    with pyrochat.join("late", at=server.at) as late:
        assert texts(late.history())[-1] == "from the child"
    parent.end_input()


def test_found_21_a_child_forked_while_the_server_is_busy_ends(machine: Machine) -> None:
    """No lock that was held at the fork is waited for at its end."""
    program = """
import os, sys, signal, threading
import pyrochat
with pyrochat.host("lobby", nameserver=False, rate=0) as server:
    chats = [pyrochat.join(f"m{number}", at=server.at) for number in range(4)]
    ended = threading.Event()
    def keep_busy(chat):
        while not ended.is_set():
            chat.send("busy")
    threads = [threading.Thread(target=keep_busy, args=(chat,)) for chat in chats]
    for thread in threads:
        thread.start()
    codes = set()
    for _ in range(30):
        pid = os.fork()
        if pid == 0:
            signal.alarm(30)  # a child that hangs is ended, and its code says so
            sys.exit(9)
        codes.add(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    ended.set()
    for thread in threads:
        thread.join()
    print(codes, {chat.state for chat in chats}, flush=True)
    for chat in chats:
        chat.leave()
"""
    assert run(machine, program).lines == ["{9} {'connected'}"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_child_that_is_killed_disturbs_nobody(machine: Machine, number: int) -> None:
    server = machine.server()
    program = (
        PARENT
        + f"""
import signal
pid = os.fork()
if pid == 0:
    signal.pause()
    os._exit(0)
os.kill(pid, {int(number)})
os.waitpid(pid, 0)
print(chat.send("on").text, states, flush=True)
"""
    )
    assert run(machine, program, server.at).lines[-1] == "on []"
