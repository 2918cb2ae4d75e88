"""Closed rooms and direct ones: for who is let in they are rooms like any other, for all others they are not there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from pyrochat import (
    Chat,
    GuestsRefused,
    InvalidArgument,
    NewRoomsRefused,
    NotYours,
    PyroChatError,
    QuotaUsedUp,
    RemovedFromRoom,
    RoomNotFound,
    Server,
)
from pyrochat.client.answers import DIRECT
from pyrochat.core.closed_rooms import MAX_DIRECT
from pyrochat.room.door.closed import ClosedRooms
from pyrochat.room.door.registry import Registry
from pyrochat.values.message import INVITED, JOINED, REMOVED
from tests.security.support import Host, Join
from tests.support import bare, eventually, texts


@pytest.fixture
def server(host_lobby: Host) -> Server:
    """A server on which members may create rooms."""
    return host_lobby(new_rooms="members")


@pytest.fixture
def people(joined: Join) -> Callable[..., list[Chat]]:
    """Members of the lobby, each with a key of their own."""
    return lambda *names, **options: [joined(name, client=name, **options) for name in names]


def changes(chat: Chat) -> list[tuple[str, str]]:
    return [(message.change, message.text) for message in chat.history() if message.change not in (None, JOINED)]


def test_a_closed_room_is_there_for_those_who_are_let_in(people: Callable[..., list[Chat]]) -> None:
    ana, igor, eve = people("Ana", "Igor", "Eve")
    assert ana.create_room("plans", members=["igor"]) == "plans"
    assert ana.rooms() == igor.rooms() == ["lobby", "plans"]
    assert eve.rooms() == ["lobby"]
    with ana.join_room("plans") as of_ana, igor.join_room("Plans") as of_igor:
        message = of_ana.send("the password is swordfish")
        assert of_igor.wait_for(message.id, 10).text == message.text
        assert message.room == "plans"
        assert of_igor.members == ["Ana", "Igor"]
        assert texts(of_igor.search("swordfish")) == [message.text]
        of_igor.mark_read(message.id)
        assert of_ana.wait_read(message.id, 10).read_by == {"Igor"}
        with pytest.raises(RoomNotFound, match=r"it has lobby$"):
            eve.join_room("plans")
    assert igor.rooms() == ["lobby", "plans"], "who leaves may come again"


def test_who_is_invited_hears_of_it_and_gets_the_whole_history(people: Callable[..., list[Chat]]) -> None:
    ana, igor, eve = people("Ana", "Igor", "Eve")
    heard: list[str] = []
    eve.on_notice(heard.append)
    with ana.join_room(ana.create_room("plans", members=[])) as plans:
        plans.send("one")
        plans.invite("Igor")
        with igor.join_room("plans") as of_igor:
            of_igor.invite("eve")
            of_igor.invite("eve")
            with eve.join_room("plans") as of_eve:
                assert texts(of_eve.history()) == ["one"]
                assert changes(of_eve) == [(INVITED, "Ana invited Igor"), (INVITED, "Igor invited Eve")]
                key = next(message.key for message in of_eve.history() if message.change == INVITED)
                assert key == next(m.key for m in of_eve.history() if (m.change, m.sender) == (JOINED, "Igor"))
        eventually(lambda: heard == ["Igor has let you into the closed room 'plans': join it"])
        with pytest.raises(InvalidArgument, match="nobody with a key is called 'Zoe' here"):
            plans.invite("Zoe")


def test_who_is_removed_hears_nothing_more_and_keeps_what_it_has(people: Callable[..., list[Chat]]) -> None:
    ana, igor, eve = people("Ana", "Igor", "Eve")
    plans = ana.join_room(ana.create_room("plans", members=["Igor", "Eve"]))
    of_igor, of_eve = igor.join_room("plans"), eve.join_room("plans")
    with plans, of_igor, of_eve:
        seen = plans.send("for all three")
        of_igor.wait_for(seen.id, 20)
        plans.remove("Igor")
        eventually(lambda: of_igor.state == "refused")
        assert isinstance(of_igor.refusal, RemovedFromRoom)
        assert texts(of_igor.history()) == ["for all three"]
        hidden = plans.send("for two")
        of_eve.wait_for(hidden.id, 20)
        assert of_igor.history()[-1].id < hidden.id
        assert changes(of_eve)[-2:] == [("left", "Igor left"), (REMOVED, "Ana removed Igor")]
        assert of_eve.members == ["Ana", "Eve"]
        assert plans.confirmations(seen.id).away == set(), "who was removed is waited for no more"
        for ask in (
            lambda: of_igor.send("?"),
            lambda: of_igor.search("two"),
            lambda: of_igor.confirmations(hidden.id),
            lambda: igor.join_room("plans"),
        ):
            with pytest.raises(PyroChatError):
                ask()
        assert igor.rooms() == ["lobby"]
        plans.remove("Igor")
        assert len(changes(plans)) == len(changes(of_eve)), "twice is once"
        of_eve.invite("Igor")
        with igor.join_room("plans") as again:
            assert texts(again.history()) == ["for all three", "for two"]


def test_who_may_remove_whom(people: Callable[..., list[Chat]], joined: Join) -> None:
    ana, igor, eve = people("Ana", "Igor", "Eve")
    with ana.join_room(ana.create_room("plans", members=["Igor"])) as plans, igor.join_room("plans") as of_igor:
        of_igor.invite("Eve")
        with eve.join_room("plans") as of_eve:
            for name in ("Ana", "Igor"):
                with pytest.raises(NotYours, match=f"{name} is removed by who created the room"):
                    of_eve.remove(name)
            with pytest.raises(NotYours):
                of_igor.remove("Ana")
            with pytest.raises(InvalidArgument, match="nobody of that name was let in"):
                of_igor.remove("Zoe")
            of_eve.remove("Eve")
            eventually(lambda: of_eve.state == "refused")
        eventually(lambda: changes(plans)[-1] == (REMOVED, "Eve gave up the room"))
        of_igor.invite("Eve")
        eve.leave()
        with joined("EVE", client="Eve", room="plans") as spelled_otherwise:
            spelled_otherwise.remove("eve")
        eventually(lambda: changes(plans)[-1] == (REMOVED, "Eve gave up the room"))
        of_igor.invite("Eve")
        of_igor.remove("Eve")
        eventually(lambda: changes(plans)[-1] == (REMOVED, "Igor removed Eve"))


def test_titles_are_only_labels(people: Callable[..., list[Chat]]) -> None:
    ana, igor = people("Ana", "Igor")
    ana.create_room("plans", members=["Igor"])
    second = ana.create_room("Plans", members=["Igor"])
    assert second.startswith("Plans+")
    assert len(set(igor.rooms())) == 3
    with pytest.raises(RoomNotFound, match=r"several rooms are called 'plans' here: say plans\+\w{6} or Plans\+"):
        igor.join_room("plans")
    with ana.join_room(second) as of_ana, igor.join_room(second) as of_igor:
        of_igor.wait_for(of_ana.send("in the second").id, 20)
    igor.create_room("plans")
    with igor.join_room("plans") as plans:
        assert texts(plans.history()) == [], "an open room has its name for itself"
    lobby = ana.create_room("lobby", members=["Igor"])
    assert lobby.startswith("lobby+")
    with igor.join_room("lobby") as open_one:
        assert set(open_one.members) == {"Ana", "Igor"}


def test_the_room_of_two(people: Callable[..., list[Chat]], server: Server) -> None:
    ana, igor, eve = people("Ana", "Igor", "Eve")
    heard: list[str] = []
    igor.on_notice(heard.append)
    with ana.direct("igor") as one:
        message = one.send("between us")
        with igor.direct("Ana") as other:
            assert other.wait_for(message.id, 10).text == "between us"
            assert one.log_id == other.log_id
            with pytest.raises(InvalidArgument, match="is for its two"):
                one.invite("Eve")
            with pytest.raises(InvalidArgument, match="is for its two"):
                one.remove("Igor")
    assert one.room == other.room == "Ana+Igor"
    assert heard == ["Ana has opened a direct room with you: Ana+Igor"]
    assert ana.rooms() == igor.rooms() == ["lobby", "Ana+Igor"]
    assert eve.rooms() == ["lobby"]
    with eve.direct("Igor") as third:
        assert texts(third.history()) == []
    for name, why in (("Ana", "that is you"), ("Zoe", "nobody with a key is called 'Zoe'")):
        with pytest.raises(InvalidArgument, match=why):
            ana.direct(name)
    with ana.join_room("ana+IGOR") as again:
        assert texts(again.history()) == ["between us"]


def test_direct_rooms_are_whatever_the_operator_says_of_new_rooms(
    server: Server, host_lobby: Host, joined: Join
) -> None:
    server.close()
    server = host_lobby()
    ana, _, _ = (joined(name, client=name, at=server.at) for name in ("Ana", "Igor", "Eve"))
    with pytest.raises(NewRoomsRefused):
        ana.create_room("plans", members=["Igor"])
    for _ in range(2):
        with ana.direct("Igor") as one:
            one.send("hi")
    with contextlib.closing(Registry(server.data)) as registry:
        for number in range(MAX_DIRECT - 1):
            registry.claim(f"m{number}", bytes([number]) * 32)
    for number in range(MAX_DIRECT - 1):
        ana._session.ask(DIRECT, f"m{number}")
    with pytest.raises(QuotaUsedUp, match="100 direct rooms here"):
        ana.direct("Eve")
    with ana.direct("Igor") as one:
        assert texts(one.history()) == ["hi", "hi"]


def test_all_of_it_lasts_over_a_restart(server: Server, host_lobby: Host, joined: Join) -> None:
    ana, igor = (joined(name, client=name, at=server.at) for name in ("Ana", "Igor"))
    with ana.join_room(ana.create_room("plans", members=["Igor"])) as plans, ana.direct("Igor") as direct:
        plans.send("kept")
        direct.send("kept too")
        plans.remove("Igor")
    ana.leave()
    igor.leave()
    server.close()
    server = host_lobby(new_rooms="members")
    assert server.rooms == ["lobby"]
    ana, igor = (joined(name, client=name, at=server.at) for name in ("Ana", "Igor"))
    assert (ana.rooms(), igor.rooms()) == (["lobby", "plans", "Ana+Igor"], ["lobby", "Ana+Igor"])
    with ana.join_room("plans") as plans, igor.direct("Ana") as direct:
        assert (texts(plans.history()), texts(direct.history())) == (["kept"], ["kept too"])
        plans.invite("Igor")


def test_a_member_of_a_closed_room_comes_back_after_a_restart(server: Server, host_lobby: Host, joined: Join) -> None:
    port = server.port
    ana = joined("Ana", client="Ana", at=server.at)
    plans = ana.join_room(ana.create_room("plans", members=[]))
    with plans:
        plans.send("before")
        server.close()
        host_lobby(new_rooms="members", port=port)
        eventually(lambda: plans.state == "connected")
        assert plans.send("after").id == 3
        assert texts(plans.history()) == ["before", "after"]


def test_who_gets_a_freed_name_later_is_waited_for_in_no_closed_room(
    people: Callable[..., list[Chat]], server: Server, joined: Join
) -> None:
    ana, igor, eve = people("Ana", "Igor", "Eve")
    with ana.join_room(ana.create_room("plans", members=["Igor", "Eve"])) as plans:
        for chat in (igor, eve):
            chat.join_room("plans").leave()
        message = plans.send("while both are away")
        assert plans.confirmations(message.id).away == {"Igor", "Eve"}
        igor.leave()
        with contextlib.closing(Registry(server.data)) as registry:
            registry.remove("Igor")
        joined("Igor", client="another")
        assert plans.confirmations(message.id).away == {"Eve"}


def test_a_room_that_is_forgotten_is_there_until_the_server_stops(
    people: Callable[..., list[Chat]], server: Server
) -> None:
    ana, igor, eve = people("Ana", "Igor", "Eve")
    with ana.join_room(ana.create_room("plans", members=["Igor"])) as plans, igor.join_room("plans") as of_igor:
        with contextlib.closing(Registry(server.data)) as registry:
            [room] = ClosedRooms(registry.file).all()
            registry.forget_room(room.room)
            registry.ban("Eve")
        eventually(lambda: eve.state == "refused")  # it has looked at what the operator changed
        of_igor.wait_for(plans.send("still here").id, 20)


def test_who_has_no_key_has_no_closed_rooms(people: Callable[..., list[Chat]], server: Server) -> None:
    people("Ana")
    with bare(server, "Guest") as guest:
        for ask in (lambda: guest.direct("Ana"), lambda: guest.create_room("plans", ["Ana"])):
            with pytest.raises((PermissionError, GuestsRefused), match="guests"):
                ask()
        with pytest.raises(ValueError, match="this room is open to everybody"):
            guest.invite("Ana")
        assert guest.rooms() == ["lobby"]
