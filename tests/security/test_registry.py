"""Names and keys as their operator and their owners manage them: `pyrochat-server names`, `pyrochat key`."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from Pyro5 import errors as pyro_errors

from pyrochat import CannotHost, Chat, NameTaken, Server
from pyrochat.room.door.registry import Registry
from pyrochat.trust.keys import Key, shown
from pyrochat.values.errors import Banned, InvalidArgument, LogUnavailable
from tests.room.door.test_registry import held
from tests.security.support import Host, Join
from tests.support import bare, changes, copied, eventually
from tests.system.support import Machine, Process

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
LONGEST = "Abcdefghijklmnopqrstuvwxyz012345"


# -- the register itself -------------------------------------------------------------------------------------------


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with contextlib.closing(Registry(tmp_path / "data")) as registry:
        yield registry


def test_a_name_belongs_to_the_first_key(registry: Registry, tmp_path: Path) -> None:
    registry.claim("Zoë", KEY)
    registry.claim("ZOË", KEY)
    for name in ("Zoë", "zoë", "ZOE\u0308"):
        for key in (OTHER_KEY, None):
            with pytest.raises(NameTaken, match="belongs to another key"):
                registry.claim(name, key)
    with contextlib.closing(Registry(tmp_path / "data")) as again:
        assert again.key_of("zoë") == KEY
        assert [(entry.name, entry.banned) for entry in again.entries()] == [("Zoë", False)]


def test_a_guest_takes_no_name(registry: Registry) -> None:
    registry.claim("Ana", None)
    assert registry.entries() == []
    registry.claim("Ana", KEY)
    assert registry.key_of("ana") == KEY


def test_a_removed_name_goes_to_the_next_key(registry: Registry) -> None:
    registry.claim("Ana", KEY)
    registry.remove("ANA")
    registry.claim("ana", OTHER_KEY)
    assert registry.key_of("ana") == OTHER_KEY
    with pytest.raises(InvalidArgument, match="no key has the name 'Igor' here"):
        registry.remove("Igor")


def test_a_banned_name_bans_its_key_under_every_name(registry: Registry) -> None:
    registry.claim("Ana", KEY)
    registry.ban("ANA")
    for name, key in (("Ana", KEY), ("Igor", KEY), ("ana", OTHER_KEY), ("Ana", None)):
        with pytest.raises(Banned):
            registry.claim(name, key)
    registry.claim("Igor", OTHER_KEY)
    registry.unban("ana")
    registry.claim("Ana", KEY)
    with pytest.raises(InvalidArgument, match="not banned"):
        registry.unban("Ana")


def test_a_name_that_nobody_has_yet_can_be_banned(registry: Registry) -> None:
    registry.ban("Ana")
    for key in (KEY, None):
        with pytest.raises(Banned):
            registry.claim("ana", key)
    registry.unban("Ana")
    assert registry.entries() == []
    registry.claim("Ana", KEY)


def test_a_change_by_another_process_is_noticed_once(registry: Registry, tmp_path: Path) -> None:
    assert not registry.has_changed()
    registry.claim("Ana", KEY)
    assert not registry.has_changed()
    with contextlib.closing(Registry(tmp_path / "data")) as operator:
        operator.ban("Ana")
    assert registry.has_changed()
    assert not registry.has_changed()


def test_a_file_that_is_no_register_is_said(tmp_path: Path) -> None:
    (tmp_path / "names.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(CannotHost, match="it holds the names' keys; choose another data=, or move it away"):
        Registry(tmp_path)


# -- while a server runs -------------------------------------------------------------------------------------------


@pytest.fixture
def server(host_lobby: Callable[..., Server]) -> Server:
    """A server that looks often."""
    return host_lobby(look_seconds=0.05)


@pytest.fixture
def operator(data: Path) -> Iterator[Registry]:
    """The register of the running server's names, as another process opens it."""
    with contextlib.closing(Registry(data)) as registry:
        yield registry


def state_of(chat: Chat) -> Callable[[], bool]:
    return lambda: chat.state == "refused"


def test_who_is_banned_is_shown_out_and_stays_out(operator: Registry, server: Server, joined: Join) -> None:
    igor, ana = joined("Igor", client="igor"), joined("Ana")
    second = joined("Ana")
    operator.ban("ANA")
    for chat in (ana, second):
        eventually(state_of(chat))
        with pytest.raises(Banned):
            chat.send("not any more")
    eventually(lambda: changes(igor.history())[-1] == "Ana left")
    assert igor.members == ["Igor"]
    for name in ("Ana", "ana", "Another"):
        with pytest.raises(Banned):
            joined(name)
    with bare(server, "Ana") as guest, pytest.raises(pyro_errors.CommunicationError, match="banned: "):
        guest.post("x")
    operator.unban("Ana")
    assert joined("Ana").members == ["Igor", "Ana"]
    assert igor.state == "connected"


def test_found_27d_a_newcomer_is_told_that_the_register_is_held_and_the_operator_too(
    server: Server, data: Path, joined: Join, caplog: pytest.LogCaptureFixture
) -> None:
    joined("Ana").leave()
    with held(data) as other:
        for _ in range(2):
            with pytest.raises(LogUnavailable, match=r"register of names can't be used .*try again later"):
                joined("Igor", client="igor")
        assert joined("Ana").members == ["Ana"]
        other.execute("ROLLBACK")
    assert joined("Igor", client="igor").members == ["Ana", "Igor"]
    assert [record.message for record in caplog.records if record.name == "pyrochat.storage.troubles"] == [
        "the register of names: names.sqlite3 can't be used to write (database is locked): see to the disk, and who "
        "else has it open"
    ]


def test_all_names_of_a_banned_key_are_shown_out(operator: Registry, server: Server, joined: Join) -> None:
    ana, other = joined("Ana"), joined("Other")
    operator.ban("Ana")
    eventually(state_of(ana))
    eventually(state_of(other))
    with bare(server, "Igor") as igor:
        eventually(lambda: igor.members() == [])


def test_a_guest_can_be_banned_by_name(operator: Registry, server: Server) -> None:
    with bare(server, "Mallory") as mallory, bare(server, "Igor") as igor:
        mallory.post("spam")
        operator.ban("Mallory")

        def is_out() -> bool:
            try:
                mallory.post("more spam")
            except pyro_errors.CommunicationError:
                return True
            return False

        eventually(is_out)
        igor.post("peace")


def test_a_removed_name_is_free_when_its_holder_has_gone(operator: Registry, server: Server, joined: Join) -> None:
    ana = joined("Ana")
    operator.remove("Ana")
    with pytest.raises(NameTaken, match="in use"):
        joined("Ana", client="other")
    assert ana.send("still here").sender == "Ana"
    ana.leave()

    def taken_over() -> Chat | None:
        with contextlib.suppress(NameTaken):
            return joined("Ana", client="other")
        return None

    assert eventually(taken_over).members == ["Ana"]
    with pytest.raises(NameTaken):
        joined("Ana")


def test_a_register_that_fails_once_does_not_end_the_watch_for_bans(
    operator: Registry, server: Server, joined: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, failures = server._registry.file._data_version, ["disk I/O error"]

    def fails_once() -> int:
        if failures:
            raise sqlite3.OperationalError(failures.pop())
        return look()

    ana = joined("Ana")
    monkeypatch.setattr(server._registry.file, "_data_version", fails_once)
    eventually(lambda: not failures)
    operator.ban("Ana")
    eventually(state_of(ana))


def test_a_member_whose_name_was_removed_is_not_locked_out_by_a_restart(
    operator: Registry, data: Path, server: Server, joined: Join, host_lobby: Host
) -> None:
    joined("Ana")
    operator.remove("Ana")
    crashed = data.with_name("crashed")
    copied(data, crashed)  # as kill -9 would leave it, with Ana in the view
    again = host_lobby(data=crashed)
    assert joined("Ana", at=again.at).members == ["Ana"]


# -- pyrochat-server names -------------------------------------------------------------------------------------------


def names(machine: Machine, *arguments: str) -> Process:
    process = machine.run("pyrochat-server", "names", *arguments)
    assert process.wait() == 0, str(process)
    assert process.errors == []
    return process


def test_the_operators_commands_work_while_the_server_runs(machine: Machine) -> None:
    server = machine.server()
    homes = {name: {"env": {"PYROCHAT_CONFIG_DIR": machine.folder / name}} for name in ("ana", "igor")}
    igor = machine.client("Igor", "--at", server.at, **homes["igor"])
    ana = machine.client(LONGEST, "--at", server.at, **homes["ana"])
    key = Key.kept_at(machine.folder / "ana" / "key.pem")
    listed = names(machine, "list").lines
    assert [line.split()[0] for line in listed] == ["name", "Igor", LONGEST]
    assert " ".join(listed[2].split()[1:6]) == shown(key.public)
    assert names(machine, "ban", LONGEST.lower()).lines == [f"{LONGEST.lower()} is banned, and its key under any name"]
    igor.wait_line(f"* {LONGEST} left")
    assert "can't come back" in ana.wait_error("is banned here")
    assert names(machine, "list").lines[2].endswith("banned")
    names(machine, "unban", LONGEST)
    names(machine, "remove", LONGEST)
    assert len(names(machine, "list").lines) == 2
    machine.client(LONGEST, "--at", server.at, **homes["igor"])


WRONG: list[tuple[str, list[str], str]] = [
    ("pyrochat-server", ["names", "remove", "Nobody"], "no key has the name 'Nobody' here"),
    ("pyrochat-server", ["names", "ban", "two words"], "the name has the character U+0020"),
    ("pyrochat-server", ["names", "ban"], "Missing argument"),
    ("pyrochat", ["key", "import", "/etc/hostname"], "holds no key of PyroChat's"),
    ("pyrochat", ["key", "lose"], "No such command"),
]


def test_what_goes_wrong_is_one_line(machine: Machine) -> None:
    started = [(machine.start(program, *arguments), arguments[0], words) for program, arguments, words in WRONG]
    for process, group, words in started:
        assert process.finish() in (1, 2), str(process)
        [complaint] = process.errors
        assert complaint.startswith(f"{process.program} {group}: ")
        assert words in complaint
        assert process.lines == []


# -- pyrochat key ----------------------------------------------------------------------------------------------------


def test_a_key_moves_to_a_second_machine(machine: Machine) -> None:
    server = machine.server()
    laptop, notebook = ({"env": {"PYROCHAT_CONFIG_DIR": machine.folder / name}} for name in ("laptop", "notebook"))
    file = machine.folder / "moved" / "my.key"
    first = machine.client("Ana", "--at", server.at, **laptop)
    exported = machine.run("pyrochat", "key", "export", str(file), **laptop)
    assert exported.wait() == 0
    assert file.stat().st_mode & 0o777 == 0o600
    started = [  # an export over another file, a client with a key of its own
        machine.start("pyrochat", "key", "export", str(file), **laptop),
        machine.start("pyrochat-client", "Ana", "--at", server.at, **notebook),
    ]
    assert [process.finish() for process in started] == [2, 1]
    refused = started[1]
    assert "is in use by another client" in refused.errors[0] or "belongs to another key" in refused.errors[0]
    old = Key.kept_at(machine.folder / "notebook" / "key.pem")
    kept = machine.run("pyrochat", "key", "import", str(file), **notebook)
    assert kept.wait() in (1, 2)
    assert "--replace puts it beside" in kept.errors[0]
    assert machine.run("pyrochat", "key", "import", str(file), "--replace", **notebook).wait() == 0
    new = Key.kept_at(machine.folder / "laptop" / "key.pem")
    show = machine.run("pyrochat", "key", "show", **notebook)
    assert show.lines == [f"{shown(new.public)}  {machine.folder / 'notebook' / 'key.pem'}"]
    second = machine.client("Ana", "--at", server.at, **notebook)
    second.write("from the second machine")
    first.wait_line("Ana: from the second machine")
    assert first.bodies == ["* Ana joined", "Ana: from the second machine"]
    beside = machine.folder / "notebook" / f"key-{old.public.hex()[:8]}.pem"
    assert Key.from_pem(beside.read_bytes(), beside).public == old.public


def test_a_key_goes_through_a_pipe(machine: Machine) -> None:
    homes = [{"env": {"PYROCHAT_CONFIG_DIR": machine.folder / name}} for name in ("one", "two")]
    pem = machine.run("pyrochat", "key", "export", **homes[0]).lines
    imported = machine.run("pyrochat", "key", "import", "-", typed="\n".join(pem), **homes[1])
    assert imported.wait() == 0, str(imported)
    folder = machine.folder / "two"
    assert [p.name for p in folder.iterdir()] == ["key.pem"]
    assert os.stat(folder / "key.pem").st_mode & 0o777 == 0o600
