"""What the commands leave on a disk is for its owner only, whatever the umask; what others may read is said."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import eventually
from tests.system.support import PATIENCE_SECONDS, Machine, free_port, stop
from tests.system.test_terminal import in_terminal
from tests.system.test_wrong_use import WRONG_USAGE, assert_one_complaint


@pytest.fixture
def no_umask() -> Iterator[None]:
    """What is started takes nothing from anybody by itself."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(*folders: Path) -> list[str]:
    """What others than their owner may do anything with, in *folders* and of them."""
    found = []
    for folder in folders:
        for path in [folder, *folder.rglob("*")]:
            mode = stat.S_IMODE(path.lstat().st_mode)
            if mode & 0o077 or mode != (0o700 if path.is_dir() else 0o600):
                found.append(f"{path.relative_to(folder.parent)} {mode:o}")
    return found


@pytest.mark.usefixtures("no_umask")
def test_found_07_everything_that_is_made_is_for_its_owner_only(machine: Machine) -> None:
    data, config, kept = machine.folder / "deep" / "data", machine.folder / "config", machine.folder / "kept"
    kept.mkdir(mode=0o700)
    where = ["--data", str(data)]
    server = machine.server(*where, "--tls")
    fingerprint = server.wait_line("join with: ").split()[-1]
    pinned = ["--at", server.at, "--fingerprint", fingerprint]
    ana = machine.client("Ana", *pinned)
    ana.write("olá", "/search olá", f"/export {kept / 'history.html'}")
    ana.wait_line("history.html")
    assert {"lobby.sqlite3-wal", "lobby.search"} <= {path.name for path in (data / "rooms").iterdir()}
    with in_terminal(machine, "pyrochat-client", "Igor", *pinned, PYROCHAT_DATA=str(data)) as (screen, process):
        screen.see("Ana", "olá")
        screen.type("half a draft")
        drafts = data / "drafts"
        eventually(lambda: any("half" in path.read_text() for path in drafts.glob("*.json")), PATIENCE_SECONDS)
        assert open_to_others(data.parent, config, kept) == []
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)
    assert ana.finish() == 0
    for arguments in (["--verify"], ["--backup", str(kept / "backup.sqlite3")]):
        assert machine.run("pyrochat-server", *where, *arguments).wait() == 0
    stop(server)
    with sqlite3.connect(data / "rooms" / "lobby.sqlite3") as db:
        db.execute("UPDATE messages SET text = 'forged' WHERE id = 2")
    db.close()
    stop(machine.server(*where, "--accept-loss"))
    assert machine.run("pyrochat", "key", "export", str(kept / "own.pem")).wait() == 0
    assert [path for path in (data / "rooms").iterdir() if "-before-" in path.name]
    assert open_to_others(data.parent, config, kept) == []


def test_found_07_what_lies_open_is_closed_at_the_start(machine: Machine) -> None:
    stop(machine.server())
    machine.run("pyrochat", "key", "show")
    data, config = machine.folder / "data", machine.folder / "config"
    for path in [data, *data.rglob("*"), config, *config.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    server = machine.server()
    machine.client("Ana")
    assert open_to_others(data, config) == []
    server.wait_error(f"{config / 'server-key.pem'} was open to others on this machine (mode 644)")


def test_found_07_an_open_password_file_is_said(machine: Machine) -> None:
    word = machine.folder / "word"
    word.write_text("sesame\n")
    word.chmod(0o640)
    given = ["--password-file", str(word)]
    server = machine.server(*given)
    warning = f"warning: others on this machine can read {word}: chmod 600 it"
    server.wait_error(warning)
    client = machine.run("pyrochat-client", "Ana", "--at", server.at, *given)
    assert client.errors == [warning, "joined room lobby as Ana"]
    assert stat.S_IMODE(word.stat().st_mode) == 0o640  # it is the user's own
    word.chmod(0o600)
    assert machine.run("pyrochat-client", "Ana", "--at", server.at, *given).errors == ["joined room lobby as Ana"]


def test_found_27f_a_key_that_lies_open_is_closed_and_said(machine: Machine) -> None:
    server = machine.server()
    shown = machine.run("pyrochat", "key", "show").lines
    key = machine.folder / "config" / "key.pem"
    key.chmod(0o644)
    client = machine.run("pyrochat-client", "Ana", "--at", server.at)
    assert client.errors[0] == (
        f"warning: {key} was open to others on this machine (mode 644): now only its owner can read it"
    )
    assert client.wait() == 0
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert machine.run("pyrochat", "key", "show").errors == []
    assert machine.run("pyrochat", "key", "show").lines == shown


def test_found_27f_a_pipe_or_a_folder_in_the_place_of_a_file_hangs_nothing(machine: Machine) -> None:
    server = machine.server()
    said = "it is a folder, a pipe or a device, and has to be a file"
    config = machine.folder / "config"
    config.mkdir(exist_ok=True)
    for name, code in (("key.pem", 1), ("config.toml", WRONG_USAGE)):
        for make in (os.mkfifo, os.mkdir):
            make(config / name)
            client = machine.run("pyrochat-client", "Ana", "--at", server.at)
            assert_one_complaint(client, code, str(config / name), said)
            (config / name).unlink() if make is os.mkfifo else (config / name).rmdir()
    os.mkfifo(config / "known_servers.json")
    assert_one_complaint(machine.run("pyrochat-client", "Ana"), 1, "known_servers.json", said)
    (config / "known_servers.json").unlink()
    stop(server)
    os.mkfifo(machine.folder / "pipe.pem")
    tls = ["--tls-cert", str(machine.folder / "pipe.pem")]
    assert_one_complaint(machine.run("pyrochat-server", "--port", "0", *tls), WRONG_USAGE, said)
    witness = machine.folder / "data" / "rooms" / "lobby.tail"
    witness.unlink()
    os.mkfifo(witness)
    stop(machine.server())


def test_found_25_what_can_not_be_remembered_keeps_nobody_out(machine: Machine) -> None:
    """A read-only folder, for one. A folder in the place of the lock does the same to root."""
    machine.server()
    (machine.folder / "config" / "known_servers.json.lock").mkdir(parents=True)
    client = machine.run("pyrochat-client", "Ana", typed="hello")
    assert client.wait() == 0
    assert client.bodies == ["* Ana joined", "Ana: hello"]
    [warning] = [line for line in client.errors if line.startswith("warning: ")]
    assert "is not remembered: the next join knows nothing of it" in warning


def test_found_25_a_link_to_the_known_servers_stays_one(machine: Machine) -> None:
    machine.server()
    config, dotfiles = machine.folder / "config", machine.folder / "dotfiles"
    config.mkdir(exist_ok=True)
    dotfiles.mkdir()
    (config / "known_servers.json").symlink_to(dotfiles / "servers.json")
    assert machine.run("pyrochat-client", "Ana").wait() == 0
    assert (config / "known_servers.json").is_symlink()
    assert "lobby by" in (dotfiles / "servers.json").read_text()


@pytest.mark.parametrize("way", ["a file", "a shell's pipe"])
def test_found_25_files_that_begin_with_a_byte_order_mark_are_read(machine: Machine, way: str) -> None:
    port = free_port()
    config = machine.folder / "config"
    config.mkdir()
    word = config / "word.txt"
    word.write_bytes("\ufeffsesame\r\n".encode())
    word.chmod(0o600)
    (config / "config.toml").write_bytes(f'\ufeffname = "Erick"\nat = "localhost:{port}"\n'.encode())
    machine.server("--password-file", str(word), port=port)
    given = str(word) if way == "a file" else "<(cat config/word.txt)"
    client = machine.shell(f"exec bash -c 'pyrochat-client --password-file {given} </dev/null'")
    assert client.wait() == 0
    assert client.errors == ["joined room lobby as Erick"]
