"""TLS: the printed line joins, the certificate is remembered, rooms with different pins share a process."""

from __future__ import annotations

from pathlib import Path

import pytest
from Pyro5 import config
from Pyro5.api import Daemon, expose

import pyrochat
from pyrochat import Server
from pyrochat.client.known import KnownServers
from pyrochat.pyro.tls import ClientTls, ServerTls
from pyrochat.room import server as server_module
from pyrochat.trust.certificates import fingerprint
from pyrochat.values.errors import CallbackUnreachable
from tests.security.support import Authority, Host, Join, Recorder, fingerprint_of, knocking
from tests.support import QUICK, Running, address_of, eventually, texts
from tests.system.support import Machine, Process, ServerProcess, free_port, stop

JOIN_LINE = " join with: "


def printed_line(server: ServerProcess) -> str:
    [line] = server.wait_lines(lambda line: JOIN_LINE in line, 1)
    return line.partition(JOIN_LINE)[2]


def at_home(machine: Machine, name: str) -> dict[str, object]:
    """A folder of *name*'s own, as on another machine."""
    return {"env": {"PYROCHAT_CONFIG_DIR": machine.folder / f"config-{name}"}}


def typed(machine: Machine, line: str, name: str, **options: object) -> Process:
    """Type *line* in a shell, and wait until it has joined as *name*."""
    process = machine.shell(f"exec {line}", **options)
    process.wait_error(f" as {name}")
    return process


# -- with one flag ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", ["lobby", "coffee"])
def test_the_printed_line_joins_and_is_not_needed_again(machine: Machine, room: str) -> None:
    machine.nameserver()
    server = machine.server("--tls", "--host", "127.0.0.2", "--room", room)
    line = printed_line(server)
    assert server.at.startswith("127.0.0.2:")
    assert len([each for each in server.lines if "fingerprint" in each]) == 1
    first = typed(machine, line, "NAME", **at_home(machine, "first"))  # as it stands there
    second = typed(machine, line.replace("NAME", "Ana"), "Ana", **at_home(machine, "second"))
    first.write("from the first")
    second.wait_line("NAME: from the first")
    second.write("from the second")
    first.wait_line("Ana: from the second")
    second.write("/quit")
    assert second.wait() == 0
    again = machine.client("Ana", "--at", server.at, "--room", room, **at_home(machine, "second"))
    again.wait_line("Ana: from the second")
    assert not again.complaints


def test_a_server_at_another_address_starts_without_a_name_server(machine: Machine) -> None:
    server = machine.server("--tls", "--host", "127.0.0.2")
    typed(machine, printed_line(server).replace("NAME", "Ana"), "Ana").wait_line("* Ana joined")


def test_through_the_name_server_the_fingerprint_is_needed_once(machine: Machine) -> None:
    server = machine.server("--tls")
    pin = printed_line(server).split("--fingerprint ")[1]
    without = machine.run("pyrochat-client", "Ana")
    assert without.wait() == 1
    [complaint] = without.errors
    assert "this server speaks TLS: join with the line that its operator gives (with its --fingerprint)" in complaint
    ana = machine.client("Ana", "--fingerprint", ":".join(pin[i : i + 2] for i in range(0, 64, 2)).upper())
    ana.write("/quit")
    assert ana.wait() == 0
    machine.client("Ana").wait_line("* Ana left")


def test_the_certificate_stays_over_a_restart_and_members_come_back(machine: Machine) -> None:
    port = free_port()
    server = machine.server("--tls", port=port)
    line = printed_line(server)
    ana = typed(machine, line.replace("NAME", "Ana"), "Ana")
    stop(server)
    ana.wait_error("connection lost")
    server = machine.server("--tls", port=port)
    assert printed_line(server) == line
    ana.wait_error("back in the room")
    ana.write("over both lives")
    ana.wait_line("Ana: over both lives")


# -- in a program ----------------------------------------------------------------------------------------------


@pytest.fixture
def secure(host_lobby: Host) -> Server:
    return host_lobby(tls=True)


def test_nothing_is_readable_on_the_wire(secure: Server, joined: Join) -> None:
    with Recorder(address_of(secure)) as wire:
        ana = joined("Ana", at=wire.at, fingerprint=secure.fingerprint)
        ana.send("for nobody else to read")
        igor = joined("Igor", at=wire.at)
        eventually(lambda: texts(igor.history()) == ["for nobody else to read"])
    assert b"for nobody else" not in wire.everything
    assert b"PYRO" not in wire.everything
    assert b"Ana" not in wire.everything


def test_a_chat_over_tls_survives_a_restart_of_its_server(host_lobby: Host, joined: Join) -> None:
    server = host_lobby(tls=True)
    states: list[str] = []
    ana = joined("Ana", at=server.at, fingerprint=server.fingerprint)
    ana.on_state(lambda state, reason: states.append(state))
    before = ana.send("before")
    server.close()
    host_lobby(tls=True, port=server.port)
    after = ana.send("after")
    assert ana.wait_for(after.id, timeout=20) == after
    assert [m.id for m in ana.history() if m.kind == "chat"] == [before.id, after.id]
    eventually(lambda: states[:2] == ["reconnecting", "connected"])


def test_rooms_with_different_pins_and_a_plain_one_in_one_process(data: Path, joined: Join) -> None:
    settings = config.as_dict()
    servers = [
        pyrochat.host("lobby", folder, nameserver=False, timing=QUICK, tls=tls, server_key=folder / "key.pem")
        for folder, tls in ((data / "0", True), (data / "1", True), (data / "2", False))
    ]
    try:
        assert servers[0].fingerprint != servers[1].fingerprint
        assert servers[2].fingerprint == ""
        chats = [joined("Ana", at=server.at, fingerprint=server.fingerprint or None) for server in servers]
        for number, chat in enumerate(chats):
            chat.send(f"text {number}")
        for number, chat in enumerate(chats):
            eventually(lambda chat=chat, number=number: texts(chat.history()) == [f"text {number}"])  # type: ignore[misc]
        assert config.as_dict() == settings
        assert config.SSL is False
        for chat in chats:
            chat.leave()
    finally:
        for server in servers:
            server.close()


def test_a_pin_is_remembered_with_the_servers_key(secure: Server, joined: Join, config_dir: Path) -> None:
    joined("Ana", at=secure.at, fingerprint=secure.fingerprint)
    known = KnownServers(config_dir / "known_servers.json").all()
    assert list(known) == [secure.at]
    assert known[secure.at].fingerprint == secure.fingerprint
    assert bytes.fromhex(known[secure.at].key) == secure._door._key.public
    assert joined("Ana", at=secure.at).members == ["Ana"]


def test_a_plain_room_at_an_address_is_not_remembered(server: Server, joined: Join, config_dir: Path) -> None:
    joined("Ana")
    assert KnownServers(config_dir / "known_servers.json").all() == {}


def test_the_made_certificate_is_kept_for_its_owner_only(secure: Server, config_dir: Path, data: Path) -> None:
    for file in (config_dir / "server-tls.pem", config_dir / "server-key.pem", data / "names.sqlite3"):
        assert file.stat().st_mode & 0o777 == 0o600, file
    assert fingerprint_of(config_dir / "server-tls.pem") == secure.fingerprint


class Callback:
    """What a bare client would be called on."""

    @expose
    def deliver(self, messages: list[object], marks: list[object]) -> list[int]:
        return [0, 0]


def test_a_callback_uri_is_refused_over_tls(secure: Server) -> None:
    daemon = Daemon(host="localhost")
    stopped: list[bool] = []
    serving = Running(lambda: daemon.requestLoop(lambda: not stopped))
    try:
        uri = str(daemon.register(Callback()))
        with knocking(secure, "Ana", tls=ClientTls(fingerprint(secure.certificate))) as knock:
            knock.prove()
            with pytest.raises(CallbackUnreachable, match="not called over TLS: use PyroChat's client"):
                knock.remote.call("join", uri)
            assert knock.remote.call("members") == []
    finally:
        stopped.append(True)
        daemon.shutdown()
        serving.result()
        daemon.close()


# -- certificates of one's own ------------------------------------------------------------------------------------


def test_own_certificates_with_an_authority_and_mutual_tls(machine: Machine) -> None:
    authority = Authority(machine.folder / "ca")
    shown, mine = authority.issue("server"), authority.issue("ana", hosts=())
    server = machine.server("--tls-cert", str(shown), "--tls-client-ca", str(authority.file))
    arguments = ["--at", f"127.0.0.1:{server.port}", "--tls-ca", str(authority.file), "--tls-cert", str(mine)]
    ana = machine.client("Ana", *arguments, **at_home(machine, "ana"))
    igor = machine.client("Igor", *arguments, **at_home(machine, "igor"))
    ana.write("to Igor")
    igor.wait_line("Ana: to Igor")
    igor.write("to Ana")
    ana.wait_line("Igor: to Ana")


def test_a_certificate_and_its_key_may_be_two_files(
    monkeypatch: pytest.MonkeyPatch, host_lobby: Host, joined: Join, tmp_path: Path
) -> None:
    pem = Authority(tmp_path / "ca").issue("server").read_bytes()
    split = pem.index(b"-----BEGIN PRIVATE KEY-----")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(pem[:split])
    key.write_bytes(pem[split:])
    monkeypatch.setattr(server_module, "_kept_certificate", lambda data, key_file, hosts: ServerTls(certificate, key))
    server = host_lobby(tls=True)
    assert joined("Ana", at=server.at, fingerprint=fingerprint_of(certificate)).members == ["Ana"]
