"""Servers of a cluster: what members notice of there being several. Their streams are in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyrochat import Chat, LogLost, LogUnavailable, NameTaken, RoomNotFound, Server, WaitTimeout, join
from pyrochat.core.commands import Lose
from pyrochat.core.integrity import Resumption
from pyrochat.core.sessions import Session
from pyrochat.orders.replicated.order import ReplicatedOrder
from pyrochat.orders.replicated.stream import Fate
from pyrochat.room.door.door import Access
from pyrochat.room.door.identity import Identity
from pyrochat.room.rebuilding import rebuild_registry
from pyrochat.storage.backup import back_up
from pyrochat.storage.log_file import connect, log_path
from pyrochat.storage.repairing import repair
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.trust.keys import Key
from pyrochat.values.errors import Banned, CannotHost, RoomClosing
from tests.orders.streams import MemoryBroker, MemoryEngine, MemoryNetwork, cluster_in
from tests.support import QUICK, QUICK_PACE, Running, bare, eventually, together


@pytest.fixture
def network() -> Iterator[MemoryNetwork]:
    network = MemoryNetwork()
    yield network
    network.close()


@pytest.fixture
def start(network: MemoryNetwork, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts the server of the machine that is named; all are closed at the end."""
    key, servers = Key.made(), []

    def start_(label: str, **options: Any) -> Server:
        given = {
            "timing": QUICK,
            "pace": QUICK_PACE,
            "look_seconds": 0.05,
            "access": Access(new_rooms="members"),
        } | options
        cluster = cluster_in(network, label, 3)
        servers.append(Server(["lobby"], tmp_path / label, nameserver=False, cluster=cluster, key=key, **given))
        return servers[-1]

    yield start_
    for server in servers:
        server.close()


@pytest.fixture
def three(start: Callable[..., Server]) -> list[Server]:
    servers = [start(label) for label in "abc"]
    eventually(lambda: all(len(server._rooms.addresses()) == 3 for server in servers))
    return servers


def engine_of(server: Server) -> MemoryEngine:
    engine: Any = server._cluster.engine  # type: ignore[union-attr]
    return engine


def at(*servers: Server) -> str:
    return ",".join(server.at for server in servers)


def comings(chat: Chat) -> list[str]:
    return [message.text for message in chat.history() if message.kind == "system"]


def test_members_of_different_servers_are_in_one_room(three: list[Server]) -> None:
    with join("Ana", at=at(three[0])) as ana, join("Igor", at=at(three[1]), read="auto") as igor:
        message = ana.send("olá")
        assert igor.wait_for(id=message.id, timeout=20).text == "olá"
        answer = igor.send("oi", about=message.id)
        assert ana.wait_for(id=answer.id, timeout=20).about == message.id
        assert ana.members == igor.members == ["Ana", "Igor"]
        igor.mark_read(message.id)
        assert eventually(lambda: ana.confirmations(message.id).read_by) == {"Igor"}
        assert comings(ana) == ["Ana joined", "Igor joined"]


def test_a_server_that_ends_costs_its_members_nothing_but_a_moment(three: list[Server]) -> None:
    with join("Ana", at=at(three[0])) as ana, join("Igor", at=at(three[1])) as igor:
        ana.send("one")
        reasons: list[tuple[str, str]] = []
        ana.on_state(lambda state, reason: reasons.append((state, reason)))
        three[0].close()
        message = ana.send("two")
        assert igor.wait_for(id=message.id, timeout=20).text == "two"
        eventually(lambda: [state for state, _ in reasons] == ["reconnecting", "connected"])
        assert comings(igor) == ["Ana joined", "Igor joined"], "no leave, no join"


def test_whoever_knows_one_address_learns_the_others(three: list[Server]) -> None:
    with join("Ana", at=at(three[0])) as ana:
        assert ana._session.round.is_cluster
        three[0].close()
        assert ana.send("still here").id == 2


def test_a_server_that_was_only_thought_to_be_gone_keeps_its_members(three: list[Server]) -> None:
    with join("Ana", at=at(three[0])) as ana, join("Igor", at=at(three[1])) as igor:
        engine_of(three[0]).ended.set()  # nobody hears it any more; it hears the others
        room = three[1]._rooms.open_ones[0]
        lost = {"Ana"}
        eventually(lambda: set(room.suspected()) == lost or "Ana left" in comings(igor))
        assert ana.send("I am here").sender == "Ana"
        eventually(lambda: room.suspected() == [])
        assert "Ana left" not in comings(igor)


def test_a_server_that_is_gone_with_its_member_leaves_one_left(three: list[Server]) -> None:
    with join("Igor", at=at(three[1])) as igor:
        ana = join("Ana", at=at(three[0]))
        engine_of(three[0]).ended.set()
        ana._session.state = "closed"  # the machine is gone with its client: nobody says anything
        ana._session._drop()
        order: Any = three[0]._rooms.open_ones[0]._order
        assert isinstance(order, ReplicatedOrder)
        order._stream.is_silent = True
        eventually(lambda: "Ana left" in comings(igor))
        assert comings(igor) == ["Igor joined", "Ana joined", "Ana left"]
        three[0].close()
        assert comings(igor).count("Ana left") == 1
        ana.leave()


def test_one_name_claimed_at_three_servers_at_once_has_one_owner(
    three: list[Server], config_dir: Path, tmp_path: Path
) -> None:
    def claim(number: int) -> str:
        registry = three[number]._registry
        try:
            registry.claim("Zoë", bytes([number]) * 32)
        except NameTaken:
            return "taken"
        return "owner"

    told = together([lambda number=number: claim(number) for number in range(3)])  # type: ignore[misc]
    assert sorted(map(str, told)) == ["owner", "taken", "taken"]
    owner = told.index("owner")
    eventually(lambda: {server._registry.key_of("zoë") for server in three} == {bytes([owner]) * 32})


def test_a_guest_that_is_a_member_at_one_server_keeps_its_name_at_the_others(three: list[Server]) -> None:
    with bare(three[0], "Gast", "json") as guest:
        guest.join()
        eventually(lambda: all("Gast" in server._rooms.open_ones[0].members() for server in three))
        with bare(three[1], "Gast", "json") as other, pytest.raises(Exception, match="name-taken"):
            other.post("I am another")


def test_rooms_bans_and_closed_rooms_are_shared(three: list[Server]) -> None:
    with join("Ana", at=at(three[0])) as ana, join("Igor", at=at(three[1])) as igor:
        ana.create_room("garden")
        eventually(lambda: all("garden" in server.rooms for server in three))
        with igor.join_room("garden") as garden:
            assert garden.send("here").room == "garden"
        ana.create_room("plans", members=["Igor"])
        with eventually(lambda: joined(igor, "plans")) as plans, ana.join_room("plans") as own:
            message = own.send("secret")
            assert plans.wait_for(id=message.id, timeout=20).text == "secret"
        three[2]._registry.ban("Igor")
        eventually(lambda: igor._session.refusal)
        with pytest.raises(Banned):
            join("Igor", at=at(three[0]))


def joined(chat: Chat, room: str) -> Chat | None:
    try:
        return chat.join_room(room)
    except RoomNotFound:
        return None


def test_without_a_majority_history_is_there_and_a_new_member_is_told(
    three: list[Server], network: MemoryNetwork
) -> None:
    with join("Ana", at=at(three[0])) as ana:
        ana.send("one")
        notices: list[str] = []
        ana.on_notice(notices.append)
        network.set_there(False)
        eventually(lambda: any("no majority" in notice for notice in notices))
        assert [message.text for message in ana.history() if message.kind == "chat"] == ["one"]
        room = three[0]._rooms.open_ones[0]
        room._order._outgoing._patience = 0.2  # type: ignore[attr-defined]
        with pytest.raises(LogUnavailable, match="nothing was stored"):
            join("Igor", at=at(three[0]))
        network.set_there(True)
        assert ana.send("two").text == "two"
        eventually(lambda: any("goes on again" in notice for notice in notices))


def test_what_is_sent_without_a_majority_goes_out_by_itself(three: list[Server], network: MemoryNetwork) -> None:
    with join("Ana", at=at(three[0])) as ana:
        notices: list[str] = []
        ana.on_notice(notices.append)
        three[0]._rooms.open_ones[0]._order._outgoing._patience = 0.1  # type: ignore[attr-defined]
        lobby = next(broker for name, broker in network.brokers.items() if name != "REGISTRY")
        lobby.set_there(False)
        sending = Running(lambda: ana.send("patient"))
        eventually(lambda: any("goes out by itself" in notice for notice in notices))
        lobby.set_there(True)
        message: Any = sending.result()
        assert message.text == "patient"
        assert [m.text for m in ana.history() if m.kind == "chat"] == ["patient"]


def test_a_room_is_made_anew_by_the_server_that_has_most(
    three: list[Server], network: MemoryNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    with join("Ana", at=at(three[0])) as ana:
        ana.send("one")
        for server in three:
            eventually(lambda server=server: server.status()[0].tail == 2)  # type: ignore[misc]
        assert three[1]._rooms.rebuild("lobby") == 2
        assert ana.send("two").id == 3
        cluster = three[1]._cluster
        assert cluster is not None
        assert rebuild_registry(cluster, three[1]._registry.file) == 1
        three[2]._registry.claim("Igor", b"k" * 32)
        eventually(lambda: three[0]._registry.key_of("igor") == b"k" * 32)
        behind: Any = three[2]._cluster
        behind.tails = lambda: {"lobby": 9}
        with caplog.at_level(logging.ERROR), pytest.raises(CannotHost, match="c has 9 messages, this server 3"):
            eventually(lambda: three[1]._rooms.rebuild("lobby") is None)


def test_a_copy_that_is_found_damaged_while_it_is_served_stops_its_own_server_only(
    three: list[Server], start: Callable[..., Server], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with join("Ana", at=at(*three)) as ana:
        for number in range(30):
            ana.send(f"{number}")
        three[0].close()
        path = log_path(tmp_path / "a", "lobby")
        with connect(path) as db:
            db.execute("UPDATE messages SET text = 'another' WHERE id = 2")
        damaged = start("a")
        eventually(lambda: damaged.status()[0].loss)
        text = damaged.status()[0].loss
        assert text is not None
        assert "this server's copy of room 'lobby' is damaged" in text
        with pytest.raises(RoomClosing), join("Igor", at=at(damaged)):
            pass
        assert ana.send("they go on").id == 32
        assert [server.status()[0].loss for server in three[1:]] == [None, None]
        damaged.close()
        caplog.clear()
        noted = start("a")
        with pytest.raises(RoomClosing):
            join("Igor", at=at(noted))
        noted.close()
        assert len([each for each in caplog.records if "copy of room 'lobby' is damaged" in each.getMessage()]) == 1
        backup = tmp_path / "backup"
        back_up(log_path(tmp_path / "b", "lobby"), backup, lambda done, total: None)
        assert repair(path, "lobby", backup, lambda done, total: None).ids == [2]
        repaired = start("a")
        with join("Igor", at=at(repaired)) as igor:
            assert igor.send("it is repaired").id == 34
        repaired.close()
        path.unlink()
        three[0] = start("a")
        eventually(lambda: three[0].status()[0].tail == 35)
        with join("Igor", at=at(three[0])) as igor:
            assert igor.send("it is filled").id == 37


def test_a_client_that_shows_a_seal_on_more_than_a_server_has_yet_does_not_stop_it(three: list[Server]) -> None:
    with join("Ana", at=at(three[1])) as ana:
        ana.send("one")
        behind = three[0]._rooms.open_ones[0]
        eventually(lambda: behind.log.tail == 2)
        order: Any = behind._order
        stream: Any = order._stream
        stream.hold()
        ana.send("two")
        proof = three[1]._rooms.open_ones[0].seal(newest=True)
        assert (proof[0], behind.log.tail) == (3, 2)
        resume = Resumption("", behind.log.identity, 1, bytes(32), proof)
        coming = Running(lambda: behind.taken_up(Identity("Igor", "igor", b"k"), resume))
        eventually(lambda: order._outgoing.is_busy)
        stream.let_go()
        with pytest.raises(LogLost, match="ask the room's operator"):
            coming.result()
        assert behind.log.loss is None


def test_a_mark_that_a_majority_does_not_take_at_once_is_told_again(
    three: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    put, refused = MemoryBroker.put, [Fate.REFUSED] * 5
    igors = three[1]._cluster._token  # type: ignore[union-attr]

    def put_later(broker: MemoryBroker, label: str, data: bytes, then: Callable[[Fate], None]) -> None:
        if refused and label.startswith(igors):
            then(refused.pop())
        else:
            put(broker, label, data, then)

    with join("Ana", at=at(three[0])) as ana, join("Igor", at=at(three[1]), read="manual") as igor:
        message = ana.send("one")
        igor.wait_for(id=message.id, timeout=20)
        monkeypatch.setattr(MemoryBroker, "put", put_later)
        igor.mark_read(message.id)
        assert refused == []
        eventually(lambda: ana.confirmations(message.id).read_by == {"Igor"})


def test_who_has_read_what_is_not_said_by_a_server_that_may_not_know_it(
    three: list[Server], network: MemoryNetwork
) -> None:
    with join("Ana", at=at(three[0])) as ana, join("Igor", at=at(three[1])):
        message = ana.send("one")
        eventually(lambda: ana.confirmations(message.id).delivered_to == {"Igor"})
        room = three[0]._rooms.open_ones[0]
        network.set_there(False)
        eventually(lambda: room._elsewhere.trouble)
        with pytest.raises(LogUnavailable, match=r"not known for sure now: no majority .*; ask again"):
            room.confirmations(message.id)
        with pytest.raises(WaitTimeout, match="not known for sure"):
            ana.confirmations(message.id, timeout=0.3)
        asking = Running(lambda: ana.confirmations(message.id))
        network.set_there(True)
        assert asking.result().delivered_to == {"Igor"}


def test_who_is_at_a_server_that_can_not_write_goes_to_one_that_can(
    three: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    append, full = SqliteLog.append, three[0]._rooms.open_ones[0].log

    def is_full(log: SqliteLog, *what: Any, **how: Any) -> None:
        if log is full:
            raise LogUnavailable("the disk is full")
        append(log, *what, **how)

    with join("Ana", at=at(*three)) as ana, join("Igor", at=at(three[1])) as igor:
        eventually(lambda: comings(ana) == ["Ana joined", "Igor joined"])
        monkeypatch.setattr(SqliteLog, "append", is_full)
        message = igor.send("one")
        assert ana.wait_for(id=message.id, timeout=20).text == "one"
        eventually(lambda: ana.at != three[0].at)
        assert comings(ana) == ["Ana joined", "Igor joined"]


def test_who_has_come_from_another_server_stays_although_that_one_is_heard_first(three: list[Server]) -> None:
    left, taken, other = (server._rooms.open_ones[0] for server in three)
    order: Any = taken._order

    def session() -> Session:
        return other._applier.state.all_sessions()[0]

    with join("Ana", at=at(*three[:2])) as ana:
        ana.send("one")
        order._stream.is_silent = True  # nothing that it says is heard
        left._elsewhere.send_away()
        eventually(lambda: (ana.state, ana.at) == ("connected", three[1].at))
        states: list[str] = []
        ana.on_state(lambda state, reason: states.append(state))
        left._order.submit(Lose(session().id, "ana", left._order.home))
        eventually(lambda: session().lost_at is not None)
        order._stream.is_silent = False
        eventually(lambda: session().home == order.home and session().lost_at is None)
        assert ana.send("still here").id == 3
        assert states == []
        assert comings(ana) == ["Ana joined"]


def test_a_server_of_its_own_does_not_open_a_clusters_logs(
    start: Callable[..., Server], tmp_path: Path, data: Path
) -> None:
    start("a").close()
    with pytest.raises(CannotHost, match="is a cluster's"):
        Server(["lobby"], tmp_path / "a", nameserver=False)
    Server(["lobby"], tmp_path / "b", nameserver=False).close()
    with pytest.raises(CannotHost, match="is this machine's own"):
        start("b")
