"""The room with nothing but Pyro5: every method of the contract, from a program that has no PyroChat."""

from __future__ import annotations

import pytest

from tests.support import SERIALIZER_NAMES
from tests.system.support import Machine

PROGRAM = """
import sys, threading
import Pyro5.api
import Pyro5.errors

serializer = sys.argv[1]


def proxy(name):
    room = Pyro5.api.Proxy("PYRONAME:pyrochat.lobby")
    room._pyroSerializer = serializer
    room._pyroHandshake = {"name": name}
    return room


def refused(code, call):
    try:
        call()
    except Exception as error:
        assert code + ": " in str(error), error
    else:
        raise AssertionError(f"{code} did not come")


erick = proxy("Erick")

# post, post_many
id, room, sender, text, time_us, kind, key, about, change, ref, proof = erick.post("olá")
assert [id, room, sender, text, kind, key] == [1, "lobby", "Erick", "olá", "chat", None]
assert isinstance(time_us, int)
assert erick.post("with a key", "k1") == erick.post("with a key", "k1")
refused("key-conflict", lambda: erick.post("another text", "k1"))
many = erick.post_many(["a", "b"])
assert [message[0] for message in many] == [3, 4]
keyed = erick.post_many(["c", "d"], "batch")
assert [message[6] for message in keyed] == ["batch.0", "batch.1"]
assert erick.post_many(["c", "d"], "batch") == keyed

# history
assert [message[0] for message in erick.history()] == [1, 2, 3, 4, 5, 6]
assert erick.history(4, 1) == keyed[:1]
assert erick.history(6) == []

# search: newest first, and up to where there is an index
assert erick.search("with key") == [[erick.history(1, 1)[0]], 6, 6]
assert [message[0] for message in erick.search("from:erick", 6, 2)[0]] == [5, 4]
refused("invalid-argument", lambda: erick.search(""))

# who only posts is no member
assert erick.members() == []
refused("not-a-member", lambda: erick.mark_read(1))
refused("not-a-member", lambda: erick.leave())
refused("name-taken", lambda: proxy("ERICK").members())
refused("invalid-name", lambda: proxy("two words").members())
refused("invalid-text", lambda: erick.post(""))
refused("unknown-message", lambda: erick.confirmations(999))


# join: the room calls deliver(messages, marks) on an object of ours
class Callback:
    def __init__(self):
        self.changed = threading.Condition()
        self.log = []
        self.marks = {}
        self.read = 0

    @Pyro5.api.expose
    def deliver(self, messages, marks):
        with self.changed:
            self.log += messages
            self.marks.update((name, [delivered, read]) for name, delivered, read in marks)
            self.changed.notify_all()
            return [len(self.log), self.read]

    def wait(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, 15), (self.log, self.marks)


daemon = Pyro5.api.Daemon()
callback = Callback()
uri = str(daemon.register(callback))
threading.Thread(target=daemon.requestLoop, daemon=True).start()

igor = proxy("Igor")
refused("callback-unreachable", lambda: igor.join("PYRO:nobody@localhost:1"))
session_id, log_id, tail = igor.join(uri)
assert isinstance(session_id, str) and isinstance(log_id, str)
assert tail == 7
callback.wait(lambda: len(callback.log) == 7)
assert [message[0] for message in callback.log] == [1, 2, 3, 4, 5, 6, 7]
assert callback.log == erick.history()
assert callback.log[6][3:10] == ["Igor joined", callback.log[6][4], "system", None, None, "joined", None]
assert igor.members() == ["Igor"]

# live, and confirmed
live = erick.post("live")
callback.wait(lambda: len(callback.log) == 8)
assert callback.log[7] == live
while "Igor" not in erick.confirmations(8)[0]:  # his answer is on its way
    callback.wait(lambda: True)
assert erick.confirmations(8) == [["Igor"], [], ["Igor"], []]
igor.mark_read(8)
assert erick.confirmations(8) == [["Igor"], ["Igor"], [], []]
callback.wait(lambda: callback.marks.get("Igor") == [8, 8])
refused("unknown-message", lambda: igor.mark_read(99))

# leave
igor.leave()
assert erick.members() == []
assert erick.history(8)[0][3] == "Igor left"
refused("not-a-member", lambda: igor.leave())

# a name is held as long as its connection
igor._pyroRelease()
erick._pyroRelease()
daemon.shutdown()
assert "pyrochat" not in sys.modules
print("all of it")
"""


@pytest.mark.parametrize("serializer", SERIALIZER_NAMES)
def test_a_program_without_pyrochat_can_do_everything(machine: Machine, serializer: str) -> None:
    machine.server()
    program = machine.python(PROGRAM, serializer)
    assert program.finish() == 0, str(program)
    assert program.lines == ["all of it"]
