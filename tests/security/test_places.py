"""Places: idle guests make room, members and newcomers with keys get in, a class behind one address does too."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
from pathlib import Path

import pytest

from lab.attacks.wire import Attacked, Stranger, call_frame
from pyrochat import Chat, Server, ServerFull
from pyrochat.client.credentials import Credentials
from pyrochat.client.finding import AtAddress
from pyrochat.client.known import KnownServers
from pyrochat.client.reading import AUTO
from pyrochat.core.places import Bounds
from pyrochat.room.door.registry import Registry
from pyrochat.trust.keys import Key
from tests.security.support import Host, Join, entered
from tests.support import QUICK, address_of, eventually, together

FEW = Bounds(strangers=20, strangers_of_a_peer=20)
CLASS = 40


def is_served(guest: Stranger) -> bool:
    return not guest.ask(call_frame("members")).is_refusal


def is_gone(guest: Stranger) -> bool:
    with contextlib.suppress(Attacked):
        return not is_served(guest)
    return True


def test_found_4_idle_guests_make_room_for_newcomers(serve: Host, joined: Join) -> None:
    """Given as many idle guests as fit, and more, then the oldest have gone, and who has a key joins, and stays."""
    server = serve(bounds=FEW)
    ana = joined("Ana", at=server.at)
    with contextlib.ExitStack() as stack:
        guests = [stack.enter_context(Stranger(address_of(server))).greet(f"guest{n}") for n in range(50)]
        for guest in guests[:30]:
            assert guest.wait_end() < 10
        igor = joined("Igor", at=server.at)
        assert igor.send("hi").id == ana.wait_for(igor.history()[-1].id, timeout=20).id
        assert is_served(guests[-1])
        assert igor.state == ana.state == "connected"


def test_found_4_the_guest_that_was_idle_for_longest_goes_first(serve: Host) -> None:
    server = serve(bounds=Bounds(strangers=3, strangers_of_a_peer=3))
    with contextlib.ExitStack() as stack:
        guests = [stack.enter_context(Stranger(address_of(server))).greet(f"guest{n}") for n in range(3)]
        assert is_served(guests[0])
        stack.enter_context(Stranger(address_of(server))).greet("late")
        assert guests[1].wait_end() < 10
        assert is_served(guests[0])


def test_found_4_a_guest_that_has_joined_goes_after_the_idle_ones(serve: Host) -> None:
    server = serve(bounds=Bounds(strangers=3, strangers_of_a_peer=3))
    with contextlib.ExitStack() as stack:
        member = stack.enter_context(Stranger(address_of(server))).greet("member")
        assert not member.ask(call_frame("join")).is_refusal
        for number in range(6):
            last = stack.enter_context(Stranger(address_of(server))).greet(f"guest{number}")
        assert is_served(member)
        assert is_served(last)


def test_found_4_a_crowd_at_one_address_takes_no_place_of_anothers(serve: Host) -> None:
    server = serve(bounds=Bounds(strangers=20, strangers_of_a_peer=12))
    with contextlib.ExitStack() as stack:

        def guests(source: str, count: int) -> list[Stranger]:
            names = [f"guest{source.rpartition('.')[2]}-{number}" for number in range(count)]
            return [stack.enter_context(Stranger(address_of(server), source=source)).greet(name) for name in names]

        quiet = guests("127.0.0.9", 4)
        for source in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            crowd = guests(source, 30)
        assert all(map(is_served, quiet))
        assert is_served(crowd[-1])


def test_found_4_a_class_behind_one_address_joins_at_once(serve: Host, tmp_path: Path) -> None:
    """Newcomers with keys of their own, at a server that lets this process have 1,024 files open."""
    server = serve(bounds=Bounds.within(1024))

    def join(number: int) -> Chat:
        credentials = Credentials(f"m{number}", Key.made())
        finder = AtAddress(server.at, "lobby", credentials, KnownServers(tmp_path / f"known{number}.json"), None)
        chat = Chat(f"m{number}", "lobby", finder, credentials, AUTO, QUICK)
        chat._open(None)
        return chat

    chats: list[Chat] = together([lambda number=number: join(number) for number in range(CLASS)])  # type: ignore
    try:
        last = [chat.send("hi") for chat in chats][-1]
        for chat in chats:
            assert chat.wait_for(last.id, timeout=20) == last
            assert len(chat.members) == CLASS
    finally:
        for chat in chats:
            chat.leave()


# -- when there are few descriptors left -----------------------------------------------------------------------------


@pytest.fixture
def known(data: Path) -> Key:
    """Ana's key, which has had its name for a day."""
    key = Key.made()
    with contextlib.closing(Registry(data)) as registry:
        registry.claim("Ana", key.public)
    with contextlib.closing(sqlite3.connect(data / "names.sqlite3")) as db, db:
        db.execute("UPDATE names SET since_us = since_us - 86400000000")
    return key


def test_found_4_the_last_places_are_kept_for_members_whose_keys_are_known(serve: Host, known: Key) -> None:
    server = serve(bounds=Bounds(kept_for_known=1 << 20))
    with entered(server, "Ana", known) as ana:
        assert ana.call("members") == []
        with pytest.raises(ServerFull, match="kept for members whose keys are known"), entered(server, "Igor"):
            pass
    assert [entry.name for entry in server._registry.entries()] == ["Ana"], "who is refused gets no name either"


def test_found_4_known_members_come_in_a_crowd_when_places_are_few(serve: Host, known: Key) -> None:
    """Those who have yet to show their key don't drive each other out."""
    server = serve(bounds=Bounds(kept_for_known=1 << 20))

    def come() -> object:
        with entered(server, "Ana", known) as ana:
            return ana.call("members")

    assert together([come] * 20) == [[]] * 20


def test_found_4_a_server_in_a_program_heeds_the_programs_limit(server: Server) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    bounds = server._daemon.transportServer._bounds  # type: ignore[union-attr]
    assert bounds == Bounds.within(min(soft, 1 << 20))


def test_found_4_a_guests_join_is_refused_when_as_many_guests_are_members_as_can_be(serve: Host) -> None:
    server = serve(bounds=Bounds(guests=2))
    with contextlib.ExitStack() as stack:
        guests = [stack.enter_context(Stranger(address_of(server))).greet(f"guest{n}") for n in range(3)]
        answers = [guest.ask(call_frame("join")) for guest in guests]
        assert [answer.is_refusal for answer in answers] == [False, False, True]
        assert answers[2].text.startswith("server-full: ")
        with entered(server, "Ana") as ana:
            assert isinstance(ana.call("join", None, None), list)
        guests[0].ask(call_frame("leave"))
        eventually(lambda: not guests[2].ask(call_frame("join")).is_refusal)
