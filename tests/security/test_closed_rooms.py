"""From outside a closed room is not there: not in lists, errors, the name server, searches, nor for who has its object id."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from Pyro5.api import Proxy
from Pyro5.errors import CommunicationError

from pyrochat import Chat, PyroChatError, RemovedFromRoom, RoomNotFound, Server
from pyrochat.pyro.naming import NameServer
from pyrochat.pyro.remote import RemoteObject
from pyrochat.room.chatroom import ChatRoom
from pyrochat.room.door.closed import ClosedRooms
from pyrochat.room.door.registry import Registry
from pyrochat.trust.keys import Key
from pyrochat.values.protocol import room_object
from tests.security.support import Host, Join, entered, knocking
from tests.support import bare, eventually, free_port

SECRET = "swordfish"
METHODS: dict[str, tuple[object, ...]] = {
    "post": ("hi",), "post_many": (["hi"],), "set_topic": ("tea",), "current": (1,), "history": (), "search": (SECRET,),
    "members": (), "suspected": (), "sites": (), "confirmations": (1,), "join": (), "attach": ("session", 0), "standing": (),
    "digest": (1,), "mark_read": (1,), "leave": (), "rooms": (), "create_room": ("tea",), "direct": ("Ana",),
    "invite": ("Eve",), "remove": ("Ana",),
}  # fmt: skip


@pytest.fixture
def server(host_lobby: Host) -> Server:
    """A server on which members may create rooms."""
    return host_lobby(new_rooms="members")


@pytest.fixture
def plans(server: Server, joined: Join) -> Iterator[Chat]:
    """A closed room of Ana's and Igor's, with a message in it."""
    ana = joined("Ana", client="Ana")
    joined("Igor", client="Igor")
    with ana.join_room(ana.create_room("plans", members=["Igor"])) as chat:
        chat.send(f"the password is {SECRET}")
        yield chat


def object_id(server: Server) -> str:
    """Of the one closed room there, as somebody has found it out."""
    with contextlib.closing(Registry(server.data)) as registry:
        [room] = ClosedRooms(registry.file).all()
    return room_object(room.room)


def said_of(ask: Callable[[], object]) -> str:
    try:
        return f"answered {ask()!r}"
    except (PyroChatError, RuntimeError, ValueError, PermissionError) as error:
        return str(error)


def test_nothing_that_is_asked_from_outside_tells_of_it(server: Server, plans: Chat, joined: Join) -> None:
    eve = joined("Eve", client="Eve")
    assert eve.rooms() == server.rooms == ["lobby"]
    assert list(eve.search(SECRET)) == []
    for name in ("plans", "Plans", "plans+abcdef", "Ana+Igor", object_id(server).removeprefix("pyrochat.")[1:]):
        nothing = said_of(lambda: eve.join_room("nothing")).replace("nothing", name)
        assert said_of(lambda name=name: eve.join_room(name)) == nothing
    ana = plans
    with ana.direct("Igor"):
        assert eve.rooms() == ["lobby"]
    with Proxy(f"PYRO:pyrochat.server@{server.at}") as stranger, bare(server, "Guest") as guest:
        assert stranger.rooms() == guest.rooms() == ["lobby"]
        with pytest.raises(PermissionError, match="name-missing"):
            stranger.closed_rooms()
        for name in ("pyrochat.plans", "pyrochat.+plans", "pyrochat.Ana+Igor"):
            with Proxy(f"PYRO:{name}@{server.at}") as proxy, pytest.raises(CommunicationError, match="no such room"):
                proxy._pyroBind()
    with Proxy(f"PYRO:Pyro.Daemon@{server.at}") as daemon, pytest.raises(AttributeError):
        daemon.registered()


@pytest.mark.usefixtures("plans")
def test_who_has_its_object_id_and_may_not_enter_is_told_that_it_is_not_there(server: Server) -> None:
    id = object_id(server)
    asked = {name for name, method in vars(ChatRoom).items() if callable(method) and not name.startswith("_")}
    assert set(METHODS) | {"prove"} == asked
    with Proxy(f"PYRO:{id}@{server.at}") as nobody:
        with pytest.raises(PermissionError, match="name-missing"):
            nobody.history()
        nobody._pyroRelease()
        nobody._pyroHandshake = {"name": "Guest"}
        for method, arguments in METHODS.items():
            with pytest.raises((RuntimeError, PermissionError), match=r"^room-not-found: there is no such room"):
                getattr(nobody, method)(*arguments)
    with knocking(server, "Eve", room=id.removeprefix("pyrochat.")) as knock:
        with pytest.raises(RoomNotFound, match="there is no such room on this server"):
            knock.prove()
        for method, arguments in METHODS.items():
            assert (
                said_of(lambda m=method, a=arguments: knock.remote.call(m, *a))
                == "there is no such room on this server"
            )


@pytest.mark.usefixtures("plans")
def test_a_name_without_its_key_is_nobody(server: Server) -> None:
    room = object_id(server).removeprefix("pyrochat.")
    with (
        knocking(server, "Igor", Key.made(), room) as knock,
        pytest.raises(PyroChatError, match="belongs to another key"),
    ):
        knock.prove()
    with entered(server, "Eve") as lobby, pytest.raises(PyroChatError):
        lobby.call("invite", "Eve")
    with (
        knocking(server, "Eve", room=room, on="pyrochat.lobby") as knock,
        pytest.raises(PyroChatError, match="another room"),
    ):
        knock.prove()


def test_who_was_removed_gets_nothing_by_any_connection_that_it_has(server: Server, plans: Chat, joined: Join) -> None:
    igor = joined("Igor", client="Igor")
    key = igor._credentials.key
    room = object_id(server).removeprefix("pyrochat.")
    with entered(server, "Igor", key, room) as first, igor.join_room("plans") as chat:
        session = chat._session._session_id
        first.call("history")
        plans.remove("Igor")
        hidden = plans.send("for Ana alone")
        for method, arguments in METHODS.items():
            with pytest.raises(RemovedFromRoom):
                first.call(method, *arguments)
        eventually(lambda: chat.state == "refused")
        assert all(message.id < hidden.id for message in chat.history())
        with knocking(server, "Igor", key, room, session=session) as again, pytest.raises(RemovedFromRoom):
            again.prove()
        assert igor.rooms() == ["lobby"]


def test_the_name_server_never_knows_it(
    host_lobby: Host, joined: Join, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("Pyro5.config.NS_PORT", free_port())
    server.close()
    server = host_lobby(new_rooms="members", nameserver=True)
    ana = joined("Ana", client="Ana", at=server.at)
    joined("Igor", client="Igor", at=server.at)
    with ana.join_room(ana.create_room("plans", members=["Igor"])), ana.direct("Igor"):
        assert set(NameServer().entries("pyrochat.")) == {"pyrochat.lobby", "pyrochat.server"}
        by_name = joined("Igor", client="Igor", room="plans", at=None)
        assert by_name.room == "plans"
        with pytest.raises(RoomNotFound, match="knows no room 'plans'; it knows lobby"):
            joined("Eve", client="Eve", room="plans", at=None)


def test_what_a_client_asks_of_the_server_needs_its_own_proof(server: Server, plans: Chat) -> None:
    with entered(server, "Eve") as lobby:
        assert lobby.call("rooms") == ["lobby"]
    key = plans._credentials.key
    with knocking(server, "Ana", key, "lobby", on="pyrochat.server") as knock, pytest.raises(PyroChatError):
        knock.prove()
    with entered(server, "Ana", key, "server") as remote:
        assert isinstance(remote, RemoteObject)
        assert remote.call("closed_rooms") == [["plans", object_id(server)]]
        assert remote.call("rooms") == ["lobby", "plans"]
