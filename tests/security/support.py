"""What the tests of security share: a recording relay, an impostor's server, knocking with a key, certificates."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pyrochat import Chat, Server
from pyrochat.pyro.daemon import Daemon
from pyrochat.pyro.dispatch import expose
from pyrochat.pyro.remote import RemoteObject
from pyrochat.pyro.tls import ClientTls, ServerTls
from pyrochat.room.door.registry import Registry
from pyrochat.trust.certificates import fingerprint
from pyrochat.trust.keys import Key
from pyrochat.trust.proofs import Meeting, new_nonce
from pyrochat.values.protocol import PROTOCOL_VERSION
from tests.support import Running, address_of

Join = Callable[..., Chat]
Host = Callable[..., Server]
LOOPBACK = "127.0.0.1"


# -- on the wire ------------------------------------------------------------------------------------------------


class Recorder:
    """A relay on a port of its own that keeps what goes either way, for each connection."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listening = socket.create_server((LOOPBACK, 0))
        self.at = f"{LOOPBACK}:{self._listening.getsockname()[1]}"
        self.to_server: list[bytearray] = []
        self.to_client: list[bytearray] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def everything(self) -> bytes:
        """All bytes of all connections, both ways."""
        return b"".join(bytes(part) for part in (*self.to_server, *self.to_client))

    def add(self, data: bytes) -> None:
        """Bytes of the relay's own, to the server, on each connection that it has."""
        for sock in self._sockets[1::2]:
            with contextlib.suppress(OSError):
                sock.sendall(data)

    def _start(self, function: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=function, args=arguments, name="test-recorder", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._target, 5)
                server.settimeout(None)
                self._sockets += [client, server]
                self.to_server.append(bytearray())
                self.to_client.append(bytearray())
                self._start(self._pump, client, server, self.to_server[-1])
                self._start(self._pump, server, client, self.to_client[-1])

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65_536):
                kept += chunk
                target.sendall(chunk)
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._listening, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(20)


# -- who pretends to be a server ----------------------------------------------------------------------------------


@expose
class FakeRoom:
    """Takes whatever a client would send to its room, and writes it down."""

    def __init__(self, taken: list[tuple[str, tuple[object, ...]]], prove: Callable[..., object]) -> None:
        self._taken = taken
        self._prove = prove

    def prove(self, *arguments: object) -> None:
        """A client proves who it is."""
        self._taken.append(("prove", arguments))
        self._prove(*arguments)

    def join(self, *arguments: object) -> list[object]:
        """A client joins."""
        self._taken.append(("join", arguments))
        return ["session", "log", 0]

    def post(self, *arguments: object) -> None:
        """A client posts."""
        self._taken.append(("post", arguments))


@expose
class FakeServer:
    """Says which rooms there are."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def rooms(self) -> list[str]:
        """Which rooms there are."""
        return self._names


class Impostor:
    """A server of our own making. taken: the calls that a client made on its room, the greetings among them.

    answer: what it answers to a greeting that names a room, from the greeting's data. prove: what it does with a
    proof. tls: the PEM file of a certificate with its key.
    """

    def __init__(
        self, answer: Callable[[dict[str, Any]], object], *, host: str = LOOPBACK, port: int = 0,
        prove: Callable[..., object] = lambda *_: None, tls: Path | None = None, rooms: list[str] | None = None,
    ) -> None:  # fmt: skip
        self.taken: list[tuple[str, tuple[object, ...]]] = []

        def greet(connection: Any, data: object) -> object:
            connection.identity, connection.settled, connection.trusted = "somebody", True, True
            if not isinstance(data, dict):
                return {}
            self.taken.append(("greeting", (data,)))
            return answer(data)

        context = ServerTls(tls, tls).context() if tls else None
        self._daemon = Daemon(host, port, greet=greet, bid_farewell=lambda who: None, tls=context)
        self._daemon.register(FakeRoom(self.taken, prove), "pyrochat.lobby")
        self._daemon.register(FakeServer(rooms or ["lobby"]), "pyrochat.server")
        self.at = f"{host}:{self._daemon.port}"
        self.uri = f"PYRO:pyrochat.lobby@{self.at}"
        self._running = Running(self._daemon.requestLoop)

    @property
    def calls(self) -> list[str]:
        """What was called on it, greetings left out: nothing, where the client is careful."""
        return [method for method, _ in self.taken if method != "greeting"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._daemon.shutdown()
        self._running.result()


def honest_answer(key: Key, certificate: bytes = b"", password: bool = False) -> Callable[[dict[str, Any]], object]:
    """The answer of a server that has *key* and says so as it should."""

    def answer(greeting: dict[str, Any]) -> object:
        nonce = new_nonce()
        meeting = Meeting(
            greeting["name"], bytes.fromhex(greeting["key"]), bytes.fromhex(greeting["nonce"]), greeting["room"],
            key.public, nonce, certificate,
        )  # fmt: skip
        return {
            "version": PROTOCOL_VERSION, "key": key.public.hex(), "password": password, "nonce": nonce.hex(),
            "signature": key.sign(meeting.for_server()).hex(),
        }  # fmt: skip

    return answer


# -- coming with a key, by hand -----------------------------------------------------------------------------------


class Knock(NamedTuple):
    """A connection that was greeted with a key and has proved nothing yet."""

    remote: RemoteObject
    meeting: Meeting
    key: Key

    def proof(self, by: Key | None = None, **other: Any) -> str:
        """The signature that the server wants; with *other* facts, or by another key, one that it must not want."""
        return (by or self.key).sign(replace(self.meeting, **other).for_client()).hex()

    def prove(self, **other: Any) -> None:
        self.remote.call("prove", self.proof(**other), None)


@contextlib.contextmanager
def knocking(
    server: Server | str, name: str, key: Key | None = None, room: str = "lobby", tls: ClientTls | None = None,
    on: str | None = None, **more: object,
) -> Iterator[Knock]:  # fmt: skip
    """Greet *server* as *name* with *key*; on: the object that is greeted, where that is not the room."""
    address = address_of(server) if isinstance(server, Server) else _address(server)
    key, nonce, object_id = key or Key.made(), new_nonce(), f"pyrochat.{room}"
    greeting = {
        "name": name, "version": PROTOCOL_VERSION, "key": key.public.hex(), "nonce": nonce.hex(), "room": object_id,
    } | more  # fmt: skip
    remote = RemoteObject(address, on or object_id, greeting, timeout=10, tls=tls)
    with contextlib.closing(remote):
        answer = remote.greeting
        assert isinstance(answer, dict)
        seen = fingerprint(remote.certificate) if remote.certificate else b""
        meeting = Meeting(
            name, key.public, nonce, object_id, bytes.fromhex(answer["key"]), bytes.fromhex(answer["nonce"]), seen
        )  # fmt: skip
        yield Knock(remote, meeting, key)


@contextlib.contextmanager
def entered(server: Server | str, name: str, key: Key | None = None, room: str = "lobby") -> Iterator[RemoteObject]:
    """A connection on which *name* has been proved with *key*."""
    with knocking(server, name, key, room) as knock:
        knock.prove()
        yield knock.remote


def let_be_known(data: Path, name: str, key: Key, seconds: float = 86_400.0) -> None:
    """*name* has been *key*'s for so long, in the registry of the folder *data*."""
    with contextlib.closing(Registry(data)) as registry:
        registry.claim(name, key.public)
    with contextlib.closing(sqlite3.connect(data / "names.sqlite3")) as db, db:
        db.execute("UPDATE names SET since_us = since_us - ? WHERE name = ?", (int(seconds * 1e6), name))


def _address(at: str) -> tuple[str, int]:
    host, _, port = at.rpartition(":")
    return host, int(port)


# -- certificates -------------------------------------------------------------------------------------------------


class Authority:
    """Signs certificates, as a company's own authority does. file: its own certificate, in PEM."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(self._name, self._key, [], (-1, 100), ca=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, name: str, hosts: tuple[str, ...] = (LOOPBACK, "localhost"), days: tuple[int, int] = (-1, 30)
    ) -> Path:
        """A certificate and its key in one PEM file; days: from when to when it is valid, as of today."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key, list(hosts), days)
        path = self._folder / f"{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
        return path

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        hosts: list[str],
        days: tuple[int, int],
        ca: bool = False,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )  # fmt: skip
        if hosts:
            names = [_general_name(host) for host in hosts]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def fingerprint_of(pem: Path) -> str:
    """SHA-256 of the certificate in *pem*, in hexadecimal."""
    return x509.load_pem_x509_certificate(pem.read_bytes()).fingerprint(hashes.SHA256()).hex()
