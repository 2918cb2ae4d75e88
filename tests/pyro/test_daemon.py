"""The daemon: what strangers get to know, and how errors look on the wire."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator

import pytest
from Pyro5 import errors as pyro_errors
from Pyro5 import protocol
from Pyro5.api import Proxy
from Pyro5.serializers import MarshalSerializer, serializers_by_id
from Pyro5.socketutil import SocketConnection

from pyrochat import CannotHost, InvalidArgument, Server, ServerFull, VersionMismatch
from pyrochat.core.places import Bounds
from pyrochat.pyro.connection import Connection
from pyrochat.pyro.daemon import MAX_REQUEST_BYTES, Daemon
from pyrochat.pyro.dispatch import expose
from pyrochat.pyro.remote import RemoteObject
from pyrochat.pyro.transport import MAX_GREETING_BYTES
from pyrochat.values.errors import PortInUse, PyroChatError, ServerFault
from tests.support import SERIALIZER_NAMES, Running, address_of, bare, eventually, free_port, raw_connection
from tests.values.test_errors import OF_THE_CLIENT, TREE


@expose
class Failing:
    """Raises what it is told to."""

    def ours(self, code: str) -> None:
        raise next(kind for kind in TREE if kind.code == code)("this happened: do that")

    def theirs(self) -> None:
        raise KeyError("/a/path/in/the/server")


def let_in(connection: Connection, data: object) -> None:
    connection.identity, connection.trusted = "somebody", True


def test_of_two_that_take_a_port_at_the_same_moment_one_is_told_that_it_is_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both may bind to it, as long as nobody listens."""
    port = free_port()
    with socket.socket() as rival:
        rival.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        rival.bind(("127.0.0.1", port))

        class Slower(socket.socket):
            def listen(self, *backlog: int) -> None:
                rival.listen()
                super().listen(*backlog)

        monkeypatch.setattr(socket, "socket", Slower)
        with pytest.raises(PortInUse, match=f"port {port} is in use: choose another"):
            Daemon("127.0.0.1", port, greet=let_in, bid_farewell=lambda who: None)


@pytest.fixture
def failing() -> Iterator[Daemon]:
    daemon = Daemon("localhost", 0, greet=let_in, bid_farewell=lambda who: None)
    daemon.register(Failing(), "failing")
    accepting = Running(daemon.requestLoop)
    yield daemon
    daemon.shutdown()
    accepting.result()


@pytest.mark.parametrize("serializer", SERIALIZER_NAMES)
def test_every_error_arrives_with_its_code_through_every_serializer(failing: Daemon, serializer: str) -> None:
    with Proxy(failing.uriFor("failing")) as proxy:
        proxy._pyroSerializer = serializer
        for kind in TREE:
            with pytest.raises((ValueError, PermissionError, RuntimeError)) as caught:
                proxy.ours(kind.code)
            assert str(caught.value) == f"{kind.code}: this happened: do that"


@pytest.mark.parametrize("kind", TREE)
def test_our_own_client_gets_the_error_itself(failing: Daemon, kind: type[PyroChatError]) -> None:
    """Or, where it is one that only a client can find out, an error that nobody acts on."""
    with contextlib.closing(RemoteObject(failing.address, "failing", "hello", timeout=20)) as remote:
        with pytest.raises(PyroChatError, match="this happened: do that") as caught:
            remote.call("ours", kind.code)
        assert type(caught.value) is (ServerFault if issubclass(kind, OF_THE_CLIENT) else kind)


@pytest.mark.parametrize("serializer", SERIALIZER_NAMES)
def test_errors_carry_no_traceback_and_no_inner_life(failing: Daemon, serializer: str) -> None:
    with Proxy(failing.uriFor("failing")) as proxy:
        proxy._pyroSerializer = serializer
        with pytest.raises(RuntimeError, match="internal-error: ") as caught:
            proxy.theirs()
        assert "path" not in str(caught.value)
        with pytest.raises(PermissionError) as refused:
            proxy.ours("name-taken")
        for error in (caught.value, refused.value):
            assert not getattr(error, "_pyroTraceback", None)


@pytest.mark.parametrize("call", ["nonsense", "__init__", "_room", "__class__"])
def test_what_is_not_exposed_can_not_be_called(server: Server, call: str) -> None:
    with bare(server, "Erick") as proxy:
        proxy._pyroBind()
        with pytest.raises(AttributeError):
            proxy._pyroInvoke(call, [], {})


def test_wrong_arguments_are_a_type_error(server: Server) -> None:
    with bare(server, "Erick") as proxy, pytest.raises(TypeError):
        proxy.post("a", "b", 1, "chat", "e")


@pytest.mark.parametrize("ask", ["registered", "info", "get_next_stream_item", "close_stream"])
def test_nobody_is_told_which_objects_there_are(server: Server, ask: str) -> None:
    with Proxy(f"PYRO:Pyro.Daemon@{server.at}") as proxy:
        proxy.ping()
        with pytest.raises(AttributeError):
            proxy._pyroInvoke(ask, [], {})


def test_a_room_that_is_not_there_is_said(server: Server) -> None:
    with Proxy(f"PYRO:pyrochat.kitchen@{server.at}") as proxy:
        proxy._pyroHandshake = {"name": "Erick"}
        with pytest.raises(pyro_errors.PyroError, match=r"room-not-found: |unknown object"):
            proxy.members()


def test_another_version_is_refused_on_both_sides(server: Server) -> None:
    with (
        bare(server, "Erick", version=99) as proxy,
        pytest.raises(pyro_errors.CommunicationError, match=r"version-mismatch: .* upgrade the older one"),
    ):
        proxy.members()
    with pytest.raises(VersionMismatch, match="upgrade the older one"):
        RemoteObject(address_of(server), "pyrochat.lobby", {"name": "Erick", "version": 0}, timeout=20)


@pytest.mark.parametrize(
    ("handshake", "code"),
    [
        ({"name": ""}, "invalid-name"),
        ({"name": 5}, "invalid-name"),
        ({"name": "a b"}, "invalid-name"),
        ({"name": "Erick", "key": 5}, "invalid-argument"),
        ({"name": "Erick", "key": "ab" * 32, "nonce": "ab" * 32}, "invalid-argument"),
        ({"name": "Erick", "key": "ab" * 32, "room": "pyrochat.lobby"}, "invalid-argument"),
        ({"name": "Erick", "key": "ab" * 31, "nonce": "ab" * 32, "room": "pyrochat.lobby"}, "invalid-argument"),
        ({"name": "Erick", "session": ["x"]}, "invalid-argument"),
        ({"name": "Erick", "version": "1"}, "version-mismatch"),
    ],
)
def test_a_handshake_against_the_rules_is_refused(server: Server, handshake: dict[str, object], code: str) -> None:
    with Proxy(server.uri("lobby")) as proxy:
        proxy._pyroHandshake = handshake
        with pytest.raises(pyro_errors.CommunicationError, match=f"{code}: "):
            proxy.members()


@pytest.mark.parametrize("handshake", ["hello", None, 5, [], {}, {"nickname": "Erick"}])
def test_who_gives_no_name_is_nobody_and_may_only_ask_the_server(server: Server, handshake: object) -> None:
    with Proxy(f"PYRO:pyrochat.server@{server.at}") as proxy:
        proxy._pyroHandshake = handshake
        assert proxy.rooms() == ["lobby"]
        assert proxy.version() == 2
    with Proxy(server.uri("lobby")) as proxy:
        proxy._pyroHandshake = handshake
        for call in (proxy.members, proxy.history, proxy.leave, proxy.standing, lambda proxy=proxy: proxy.post("x")):
            with pytest.raises(PermissionError, match="name-missing: "):
                call()


def test_a_full_server_says_so_to_every_kind_of_client() -> None:
    daemon = Daemon("localhost", 0, greet=let_in, bid_farewell=lambda who: None, bounds=Bounds.within(0))
    accepting = Running(daemon.requestLoop)
    try:
        with pytest.raises(ServerFull):
            RemoteObject(daemon.address, "failing", "hello", timeout=20)
        for serializer in SERIALIZER_NAMES:
            with Proxy(daemon.uriFor("failing")) as proxy:
                proxy._pyroSerializer = serializer
                with pytest.raises(pyro_errors.CommunicationError, match="server-full: "):
                    proxy.ours("x")
    finally:
        daemon.shutdown()
        accepting.result()


def test_a_port_that_is_in_use_or_none_is_said(
    server: Server, host_lobby: Callable[..., Server], tmp_path: object
) -> None:
    with pytest.raises(CannotHost, match="is in use"):
        host_lobby(port=server.port, data=tmp_path)
    with pytest.raises(InvalidArgument, match="a port has to be a whole number from 0 to 65,535"):
        host_lobby(port=99_999, data=tmp_path)


def test_a_connection_that_is_closed_gives_its_name_back(server: Server) -> None:
    with bare(server, "Erick") as proxy:
        proxy.post("hi")
        with bare(server, "ERICK") as other, pytest.raises(pyro_errors.CommunicationError, match="name-taken: "):
            other.post("hi")

    def free() -> bool:
        with bare(server, "Erick") as again, contextlib.suppress(pyro_errors.CommunicationError):
            return bool(again.post("again"))
        return False

    eventually(free)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        (3, MarshalSerializer.serializer_id, "only the serializers"),
        (4, protocol.FLAGS_COMPRESSED, "compressed"),
        (6, MAX_GREETING_BYTES + 1, "more than"),
        (7, MAX_GREETING_BYTES + 1, "more than"),
    ],
    ids=["marshal", "compressed", "large", "large annotations"],
)
def test_a_greeting_that_no_client_sends_is_refused_by_its_header(
    server: Server, field: int, value: int, reason: str
) -> None:
    """Nothing of its payload is read: it has not even been sent."""
    fields = [b"PYRO", protocol.PROTOCOL_VERSION, protocol.MSG_CONNECT, 1, 0, 0, 10, 0, bytes(16), 0, 0x4DC5]
    fields[field] = value
    with raw_connection(server) as sock:
        sock.settimeout(10)
        sock.sendall(struct.pack(protocol._header_format, *fields))
        answer = protocol.recv_stub(SocketConnection(sock, keep_open=True), [protocol.MSG_CONNECTFAIL])
        assert reason in serializers_by_id[answer.serializer_id].loads(answer.data)
        assert sock.recv(1) == b""


@pytest.mark.parametrize("serializer", SERIALIZER_NAMES)
def test_a_call_that_is_too_large_is_told_so_and_ends_its_connection(server: Server, serializer: str) -> None:
    with bare(server, "Erick", serializer) as proxy:
        assert proxy.history() == []
        with pytest.raises(pyro_errors.ProtocolError, match=f"more than {MAX_REQUEST_BYTES:,} bytes"):
            proxy.post_many(["x" * 16_000] * 100)
    with bare(server, "Igor") as proxy:
        assert proxy.history() == []
