"""A history that does not come: who waits for it is told, within a bound."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import pyrochat
from lab.attacks.clients import delivering
from lab.attacks.hostile import HostileServer, refused
from lab.attacks.wire import Stranger, call_frame
from lab.faults.proxy import Proxy
from pyrochat import Chat, Server
from pyrochat.client.stalling import Stalling
from pyrochat.pyro.connection import shut_down
from pyrochat.values.errors import RoomSilent
from pyrochat.values.protocol import CALLBACK_OBJECT, Timing
from tests.support import QUICK, Running, address_of, eventually

Join = Callable[..., Chat]
IMPATIENT = replace(QUICK, progress_seconds=0.5)


def test_something_that_grows_has_not_stalled() -> None:
    stalling = Stalling(10, now=100)
    assert stalling.left(0, 0, now=100) == 10
    assert stalling.left(0, 0, now=109) == 1
    assert stalling.left(1, 0, now=109.5) == 10
    assert stalling.left(1, 0, now=119.5) == 0
    assert stalling.left(1, 0, now=200) == 0


def test_slow_is_not_stalled_but_not_for_ever() -> None:
    stalling = Stalling(10, now=0)
    assert stalling.left(0, partly_at=9, now=9) == 10
    assert stalling.left(0, partly_at=18, now=19) == 9
    assert stalling.left(0, partly_at=55, now=55) == 5
    assert stalling.left(0, partly_at=60, now=60) == 0
    assert stalling.left(1, partly_at=60, now=60) == 10


@pytest.fixture
def narrow(server: Server, joined: Join) -> Iterator[Proxy]:
    """A way to the server on which large packets get lost; the room has a history that does not fit into small ones."""
    joined("Ana").send_many(["x" * 1_000] * 50)
    with Proxy(address_of(server)) as proxy:
        proxy.lose_large(4_000)
        yield proxy


def test_found_27c_join_says_that_the_history_does_not_come(narrow: Proxy) -> None:
    joining = Running(lambda: pyrochat.join("Igor", at=narrow.at, timing=IMPATIENT))
    with pytest.raises(RoomSilent, match=r"none after #0 of 52 for 0\.5 s.*MTU"):
        joining.result(20)


def test_found_27c_a_history_that_comes_is_waited_for(narrow: Proxy) -> None:
    joining = Running(lambda: pyrochat.join("Igor", at=narrow.at, timing=replace(QUICK, progress_seconds=30)))
    eventually(lambda: narrow.connection_count >= 2)
    narrow.release()
    chat = joining.result(20)
    assert isinstance(chat, Chat)
    assert len(chat.history()) == 52
    chat.leave()


def only_beats(room: Stranger) -> None:
    """A room that beats, and delivers nothing."""
    room.ask(call_frame("welcome", "session", object_id=CALLBACK_OBJECT))
    while True:
        room.ask(call_frame("deliver", [], [], object_id=CALLBACK_OBJECT))
        threading.Event().wait(0.05)


def test_found_27c_join_says_so_where_the_room_beats_and_nothing_comes(tmp_path: Path) -> None:
    with HostileServer(tmp_path / "hostile", deliver=only_beats, timing=QUICK) as server:
        with pytest.raises(RoomSilent, match=r"the room answers, but its messages do not come: none after #0 of 1 for"):
            Running(lambda: pyrochat.join("Ana", at=server.at, timing=IMPATIENT)).result(20)
        server.deliver = None


def test_found_27c_a_chat_that_came_back_says_so_and_comes_back_anew(tmp_path: Path) -> None:
    """Given messages that were missed, and a room that beats on and does not deliver them."""
    states: list[tuple[str, str]] = []
    with (
        HostileServer(tmp_path / "hostile", timing=QUICK) as server,
        pyrochat.join("Ana", at=server.at, timing=IMPATIENT) as ana,
        pyrochat.join("Igor", at=server.at, timing=QUICK) as igor,
    ):
        ana.on_state(lambda state, reason: states.append((state, reason)))
        server.answers["join"] = refused("server-full: no place for a moment")
        assert ana._session._served is not None
        shut_down(ana._session._served.sock)
        eventually(lambda: any("no place" in reason for _, reason in states))
        last = igor.send("missed")
        server.deliver = only_beats
        del server.answers["join"]
        eventually(lambda: any("its messages do not come" in reason for _, reason in states))
        assert states[0][0] == "reconnecting"
        server.deliver = None
        assert ana.wait_for(last.id, timeout=20) == last
        eventually(lambda: states[-1] == ("connected", ""))


def test_a_delivery_that_is_lost_and_comes_again_is_no_stall(tmp_path: Path) -> None:
    with HostileServer(tmp_path / "hostile", deliver=delivering(b"\x92\x90\x90"), timing=QUICK) as server:
        joining = Running(lambda: pyrochat.join("Ana", at=server.at, timing=replace(QUICK, progress_seconds=20)))
        eventually(lambda: server.calls.count("attach") >= 1)
        server.deliver = None
        chat = joining.result(20)
        assert isinstance(chat, Chat)
        chat.leave()


@pytest.mark.parametrize("seconds", [0, -1])
def test_the_bound_is_a_time(seconds: float) -> None:
    with pytest.raises(pyrochat.InvalidArgument):
        Timing(progress_seconds=seconds)
