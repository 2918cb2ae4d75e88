"""What a hostile or defect server, or whoever stands in its place, can do to a client. ``python -m lab attacks clients``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from Pyro5 import config

import pyrochat
from lab.attacks import clients
from lab.attacks.clients import Trap
from lab.attacks.hostile import HostileNameServer, HostileServer, Said, refused, said
from pyrochat import Chat, PyroChatError, ServerFault, Unavailable
from pyrochat.client.answers import SUSPECTED
from pyrochat.client.callback import MOST_NOTICES
from pyrochat.client.credentials import Credentials
from pyrochat.client.place import RoomPlace
from pyrochat.pyro.connection import shut_down
from pyrochat.pyro.naming import NameServer
from pyrochat.pyro.serializers import JSON, SERPENT
from pyrochat.trust.keys import Key
from tests.support import QUICK, address_of, eventually
from tests.system.support import Machine, free_port

QUICK_TRAPS = [trap for trap in clients.TRAPS if "60 MiB" not in trap.name]
NOBODY_KNOWS = ["internal-error: the server could not do this", "too-early: come back at noon", "boom", "x" * 5000, ""]
ASKED: dict[str, Callable[[Chat], object]] = {
    "suspected": lambda chat: chat.suspected(), "sites": lambda chat: chat.sites(), "rooms": lambda chat: chat.rooms(), "search": lambda chat: chat.search("x"),
    "confirmations": lambda chat: chat.confirmations(1), "create_room": lambda chat: chat.create_room("coffee"),
    "post": lambda chat: chat.send("hi"), "post_many": lambda chat: chat.send_many(["one", "two"]),
    "digest": lambda chat: chat.verify(), "mark_read": lambda chat: chat.mark_read(1),
}  # fmt: skip


@pytest.fixture
def hostile(tmp_path: Path) -> Callable[..., HostileServer]:
    """Makes servers that answer what they are told to; to be used as context managers."""
    return lambda answers=None, deliver=None: HostileServer(tmp_path / "hostile", answers, deliver, timing=QUICK)


# -- 12a: memory ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trap", QUICK_TRAPS, ids=lambda trap: trap.name)
def test_found_12a_a_client_meets_it_in_bounded_memory_and_says_so_in_one_line(trap: Trap) -> None:
    met = clients.meet(trap)
    assert not met.wrong, f"{met.outcome}: {met.wrong}"


def test_the_traps_for_clients_can_tell() -> None:
    met = clients.meet(Trap("harmless", outcome="^joined", most_mib=0.0))
    assert "grew by" in met.wrong
    assert "expected" in clients.meet(Trap("harmless")).wrong


def test_found_12a_before_the_proof_little_is_taken(hostile: Callable[..., HostileServer]) -> None:
    """64 KiB; and a list of rooms as long as any server's is taken."""
    many = [f"{number:032}" for number in range(1_000)]
    with hostile({"rooms": said(["lobby", *many])}) as server, pyrochat.join("Ana", at=server.at, timing=QUICK) as ana:
        assert len(ana.rooms()) == 1_001
    for rooms in (["x" * 70_000], [""] * 5_000):
        with hostile({"rooms": said(rooms)}) as server, pytest.raises(ServerFault):
            pyrochat.join("Ana", at=server.at)


def test_a_large_delivery_is_taken(hostile: Callable[..., HostileServer]) -> None:
    """As large as a room makes it: 16 KiB a message, of four-byte characters."""
    with hostile() as server, pyrochat.join("Ana", at=server.at, timing=QUICK) as ana:
        sent = ana.send_many(["🎉" * 4096] * 50)
        assert ana.wait_for(sent[-1].id, timeout=20).text == "🎉" * 4096
        assert ana.send("🎉" * 4096).text == "🎉" * 4096
        found = ana.send_many([f"word {'🎉' * 4000}"] * 50)
        eventually(lambda: len(ana.search("word")) == 50)
        many = ana.send_many(["x"] * 10_000)
        assert many[-1].id == found[-1].id + 10_000


# -- 12c: what is said beside the log --------------------------------------------------------------------------------


def test_found_12c_a_notice_comes_clean_and_short_and_not_for_ever(
    hostile: Callable[..., HostileServer], caplog: pytest.LogCaptureFixture
) -> None:
    with hostile() as server, pyrochat.join("Ana", at=server.at, timing=QUICK) as ana:
        notices: list[str] = []
        ana.on_notice(notices.append)
        for _ in range(3 * MOST_NOTICES):
            server._multicaster.tell(server._rooms.open_ones[0], "\x1b[2Jlost\n" + "x" * 5_000)
        last = ana.send("after them")
        ana.wait_for(last.id, timeout=20)
        eventually(lambda: len(notices) == MOST_NOTICES)
    assert notices[0].startswith("␛[2Jlost⏎xxx")
    assert all(notice.isprintable() and len(notice) < 600 for notice in notices)
    assert "from now on is not shown" in notices[-1]
    assert all(record.getMessage().isprintable() for record in caplog.records)


def test_found_12c_the_reason_of_a_farewell_comes_clean_and_short(hostile: Callable[..., HostileServer]) -> None:
    with hostile() as server:
        states: list[tuple[str, str]] = []
        ana = pyrochat.join("Ana", at=server.at, timing=QUICK)
        ana.on_state(lambda state, reason: states.append((state, reason)))
        server.close("\x1b]0;owned\x07" + "x" * 5_000)
        eventually(lambda: states)
        ana.leave()
    assert states[0][0] == "reconnecting"
    assert states[0][1].startswith("␛]0;owned␇xxx")
    assert states[0][1].isprintable()
    assert len(states[0][1]) <= 500


@pytest.mark.parametrize("method", ["rooms", "prove", "join", "post"])
def test_found_12c_a_refusal_comes_clean_and_short(hostile: Callable[..., HostileServer], method: str) -> None:
    for text in ("banned: \x1b[31m\n" + "x" * 5_000, "\x1b[31m" + "x" * 5_000):
        with (
            hostile({method: refused(text)}) as server,
            pytest.raises(PyroChatError) as caught,
            pyrochat.join("Ana", at=server.at, timing=QUICK) as ana,
        ):
            ana.send("hi")
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 600


@pytest.mark.parametrize("version", [[1] * 1000, "\x1b[31m", {"x": 1}, 10**30, None, 1.5])
def test_found_12c_a_version_that_is_none_is_not_repeated(
    hostile: Callable[..., HostileServer], version: object
) -> None:
    with hostile() as server:
        server.answers["greeting"] = said({"handshake": {"version": version}}, JSON)
        with pytest.raises(PyroChatError) as caught:
            Credentials("Ana", Key.made()).enter(RoomPlace(address_of(server), "lobby", None, None, None), None, 5)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


# -- 18: what the client doesn't know ends the call -------------------------------------------------------------------


@pytest.mark.parametrize("text", NOBODY_KNOWS)
@pytest.mark.parametrize("method", ASKED)
def test_found_18_an_error_that_nobody_knows_ends_the_call(
    hostile: Callable[..., HostileServer], method: str, text: str
) -> None:
    """Given a server that refuses in words that this version doesn't know, then it is asked once, and nothing is lost."""
    with hostile() as server, pyrochat.join("Ana", at=server.at, timing=QUICK) as ana:
        ana.send("a message")
        ana.history()
        states: list[str] = []
        ana.on_state(lambda state, reason: states.append(state))
        server.answers[method] = refused(text)
        before = server.calls.count(method)
        with pytest.raises(ServerFault):
            ASKED[method](ana)
        assert server.calls.count(method) == before + 1
        del server.answers[method]
        assert ana.send("the next one", timeout=20).text == "the next one"
        assert states == []


@pytest.mark.parametrize("method", ["rooms", "prove", "join", "standing"])
def test_found_18_so_it_does_at_a_join(hostile: Callable[..., HostileServer], method: str) -> None:
    with hostile({method: refused("internal-error: the server could not do this")}) as server:
        with pytest.raises(ServerFault, match="internal-error"):
            pyrochat.join("Ana", at=server.at, timing=QUICK)
        assert server.calls.count(method) == 1


def test_found_18_who_can_not_come_back_for_such_an_error_does_not_ask_for_ever(
    hostile: Callable[..., HostileServer],
) -> None:
    with hostile() as server, pyrochat.join("Ana", at=server.at, timing=QUICK) as ana:
        server.answers["join"] = refused("internal-error: the server could not do this")
        before = server.calls.count("join")
        assert ana._session._served is not None
        shut_down(ana._session._served.sock)
        eventually(lambda: ana.state == "refused")
        with pytest.raises(ServerFault, match="internal-error"):
            ana.send("hi")
        assert server.calls.count("join") == before + 1


def test_found_18_a_delivery_that_makes_no_sense_is_not_asked_for_again(hostile: Callable[..., HostileServer]) -> None:
    with hostile() as server, pyrochat.join("Ana", at=server.at, timing=QUICK) as ana:
        ana.history()
        server.deliver = clients.delivering(b"\x92\x91\x01\x90")
        reasons: list[str] = []
        ana.on_state(lambda state, reason: reasons.append(reason))
        assert ana._session._served is not None
        shut_down(ana._session._served.sock)
        eventually(lambda: ana.state == "refused")
        assert server.calls.count("attach") == 2
        eventually(lambda: reasons and "makes no sense" in reasons[-1])  # handlers have threads of their own
        with pytest.raises(ServerFault):
            ana.wait_for(1_000)


def test_found_18_who_is_lost_as_soon_as_it_is_back_comes_back_less_and_less_often(
    hostile: Callable[..., HostileServer],
) -> None:
    """Something between them cuts the connection at a call, again and again: 3 s are no time for hundreds of joins."""

    def cut(arguments: object) -> Said:
        for connection in list(server._daemon.transportServer._connections):  # type: ignore[union-attr]
            connection.hang_up()
        return Said(b"\xc0")

    with hostile() as server, pyrochat.join("Ana", at=server.at, timing=QUICK) as ana:
        server.answers["suspected"] = cut
        before = server.calls.count("join")
        with pytest.raises(PyroChatError):
            ana._session.ask(SUSPECTED, timeout=3)
        assert 2 <= server.calls.count("join") - before <= 12


# -- name servers ------------------------------------------------------------------------------------------------------


def test_found_12a_a_name_server_is_asked_for_one_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hostile: Callable[..., HostileServer]
) -> None:
    """Where the room is spelled as it is registered; only else for all rooms."""
    monkeypatch.setattr(config, "NS_PORT", free_port())
    asked: list[object] = []

    def watch(arguments: object) -> None:
        asked.append(list(arguments)[:1])  # type: ignore[call-overload]

    with HostileNameServer(config.NS_PORT, {"list": watch}), hostile() as server:  # type: ignore[dict-item]
        NameServer().register({"pyrochat.lobby": server.uri("lobby")})
        with pyrochat.join("Ana", timing=QUICK):
            assert asked == [["pyrochat.lobby"]]
        with pyrochat.join("Ana", "LOBBY", timing=QUICK) as ana:
            assert ana.members == ["Ana"]
        assert asked[1:] == [["pyrochat.LOBBY"], ["pyrochat."]]


@pytest.mark.parametrize("answer", [5, None, "x", ["pyrochat.lobby"], [["pyrochat.lobby", "PYRO:x@h:1"]]])
def test_found_12c_an_odd_answer_of_a_name_server_is_said(monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    monkeypatch.setattr(config, "NS_PORT", free_port())
    with (
        HostileNameServer(config.NS_PORT, {"list": said(answer, SERPENT)}),
        pytest.raises(Unavailable, match=r"at=.HOST:PORT"),
    ):
        pyrochat.join("Ana")


def test_found_18_a_server_that_fails_gets_no_rival(machine: Machine, hostile: Callable[..., HostileServer]) -> None:
    """``pyrochat`` hosts where nobody does, and not where somebody fails."""
    machine.nameserver()
    with hostile({"join": refused("internal-error: the server could not do this")}) as server:
        NameServer(("localhost", machine.nameserver_port)).register({"pyrochat.lobby": server.uri("lobby")})
        ended = machine.run("pyrochat", "Ana", typed="hello")
    assert ended.wait() == 1
    assert ended.errors == ["pyrochat: the server refused: internal-error: the server could not do this"]
