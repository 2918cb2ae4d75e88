"""Coming back: without loss, repetition, or a flood of joins and leaves."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import pyrochat
from pyrochat import Chat, ChatClosed, OtherLog, RoomUnreachable, SendTimeout, Server, VersionMismatch, WaitTimeout
from pyrochat.client.credentials import Credentials
from pyrochat.client.finding import AtAddress
from pyrochat.client.known import KnownServers
from pyrochat.pyro.connection import Connection, shut_down
from pyrochat.pyro.daemon import Daemon, caller, take_callers_socket
from pyrochat.pyro.dispatch import expose
from pyrochat.room.door.door import Access, Door
from pyrochat.room.door.names import Names
from pyrochat.room.door.registry import Registry
from pyrochat.room.serverobject import ServerObject
from pyrochat.trust.keys import Key
from pyrochat.values.errors import (
    Banned,
    GuestsRefused,
    InvalidName,
    NameTaken,
    PyroChatError,
    RateLimited,
    ServerFull,
    TooManyAttempts,
    UnknownSession,
    WrongPassword,
)
from tests.security.support import Host
from tests.support import QUICK, Running, changes, eventually, free_port, impatient_chat, stumbling, texts

Join = Callable[..., Chat]


@pytest.fixture
def restarted(server: Server, host_lobby: Callable[..., Server]) -> Callable[..., Server]:
    """Closes the server (if it is not closed) and starts another at its port, with its data."""

    def restart(**options: object) -> Server:
        server.close()
        return host_lobby(port=server.port, **options)

    return restart


def is_back(chat: Chat) -> bool:
    return chat.state == "connected"


def test_after_a_restart_of_the_server_the_room_goes_on(joined: Join, restarted: Callable[..., Server]) -> None:
    ana, igor = joined("Ana", read="manual"), joined("Igor", read="manual")
    before = ana.send_many(["one", "two"])
    igor.wait_for(before[-1].id, timeout=20)
    igor.mark_read(before[0].id)
    restarted()
    after = ana.send("three")
    assert after.id == before[-1].id + 1
    assert igor.wait_for(after.id, timeout=20) == after
    assert ana.history() == igor.history()
    assert texts(igor.history()) == ["one", "two", "three"]
    assert changes(igor.history()) == ["Ana joined", "Igor joined"]
    state = ana.confirmations(before[0].id)
    assert (state.read_by, state.waiting_for) == ({"Igor"}, set())
    assert ana.confirmations(before[1].id).waiting_for == {"Igor"}


def test_a_send_made_while_the_server_is_away_arrives_once(
    server: Server, joined: Join, restarted: Callable[..., Server]
) -> None:
    chat = joined("Ana")
    server.close()
    eventually(lambda: chat.state == "reconnecting")
    sends = [Running(lambda number=number: chat.send(str(number))) for number in range(5)]
    eventually(lambda: chat.pending == 5)
    restarted()
    messages = [send.result() for send in sends]
    assert sorted(m.text for m in messages) == list("01234")  # type: ignore[attr-defined]
    assert sorted(texts(chat.history())) == list("01234")
    assert changes(chat.history()) == ["Ana joined"]


def test_sends_during_a_restart_are_there_once_each(joined: Join, restarted: Callable[..., Server]) -> None:
    chats = [joined(name) for name in ("Ana", "Igor", "Zoë")]

    def send(chat: Chat) -> list[int]:
        return [chat.send(f"{chat.name} {number}").id for number in range(150)]

    sending = [Running(lambda chat=chat: send(chat)) for chat in chats]
    eventually(lambda: len(chats[0].history()) > 40)
    restarted()
    ids = [id for each in sending for id in each.result(30)]  # type: ignore[attr-defined]
    for chat in chats:
        chat.wait_for(max(ids), timeout=20)
        assert sorted(texts(chat.history())) == sorted(f"{c.name} {n}" for c in chats for n in range(150))
        assert sorted(changes(chat.history())) == ["Ana joined", "Igor joined", "Zoë joined"]
        assert [m.id for m in chat.history()] == list(range(1, 454))
    assert len(set(ids)) == 450


def test_who_does_not_come_back_after_a_restart_has_left_after_the_grace(
    server: Server, joined: Join, restarted: Callable[..., Server]
) -> None:
    ana = joined("Ana")
    server.close()
    ana.leave()
    restarted()
    igor = joined("Igor")
    assert igor.members == ["Ana", "Igor"]
    eventually(lambda: igor.members == ["Igor"])
    assert changes(igor.history()) == ["Ana joined", "Igor joined", "Ana left"]


@pytest.mark.parametrize("which", ["calls", "deliveries"])
def test_a_lost_connection_comes_back_without_anybody_noticing(joined: Join, which: str) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    states: list[str] = []
    igor.on_state(lambda state, reason: states.append(state))
    for number in range(3):
        states.clear()
        session = igor._session
        shut_down(session._remote._connection.sock if which == "calls" else session._served.sock)  # type: ignore[union-attr]
        sent = igor.send(f"igor {number}"), ana.send(f"ana {number}")
        for message in sent:
            assert igor.wait_for(message.id, timeout=20) == message
        eventually(lambda: states[-1:] == ["connected"])
    assert changes(ana.history()) == ["Ana joined", "Igor joined"]
    assert ana.history() == igor.history()


def test_the_state_says_what_happened_and_why(server: Server, joined: Join, restarted: Callable[..., Server]) -> None:
    chat = joined("Ana")
    states: list[tuple[str, str]] = []
    chat.on_state(lambda state, reason: states.append((state, reason)))
    server.close("back in a minute")
    eventually(lambda: "reconnecting" in chat.state)
    restarted()
    eventually(lambda: is_back(chat))
    chat.leave()
    assert states[0] == ("reconnecting", "back in a minute")
    assert [state for state, _ in states][-2:] == ["connected", "closed"]


def test_what_needs_the_room_waits_for_it_only_so_long(server: Server, joined: Join) -> None:
    chat = joined("Ana")
    message = chat.send("hi")
    server.close()
    eventually(lambda: chat.state == "reconnecting")
    with pytest.raises(WaitTimeout, match="no connection to the room in time"):
        chat.confirmations(message.id, timeout=0.1)
    with pytest.raises(SendTimeout):
        chat.send("more", timeout=0.1)
    assert texts(chat.history()) == ["hi"]
    assert chat.members == ["Ana"]


def test_leaving_while_the_server_is_away_fails_what_is_waiting(server: Server, joined: Join) -> None:
    chat = joined("Ana")
    server.close()
    eventually(lambda: chat.state == "reconnecting")
    sending = Running(lambda: chat.send("never"))
    eventually(lambda: chat.pending == 1)
    chat.leave()
    with pytest.raises((SendTimeout, ChatClosed)):
        sending.result()


@expose
class DroppingRoom:
    """A room that lets anybody join, and then drops the connection that was to be turned around."""

    def rooms(self) -> list[str]:
        return ["lobby"]

    def prove(self, signature: str, password_proof: None) -> None:
        caller().identity, caller().trusted = "somebody", True

    def join(self, callback_uri: None, resume: None) -> list[object]:
        return ["session", "log", 0]

    def standing(self) -> list[object]:
        return [0, 0, "00" * 32]

    def attach(self, session_id: str, position: int) -> None:
        sock, no_answer = take_callers_socket()
        sock.close()
        raise no_answer


def test_a_connection_that_is_dropped_instead_of_welcomed_is_not_waited_for(tmp_path: Path) -> None:
    """A server that is being stopped may do that; who waits is away for as long."""
    door = Door(Registry(tmp_path), Names(), Key.made(), b"", Access())
    daemon = Daemon("localhost", 0, greet=door.greet, bid_farewell=door.bid_farewell)
    daemon.register(DroppingRoom(), "pyrochat.server")
    daemon.register(DroppingRoom(), "pyrochat.lobby")
    accepting = Running(daemon.requestLoop)
    try:
        joining = Running(lambda: pyrochat.join("Ana", at=daemon.locationStr))
        with pytest.raises(RoomUnreachable):
            joining.result(3)
    finally:
        daemon.shutdown()
        accepting.result()


def test_another_log_is_never_merged(joined: Join, restarted: Callable[..., Server], tmp_path: Path) -> None:
    chat = joined("Ana")
    chat.send("kept")
    before = chat.history()
    reasons: list[str] = []
    chat.on_state(lambda state, reason: reasons.append(reason))
    restarted(data=tmp_path / "another")
    eventually(lambda: chat.state == "refused")
    with pytest.raises(OtherLog, match="another log now"):
        chat.send("more")
    assert chat.history() == before
    eventually(lambda: any("another log now" in reason for reason in reasons))


def test_a_room_that_has_lost_its_tail_takes_nothing(
    server: Server, joined: Join, restarted: Callable[..., Server], data: Path
) -> None:
    """Given a client that has seen more than the log has, when the server is back, then all is as it was."""
    chat = joined("Ana")
    server.close()
    log = data / "rooms" / "lobby.sqlite3"
    backup = log.read_bytes()
    second = restarted()
    chat.send_many(list("abc"))
    before = chat.history()
    reasons: list[str] = []
    chat.on_state(lambda state, reason: reasons.append(reason))
    second.close()
    for rest in log.parent.glob("lobby.*"):
        rest.unlink()
    log.write_bytes(backup)
    restarted()
    eventually(lambda: any("has lost messages" in reason for reason in reasons))
    with pytest.raises(SendTimeout):
        chat.send("more", timeout=0.2)
    assert chat.history() == before


def test_verify_compares_the_replica_with_the_rooms_log(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    last = ana.send_many([str(number) for number in range(50)])[-1]
    igor.wait_for(last.id, timeout=20)
    for chat in (ana, igor):
        verification = chat.verify()
        assert verification.whole
        assert (verification.identical_up_to, verification.end) == (last.id, last.id)
    assert ana.verify() == igor.verify()


def test_a_server_of_another_version_is_refused_in_one_line(
    server: Server, joined: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the two is older: the client looks at the server's version, as the server looks at its."""

    def greet(connection: Connection, data: object) -> object:
        connection.settled, connection.identity = True, "nobody"
        return {"version": 99}

    monkeypatch.setattr(server._daemon, "_greet", greet)
    monkeypatch.setattr(ServerObject, "rooms", expose(lambda self: ["lobby"]))
    with pytest.raises(VersionMismatch, match="the server speaks version 99"):
        joined("Ana")


def test_leaving_a_server_that_hangs_takes_a_moment_and_no_more(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = impatient_chat(server, "Ana")
    hanging = threading.Event()
    monkeypatch.setattr(server._daemon, "serve", lambda connection, frame: hanging.wait(20) and None)
    sending = Running(lambda: ana.send("never answered"))
    eventually(lambda: ana.pending == 1)
    leaving = threading.Thread(target=ana.leave, daemon=True)
    leaving.start()
    eventually(lambda: not leaving.is_alive(), 5, "it waits for the call's own deadline")
    hanging.set()
    with pytest.raises(SendTimeout):
        sending.result()


OTHER_KEY = b"k" * 32


def test_found_5_a_name_that_is_taken_while_one_was_away_is_no_refusal_for_good(
    server: Server, joined: Join, restarted: Callable[..., Server], data: Path
) -> None:
    """Given that somebody else has the name when the client comes back, then it says so, and is back when it is free."""
    chat = joined("Ana")
    reasons: list[str] = []
    chat.on_state(lambda state, reason: reasons.append(reason))
    server.close()
    with contextlib.closing(Registry(data)) as operator:
        operator.remove("Ana")
        operator.claim("Ana", OTHER_KEY)
        restarted()
        eventually(lambda: any("belongs to another key" in reason for reason in reasons))
        assert chat.state == "reconnecting"
        sending = Running(lambda: chat.send("once it is free"))
        operator.remove("Ana")
        assert sending.result().text == "once it is free"  # type: ignore[attr-defined]


@pytest.mark.parametrize("error", [NameTaken, ServerFull, TooManyAttempts, UnknownSession, RateLimited])
def test_found_5_what_can_pass_is_tried_again(
    server: Server, joined: Join, monkeypatch: pytest.MonkeyPatch, error: type[PyroChatError]
) -> None:
    chat = joined("Ana")
    refused: list[str] = []
    let_in = server._door._let_in

    def refuse(*_: object) -> None:
        refused.append(error.code)
        raise error("not now: 0.1 s")

    monkeypatch.setattr(server._door, "_let_in", refuse)
    shut_down(chat._session._served.sock)  # type: ignore[union-attr]
    eventually(lambda: len(refused) > 1)
    assert (chat.state, chat._session.reason) == ("reconnecting", "not now: 0.1 s")
    monkeypatch.setattr(server._door, "_let_in", let_in)
    eventually(lambda: is_back(chat))


@pytest.mark.parametrize("error", [Banned, GuestsRefused, VersionMismatch, WrongPassword, OtherLog, InvalidName])
def test_what_can_not_pass_ends_the_chat(
    server: Server, joined: Join, monkeypatch: pytest.MonkeyPatch, error: type[PyroChatError]
) -> None:
    chat = joined("Ana")

    def refuse(*_: object) -> None:
        raise error("not ever")

    monkeypatch.setattr(server._door, "_let_in", refuse)
    shut_down(chat._session._served.sock)  # type: ignore[union-attr]
    eventually(lambda: chat.state == "refused")
    with pytest.raises(error, match="not ever"):
        chat.send("hi")


def test_found_10_whatever_coming_back_stumbles_over_it_is_tried_again(
    server: Server, restarted: Callable[..., Server], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kind = stumbling(AtAddress, "candidates", times=2, error=SystemExit(1))
    kind.stumbles = 2  # type: ignore[attr-defined] - not yet
    credentials = Credentials("Ana", Key.made(), None)
    finder = kind(server.at, "lobby", credentials, KnownServers(tmp_path / "known"), None)
    chat = Chat("Ana", "lobby", finder, credentials, "manual", QUICK)
    chat._open(None)
    try:
        server.close()
        eventually(lambda: chat.state == "reconnecting")
        kind.stumbles = 0  # type: ignore[attr-defined]
        eventually(lambda: kind.stumbles == 2)  # type: ignore[attr-defined]
        restarted()
        eventually(lambda: is_back(chat))
    finally:
        chat.leave()
    assert any(record.exc_info for record in caplog.records)


def test_found_29_a_question_that_the_room_does_not_answer_in_time_ends(
    server: Server, joined: Callable[..., Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = joined("Ana")
    gate = threading.Event()
    [room] = server._rooms.open_ones
    monkeypatch.setattr(room.search, "wait", lambda: gate.wait(20))
    with pytest.raises(WaitTimeout):
        ana.search("anything", timeout=0.2)
    assert not gate.is_set()
    gate.set()
    eventually(lambda: ana.state == "connected")


def test_of_several_addresses_the_first_that_is_there_is_taken_and_the_next_when_it_is_gone(
    server: Server, host_lobby: Host, joined: Join
) -> None:
    nobody, other = free_port(), free_port()
    first = f"localhost:{server.port}"
    ana = joined("Ana", at=f"localhost:{nobody},{first},localhost:{other}")
    assert ana.at == first
    assert ana.send("here").id == 2
    states: list[str] = []
    ana.on_state(lambda state, reason: states.append(state))
    server.close()
    host_lobby(port=other)
    eventually(lambda: ana.state == "connected")
    assert ana.at == f"localhost:{other}"
    assert ana.send("there").id == 3
    assert texts(ana.history()) == ["here", "there"]
    assert states == ["reconnecting", "connected"]


def test_where_nobody_is_at_any_address_the_first_is_named(config_dir: Path) -> None:
    one, other = free_port(), free_port()
    with pytest.raises(RoomUnreachable, match=f"localhost:{one}"):
        pyrochat.join("Ana", at=f"localhost:{one},localhost:{other}")
