"""Callbacks of bare clients: called at the caller's own address only, within a deadline, and never believed."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from Pyro5 import protocol
from Pyro5.api import BatchProxy, Daemon, expose

from lab.attacks.wire import Stranger, call_frame
from pyrochat import Server
from pyrochat.core.places import Bounds
from pyrochat.pyro.frames import FrameReader, whole_frame
from pyrochat.pyro.serializers import JSON, MSGPACK, encode_value
from tests.security.support import LOOPBACK, Host, Join
from tests.support import Running, address_of, bare, changes, eventually

OTHER_ADDRESS = "127.0.0.2"


@contextlib.contextmanager
def listening(host: str) -> Iterator[socket.socket]:
    with socket.create_server((host, 0)) as sock:
        yield sock


def nobody_came(sock: socket.socket) -> bool:
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        sock.accept()[0].close()
        return False
    return True


@pytest.mark.parametrize("host", [OTHER_ADDRESS, "0.0.0.0", "[::1]", "2130706434", "127.2"])
def test_nobody_is_made_to_connect_elsewhere(server: Server, host: str) -> None:
    with listening(OTHER_ADDRESS) as victim, bare(server, "Mallory") as mallory:
        with pytest.raises(PermissionError, match="callback-unreachable: "):
            mallory.join(f"PYRO:x@{host}:{victim.getsockname()[1]}")
        assert nobody_came(victim)
        assert mallory.members() == []


@pytest.mark.parametrize("uri", ["PYRO:x@./u:{path}", "PYRONAME:x", "PYROMETA:x", "PYRO:x@./u:\0{path}", "x@{path}"])
def test_no_unix_socket_and_no_name_is_followed(server: Server, tmp_path: Path, uri: str) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as victim, bare(server, "Mallory") as mallory:
        victim.bind(str(path))
        victim.listen()
        with pytest.raises(PermissionError, match="callback-unreachable: "):
            mallory.join(uri.format(path=path))
        assert nobody_came(victim)


def test_a_callback_that_is_silent_has_a_deadline_of_its_own(serve: Host, joined: Join) -> None:
    server = serve(connect_seconds=0.3)
    with listening(LOOPBACK) as silent:

        def join() -> None:
            with bare(server, "Mallory") as mallory:
                mallory.join(f"PYRO:x@{LOOPBACK}:{silent.getsockname()[1]}")

        joining = Running(join)
        assert joined("Ana", at=server.at).send("meanwhile").text == "meanwhile"
        with pytest.raises(PermissionError, match=r"callback-unreachable: .* did not answer within 0.3 s"):
            joining.result()


# -- callbacks that never answer -----------------------------------------------------------------------------------


def workers() -> int:
    return sum(thread.name.startswith("pyrochat-worker") for thread in threading.enumerate())


def test_found_6_callbacks_that_never_answer_hold_no_worker(serve: Host, joined: Join) -> None:
    """Given 50 of them, all connected to and silent, then there are few workers, and others are served."""
    server = serve(connect_seconds=60.0)
    with listening(LOOPBACK) as silent, contextlib.ExitStack() as stack:
        silent.settimeout(10)
        uri = f"PYRO:x@{LOOPBACK}:{silent.getsockname()[1]}"
        callers = [stack.enter_context(Stranger(address_of(server))).greet(f"caller{n}") for n in range(50)]
        for caller in callers:
            caller.send(call_frame("join", uri))
            stack.enter_context(silent.accept()[0])
        eventually(lambda: workers() < 20)
        assert not select.select([caller.sock for caller in callers], [], [], 0)[0], "they are still connected to"
        assert joined("Ana", at=server.at).send("meanwhile").text == "meanwhile"
        with bare(server, "Igor") as igor:
            assert igor.members() == ["Ana"]


def test_found_6_others_callbacks_are_called_meanwhile(serve: Host) -> None:
    """Also those of the same address, which has no place left: who is slowest makes room, and is told so."""
    server = serve(connect_seconds=60.0, bounds=Bounds(callbacks_of_a_peer=3))
    with listening(LOOPBACK) as silent, contextlib.ExitStack() as stack:
        uri = f"PYRO:x@{LOOPBACK}:{silent.getsockname()[1]}"
        callers = [stack.enter_context(Stranger(address_of(server))).greet(f"caller{n}") for n in range(6)]
        for caller in callers:
            caller.send(call_frame("join", uri))
        told = eventually(lambda: select.select([caller.sock for caller in callers], [], [], 0)[0][2:])
        hostile = Hostile(answer([0, 0]))
        with bare(server, "Igor", "msgpack") as igor:
            igor.join(hostile.uri)
            assert igor.members() == ["Igor"]
            igor.leave()
        hostile.close()
        [reply] = [caller.reply() for caller in callers if caller.sock in told]
        assert reply is not None
        assert reply.text.startswith("callback-unreachable: ")


def test_found_6_in_a_batch_nobody_waits_for_a_callback_either(server: Server) -> None:
    with listening(LOOPBACK) as silent, bare(server, "Mallory") as mallory:
        batch = BatchProxy(mallory)
        batch.members()
        batch.join(f"PYRO:x@{LOOPBACK}:{silent.getsockname()[1]}")
        results = batch()
        assert next(results) == []
        with pytest.raises(ValueError, match=r"invalid-argument: .* call it by itself"):
            next(results)
        assert nobody_came(silent)


def test_found_6_who_has_gone_meanwhile_opens_no_session_under_a_name_that_another_has(server: Server) -> None:
    """Given a guest whose callback answers late, when it has hung up and another has its name, then it has not joined."""
    with listening(LOOPBACK) as late:
        with Stranger(address_of(server)) as gone:
            gone.greet("Ana").send(call_frame("join", f"PYRO:x@{LOOPBACK}:{late.getsockname()[1]}"))
            peer, _ = late.accept()
        with peer, bare(server, "Ana") as ana:
            assert ana.members() == []
            peer.recv(1000)
            peer.sendall(whole_frame(protocol.MSG_CONNECTOK, encode_value({}, MSGPACK), MSGPACK))
            peer.settimeout(10)
            with contextlib.suppress(ConnectionResetError):
                assert peer.recv(1000) == b"", "the room calls it"
            assert ana.members() == []


@pytest.mark.parametrize("host", ["localhost", "my-laptop", "nowhere.invalid"])
def test_a_hosts_name_is_the_callers_own_and_is_not_looked_up(server: Server, host: str) -> None:
    hostile = Hostile(answer([0, 0]))
    with bare(server, "Igor", "msgpack") as igor:
        igor.join(hostile.uri.replace(LOOPBACK, host))
        assert igor.members() == ["Igor"]
        igor.leave()
    hostile.close()


# -- what a callback answers ---------------------------------------------------------------------------------------


class Hostile:
    """A callback's end by hand: shakes hands, and answers each delivery with *frame*."""

    def __init__(self, frame: Callable[[int, int], bytes]) -> None:
        self._listening = socket.create_server((LOOPBACK, 0))
        self.uri = f"PYRO:callback@{LOOPBACK}:{self._listening.getsockname()[1]}"
        self._frame = frame
        self._running = Running(self._serve)

    def _serve(self) -> None:
        with self._listening, contextlib.suppress(OSError):
            sock, _ = self._listening.accept()
            with sock:
                reader = FrameReader(1 << 24)
                while chunk := sock.recv(65_536):
                    reader.feed(chunk)
                    while (frame := reader.next()) is not None:
                        sock.sendall(self._answer(frame.type, frame.serializer_id, frame.sequence))

    def _answer(self, kind: int, serializer_id: int, sequence: int) -> bytes:
        if kind != protocol.MSG_CONNECT:
            return self._frame(serializer_id, sequence)
        return whole_frame(protocol.MSG_CONNECTOK, encode_value({"handshake": "hello"}, serializer_id), serializer_id)

    def close(self) -> None:
        self._running.result()


def answer(value: object, flags: int = 0) -> Callable[[int, int], bytes]:
    return lambda serializer, sequence: whole_frame(
        protocol.MSG_RESULT, encode_value(value, serializer), serializer, sequence, flags
    )


EXIT = {"__class__": "SystemExit", "__exception__": True, "args": ["stop"], "attributes": {}}
ENDING = {
    "an exception": answer(EXIT, protocol.FLAGS_EXCEPTION),
    "an exception of its own": answer(EXIT | {"__class__": "os.system"}, protocol.FLAGS_EXCEPTION),
    "too much": answer(["x" * 100_000]),
    "two answers": lambda serializer, sequence: answer([0, 0])(serializer, sequence) * 2,
    "another frame": lambda serializer, sequence: whole_frame(protocol.MSG_PING, b"", serializer, sequence),
    "no frame": lambda serializer, sequence: b"GET / HTTP/1.1\r\n\r\n" * 10,
    "compressed": lambda serializer, sequence: whole_frame(
        protocol.MSG_RESULT, b"x\x9c", serializer, sequence, protocol.FLAGS_COMPRESSED
    ),
    "another serializer": lambda serializer, sequence: whole_frame(protocol.MSG_RESULT, b"\x80\x04N.", 3, sequence),
}


@pytest.mark.parametrize("frame", ENDING.values(), ids=list(ENDING))
def test_a_callback_that_answers_nonsense_is_lost_and_the_room_goes_on(
    server: Server, joined: Join, frame: Callable[[int, int], bytes]
) -> None:
    ana = joined("Ana")
    hostile = Hostile(frame)
    with bare(server, "Mallory", "msgpack") as mallory:
        mallory.join(hostile.uri)
        eventually(lambda: changes(ana.history())[-1] == "Mallory left")
    assert ana.wait_for(ana.send("we go on").id, timeout=20)
    assert ana.state == "connected"
    hostile.close()


WORTHLESS = [EXIT, [1 << 80, 1 << 80], ["1", "2"], [True, True], None, "x", {"__class__": "Pyro5.core.URI"}]


@pytest.mark.parametrize("value", WORTHLESS, ids=str)
def test_marks_that_make_no_sense_move_nothing_they_should_not(server: Server, joined: Join, value: object) -> None:
    ana = joined("Ana", read="manual")
    if isinstance(value, list) and 1 << 80 in value:
        hostile = Hostile(lambda serializer, sequence: whole_frame(
            protocol.MSG_RESULT, b"[%d, %d]" % (1 << 80, 1 << 80), JSON, sequence))  # fmt: skip
    else:
        hostile = Hostile(answer(value))
    with bare(server, "Mallory", "msgpack") as mallory:
        mallory.join(hostile.uri)
        message = ana.send("who reads this?")
        eventually(lambda: ana.confirmations(message.id).delivered_to == {"Mallory"} or ana.members == ["Ana"])
        assert ana.marks["Ana"][0] <= ana.history()[-1].id
        with contextlib.suppress(PermissionError):  # it was lost meanwhile
            mallory.leave()
    assert ana.wait_for(ana.send("we go on").id, timeout=20)
    hostile.close()


def test_a_stock_callback_at_the_callers_address_is_called(server: Server) -> None:
    """That the refusals above are not all there is."""

    class Callback:
        def __init__(self) -> None:
            self.texts: list[object] = []

        @expose
        def deliver(self, messages: list[list[object]], marks: list[object]) -> list[int]:
            self.texts += [message[3] for message in messages]
            return [len(self.texts), 0]

    callback, stopped = Callback(), []
    daemon = Daemon(host="localhost")
    serving = Running(lambda: daemon.requestLoop(lambda: not stopped))
    with bare(server, "Igor", "json") as igor:
        igor.join(str(daemon.register(callback)))
        eventually(lambda: callback.texts == ["Igor joined"])
        igor.leave()
    stopped.append(True)
    daemon.shutdown()
    serving.result()
    daemon.close()
