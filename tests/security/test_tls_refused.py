"""TLS that is not as it should be: each time one clear line, exit code 1, and nothing sent to whoever is there."""

from __future__ import annotations

import select
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import pyrochat
from pyrochat import PyroChatError, Server
from pyrochat.pyro import remote
from pyrochat.pyro.tls import ServerTls, certificate_of
from pyrochat.room.server import Server as RoomServer
from pyrochat.trust.keys import Key
from pyrochat.values.errors import InvalidArgument, UntrustedServer
from tests.security.support import LOOPBACK, Authority, Host, Impostor, Join, fingerprint_of, honest_answer
from tests.support import QUICK, eventually, texts
from tests.system.support import Machine, Process


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def refused(process: Process, *words: str, code: int = 1) -> str:
    """See that *process* ends with one line that has all *words*; that line."""
    assert process.finish() == code, str(process)
    [complaint] = process.errors
    assert complaint.startswith("pyrochat-client: ")
    for word in words:
        assert word in complaint, complaint
    assert process.lines == []
    return complaint


def test_each_refusal_is_one_clear_line(machine: Machine, authority: Authority) -> None:
    plain = pyrochat.host("lobby", data=machine.folder / "plain", nameserver=False)
    secure = pyrochat.host("lobby", data=machine.folder / "secure", nameserver=False, tls=True)
    expired = authority.issue("expired", days=(-30, -1))
    tomorrow = authority.issue("tomorrow", days=(1, 30))
    elsewhere = authority.issue("elsewhere", hosts=("chat.example",))
    good = authority.issue("good")
    other = Authority(machine.folder / "other", "other")
    answer = honest_answer(Key.made())
    impostors = {pem: Impostor(answer, tls=pem) for pem in (expired, tomorrow, elsewhere, good)}
    ca = ["--tls-ca", str(authority.file)]
    cases: list[tuple[str, list[str], list[str]]] = [
        (secure.at, [], ["this server speaks TLS", "--fingerprint"]),
        (plain.at, ["--fingerprint", "ab" * 32], ["no TLS connection", "was started without TLS"]),
        (secure.at, ["--fingerprint", "ab" * 32], ["IS NOT THE ONE YOU KNOW", secure.fingerprint, "ab" * 32]),
        (impostors[expired].at, ["--fingerprint", fingerprint_of(expired)], ["is not valid", "nothing was sent"]),
        (impostors[tomorrow].at, ["--fingerprint", fingerprint_of(tomorrow)], ["is not valid", "nothing was sent"]),
        (impostors[expired].at, ca, ["certificate has expired", "nothing was sent"]),
        (impostors[tomorrow].at, ca, ["not yet valid", "nothing was sent"]),
        (impostors[elsewhere].at, ca, ["not valid for '127.0.0.1'", "nothing was sent"]),
        (impostors[good].at, ["--tls-ca", str(other.file)], ["not to be trusted", "nothing was sent"]),
        (secure.at, ca, ["not to be trusted", "nothing was sent"]),
    ]
    try:
        for start in range(0, len(cases), 5):  # some at a time
            started = [
                (machine.start("pyrochat-client", "Ana", "--at", at, *arguments), words)
                for at, arguments, words in cases[start : start + 5]
            ]
            for process, words in started:
                refused(process, *words)
        assert {pem.stem: impostor.taken for pem, impostor in impostors.items() if impostor.taken} == {}
        assert [room.tail for server in (plain, secure) for room in server.status()] == [0, 0]
    finally:
        for server in (plain, secure):
            server.close()
        for impostor in impostors.values():
            impostor.__exit__()


WRONG_FILES: list[tuple[list[str], str]] = [
    (["--fingerprint", "ab"], "64 hexadecimal digits"),
    (["--fingerprint", "xy" * 32], "64 hexadecimal digits"),
    (["--tls-ca", "/no/such/file"], "can't read /no/such/file"),
    (["--tls-ca", "/etc/hostname"], "no certificates in PEM"),
    (["--tls-cert", "/etc/hostname"], "no certificate with its key"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG_FILES, ids=lambda value: str(value)[:30])
def test_wrong_files_are_named(server: Server, joined: Join, arguments: list[str], words: str) -> None:
    options = {arguments[0].removeprefix("--").replace("-", "_"): arguments[1]}
    with pytest.raises(InvalidArgument, match=words):
        joined("Ana", at=server.at, **options)


# -- a server that is another than it was ------------------------------------------------------------------------


def test_a_changed_certificate_at_the_same_address_is_refused_loudly(
    host_lobby: Host, joined: Join, authority: Authority
) -> None:
    server = host_lobby(tls=True)
    joined("Ana", at=server.at, fingerprint=server.fingerprint).leave()
    server.close()
    own = authority.issue("impostor")
    with Impostor(honest_answer(Key.made()), host="localhost", port=server.port, tls=own) as impostor:
        for _ in range(2):  # it isn't remembered either
            with pytest.raises(UntrustedServer, match=r"THE CERTIFICATE OF .* IS NOT THE ONE YOU KNOW"):
                joined("Ana", at=server.at)
        assert impostor.taken == []


def test_a_plain_impostor_at_the_address_of_a_tls_server_gets_nothing(host_lobby: Host, joined: Join) -> None:
    server = host_lobby(tls=True)
    joined("Ana", at=server.at, fingerprint=server.fingerprint).leave()
    server.close()
    with Impostor(honest_answer(Key.made()), host="localhost", port=server.port) as impostor:
        with pytest.raises(UntrustedServer, match="no TLS connection"):
            joined("Ana", at=server.at)
        assert impostor.taken == []


def test_a_chat_that_comes_back_sends_nothing_to_an_impostor_and_waits_for_its_server(
    host_lobby: Host, joined: Join, authority: Authority
) -> None:
    server = host_lobby(tls=True)
    reasons: list[str] = []
    ana = joined("Ana", at=server.at, fingerprint=server.fingerprint)
    ana.on_state(lambda state, reason: reasons.append(reason))
    server.close()
    own = authority.issue("impostor")
    with Impostor(honest_answer(Key.made()), host="localhost", port=server.port, tls=own) as impostor:
        eventually(lambda: any("IS NOT THE ONE YOU KNOW" in reason for reason in reasons))
        assert impostor.taken == []
    host_lobby(tls=True, port=server.port)
    assert ana.wait_for(ana.send("to the right one").id, timeout=20)


# -- mutual TLS ----------------------------------------------------------------------------------------------------


@pytest.fixture
def demanding(data: Path, authority: Authority) -> Iterator[RoomServer]:
    """A server that wants to see a certificate of *authority*'s."""
    shown = authority.issue("server")
    tls = ServerTls(shown, shown, authority.file)
    with RoomServer(["lobby"], data, host=LOOPBACK, nameserver=False, timing=QUICK, tls=tls) as server:
        yield server


def test_a_client_certificate_of_the_authority_gets_in(
    demanding: RoomServer, joined: Join, authority: Authority
) -> None:
    mine = authority.issue("ana", hosts=())
    ana = joined("Ana", at=demanding.at, tls_ca=authority.file, tls_cert=mine)
    ana.send("olá")
    pinned = joined("Igor", at=demanding.at, fingerprint=demanding.fingerprint, tls_cert=mine, tls_key=mine)
    assert texts(pinned.history()) == ["olá"]


@pytest.mark.parametrize("kind", ["none", "foreign", "expired"])
def test_no_other_client_gets_in_and_is_told_why(
    demanding: RoomServer, joined: Join, authority: Authority, tmp_path: Path, kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Slow clients, several times: what they get to read must not depend on who is quicker."""

    def seen_late(sock: socket.socket) -> bytes:
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLRDHUP)
        poll.poll(5_000)  # TLS stands for the client, and the server has had its say
        return certificate_of(sock)

    monkeypatch.setattr(remote, "certificate_of", seen_late)
    certificate = {
        "none": lambda: None,
        "foreign": lambda: Authority(tmp_path / "other", "other").issue("ana"),
        "expired": lambda: authority.issue("ana", days=(-30, -1)),
    }[kind]()
    told: list[str] = []
    for _ in range(10):
        with pytest.raises(PyroChatError) as caught:
            joined("Ana", at=demanding.at, tls_ca=authority.file, tls_cert=certificate)
        told.append(str(caught.value).partition(": ")[0])
    assert told == [f"{demanding.at} demands a certificate that it can trust from you"] * 10
    assert demanding._registry.entries() == []


def test_no_client_certificate_is_one_line(machine: Machine, demanding: RoomServer, authority: Authority) -> None:
    client = machine.run("pyrochat-client", "Ana", "--at", demanding.at, "--tls-ca", str(authority.file))
    refused(client, "demands a certificate", "--tls-cert")


# -- the server's own files ----------------------------------------------------------------------------------------


def test_wrong_files_of_a_server_are_named(authority: Authority, tmp_path: Path) -> None:
    good, other, half = authority.issue("good"), authority.issue("other"), tmp_path / "half.pem"
    half.write_bytes(good.read_bytes().split(b"-----BEGIN PRIVATE KEY-----")[0])
    for tls in (ServerTls(half, half), ServerTls(good, other)):
        with pytest.raises(InvalidArgument, match="are no certificate with its key"):
            tls.context()
    with pytest.raises(InvalidArgument, match="holds no certificates in PEM"):
        ServerTls(good, good, Path("/etc/hostname")).context()


def test_a_server_with_wrong_files_says_so_in_one_line(machine: Machine) -> None:
    cases: list[tuple[list[str], str]] = [
        (["--tls-cert", "/no/such/file"], "can't read /no/such/file"),
        (["--tls-cert", "/etc/hostname"], "/etc/hostname holds no certificate in PEM"),
        (["--tls-client-ca", "/etc/hostname"], "give --tls-cert"),
    ]
    started = [(machine.start("pyrochat-server", "--port", "0", *arguments), words) for arguments, words in cases]
    for process, words in started:
        assert process.finish() in (1, 2), str(process)
        assert len(process.errors) == 1, str(process)
        assert words in process.errors[0]


def test_an_expired_certificate_is_said_at_the_start(machine: Machine, authority: Authority) -> None:
    expired = authority.issue("expired", days=(-30, -1))
    server = machine.server("--tls-cert", str(expired))
    server.wait_error("warning: the certificate is not valid (limit: ")


def test_a_copied_certificate_without_its_key_is_worthless(
    host_lobby: Host, joined: Join, config_dir: Path, data: Path
) -> None:
    """Who has the certificate, which everybody sees, can't show it."""
    server = host_lobby(tls=True)
    joined("Ana", at=server.at, fingerprint=server.fingerprint).leave()
    seen, other = server.certificate, data / "other.pem"
    server.close()
    shutil.copy(config_dir / "server-tls.pem", other)
    pem = other.read_bytes()
    split = pem.index(b"-----BEGIN CERTIFICATE-----")
    fresh = Authority(data / "ca").issue("fresh").read_bytes()
    key = fresh[fresh.index(b"-----BEGIN PRIVATE KEY-----") :]
    other.write_bytes(pem[split:] + key)
    assert ServerTls(other, other).shown() == seen
    with pytest.raises(PyroChatError, match="are no certificate with its key"):
        ServerTls(other, other).context()
