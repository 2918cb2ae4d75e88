"""What only the order of a cluster does: several servers, no majority, entries that come twice or late, streams made anew."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pyrochat.client import outbox
from pyrochat.core.commands import Entry, Lose, Open, Restarted, Upgrade, entry_to_wire
from pyrochat.core.integrity import DIFFERS
from pyrochat.core.log import Log, Standing
from pyrochat.core.room import RoomState
from pyrochat.orders.replicated import outgoing
from pyrochat.orders.replicated.entries import END, Fields, Origin, Part, number, place, to_bytes
from pyrochat.orders.replicated.order import ReplicatedOrder
from pyrochat.room.applier import Applier
from pyrochat.storage.copying import description, parts
from pyrochat.storage.log_file import connect, read_about
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.values.errors import LogUnavailable, LogUncertain, RoomClosing
from tests.core.modelling import post
from tests.orders.streams import IDENTITY, MemoryBroker, MemoryStream, begun
from tests.support import SALT, Running, eventually, together

PATIENCE = 0.3


class Server:
    """A log, a room and its order, as one machine of several has them."""

    def __init__(self, broker: MemoryBroker, data: Path, patience: float = 10) -> None:
        self.path = data / "lobby.sqlite3"
        self.log = SqliteLog(self.path, "lobby", shared="" if self.path.exists() else IDENTITY)
        self.said: list[tuple[str | None, bool]] = []
        self.room = Applier(
            self.log, lambda members: 0.0, lambda transition: None, lambda *said: self.said.append(said)
        )
        self.stream = begun(broker) if not broker.messages else broker.stream()
        self.order = ReplicatedOrder("lobby", self.stream, f"{data.name}/run", data.name, patience_seconds=patience)
        self.order.start(self.room)

    def send(self, *texts: str, key: str | None = None) -> list[str]:
        keys = None if key is None else [key]
        return [message.text for message in self.order.submit(post("Erick", texts, keys)).wait()]

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.log.read(0, 1000)]

    def close(self) -> None:
        self.order.close()
        self.log.close()


@pytest.fixture
def broker() -> Iterator[MemoryBroker]:
    broker = MemoryBroker()
    yield broker
    broker.close()


@pytest.fixture
def three(broker: MemoryBroker, tmp_path: Path) -> Iterator[list[Server]]:
    servers = []
    with ExitStack() as closing:
        for name in "abc":
            (tmp_path / name).mkdir()
            servers.append(Server(broker, tmp_path / name, PATIENCE if name == "c" else 10))
            closing.callback(servers[-1].close)
        yield servers


def same(servers: Sequence[Server]) -> None:
    """All have come to the same."""
    for server in servers:
        server.order.catch_up()
    eventually(lambda: all(server.room.state == servers[0].room.state for server in servers))
    assert len({server.log.tip for server in servers}) == 1


def test_all_servers_have_the_same_and_each_tells_its_own_callers(three: list[Server]) -> None:
    def hand_in(number: int) -> list[str]:
        return [text for turn in range(20) for text in three[number % 3].send(f"{number}.{turn}")]

    told = together([lambda number=number: hand_in(number) for number in range(6)])  # type: ignore[misc]
    assert told == [[f"{number}.{turn}" for turn in range(20)] for number in range(6)]
    same(three)
    assert len(three[0].texts) == 120


def test_without_a_majority_what_was_not_published_is_unavailable_and_the_rest_goes_on(
    broker: MemoryBroker, three: list[Server]
) -> None:
    three[2].send("before")
    broker.set_there(False)
    with pytest.raises(LogUnavailable, match="nothing was stored: no majority") as refused:
        three[2].send("during")
    assert not isinstance(refused.value, LogUncertain)
    assert three[2].texts == ["before"], "history stays readable"
    assert three[2].said[-1][0] is not None
    waiting = three[0].order.submit(post("Erick", ["patient"]))
    broker.set_there(True)
    assert [message.text for message in waiting.wait()] == ["patient"]
    eventually(lambda: three[2].said[-1][0] is None)
    same(three)
    assert three[2].texts == ["before", "patient"]


def test_what_was_published_and_not_heard_of_is_uncertain_and_appears_once_under_its_key(three: list[Server]) -> None:
    server = three[2]
    server.stream.is_silent = True
    with pytest.raises(LogUncertain, match="ask again with the same key"):
        server.send("once", key="k")
    assert len(set(server.stream.kept)) == 1, "it is the same entry each time"
    server.stream.is_silent = False
    assert server.send("once", key="k") == ["once"]
    server.stream.late()
    server.stream.late()
    assert server.send("after") == ["after"]
    same(three)
    assert server.texts == ["once", "after"]


def test_the_times_that_things_wait_fit_together() -> None:
    """A post is answered within 5 s, also by a machine that is busy; and the client that is told so does not ask the same server
    once more before it goes to another."""
    assert outgoing.PATIENCE_SECONDS + outgoing._FEWEST_SECONDS <= 4.5
    assert outbox._PATIENCE_SECONDS <= outgoing.PATIENCE_SECONDS


def test_what_is_given_up_before_anything_was_heard_of_it_is_uncertain_too(
    broker: MemoryBroker, three: list[Server]
) -> None:
    """It may be in the stream: nobody has said that it isn't, however often a publish was refused before."""
    server = three[2]
    broker.set_there(False)
    sending = server.order.submit(post("Erick", ["once"], ["k"]))
    server.stream.is_slow = server.stream.is_silent = True
    with pytest.raises(LogUncertain, match="ask again with the same key"):
        sending.wait()
    assert server.stream.kept
    server.stream.is_slow = server.stream.is_silent = False
    broker.set_there(True)
    assert server.send("once", key="k") == ["once"]
    same(three)
    assert server.texts == ["once"]


def test_an_abandoned_entry_that_comes_late_does_nothing(three: list[Server]) -> None:
    server = three[2]
    server.stream.is_silent = True
    with pytest.raises(LogUncertain):
        server.send("abandoned")
    server.stream.is_silent = False
    server.send("next")
    server.stream.late()
    same(three)
    assert server.texts == ["next"]


def test_every_entry_may_come_twice(broker: MemoryBroker, three: list[Server]) -> None:
    for turn in range(5):
        three[turn % 3].send(f"{turn}")
    for arrival in broker.messages[1:]:
        broker.do(lambda data=arrival.data: broker.store(data))  # type: ignore[misc]
    same(three)
    assert three[0].texts == ["0", "1", "2", "3", "4"]


def test_a_server_that_was_away_catches_up_from_where_its_log_is(
    broker: MemoryBroker, three: list[Server], tmp_path: Path
) -> None:
    three[0].send("one")
    three[1].close()
    three[0].send("two")
    again = Server(broker, tmp_path / "b")
    three[1] = again
    same(three)
    assert again.texts == ["one", "two"]
    again.close()


def test_a_server_with_another_message_stops_and_says_so_and_the_others_go_on(
    broker: MemoryBroker, three: list[Server], tmp_path: Path
) -> None:
    three[0].send("as it was")
    three[1].close()
    path = tmp_path / "b" / "lobby.sqlite3"
    with connect(path) as db:
        db.execute("UPDATE messages SET digest = zeroblob(32)")
    damaged = Server.__new__(Server)
    with pytest.raises(Exception, match="message 1 was changed"):
        damaged.__init__(broker, tmp_path / "b")  # type: ignore[misc]
    with connect(path) as db:
        db.execute("DELETE FROM messages")
        db.execute("DELETE FROM about WHERE key = 'verified'")
    short = Server(broker, tmp_path / "b")
    three[0].send("more")
    eventually(lambda: (short.log.loss or "").startswith(DIFFERS))
    with pytest.raises(RoomClosing, match="copy of room 'lobby' is damaged"):
        short.send("goes nowhere: they would compare themselves with it")
    three[0].send("they go on")
    assert three[0].texts == ["as it was", "more", "they go on"]
    short.close()


def test_a_server_that_differs_stops_before_the_others_take_it_for_a_fault_of_theirs(
    broker: MemoryBroker, three: list[Server], tmp_path: Path
) -> None:
    for number_ in range(3):
        three[0].send(f"{number_}")
    same(three)
    three[1].close()
    with connect(tmp_path / "b" / "lobby.sqlite3") as db:
        [row] = db.execute("SELECT max(id) FROM messages").fetchall()
        db.execute("UPDATE about SET value = '' WHERE key = 'verified'")
        db.execute("DELETE FROM messages WHERE id = ?", row)
    differs = Server(broker, tmp_path / "b")
    with pytest.raises((RoomClosing, LogUncertain)):
        differs.send("what only it would have")
    eventually(lambda: differs.said and differs.said[-1][1])
    assert DIFFERS in (differs.said[-1][0] or "")
    assert three[0].send("they go on") == ["they go on"]
    assert three[2].send("both") == ["both"]
    assert [server.log.loss for server in (three[0], three[2])] == [None, None]
    differs.close()


def test_a_stream_that_was_cut_short_stops_the_servers_that_had_more(
    broker: MemoryBroker, three: list[Server], tmp_path: Path
) -> None:
    three[0].send("one")
    three[0].send("two")
    same(three)
    three[1].close()
    del broker.messages[2:]
    again = Server(broker, tmp_path / "b")
    eventually(lambda: again.said and again.said[-1][1])
    assert "its stream ends at 2" in (again.said[-1][0] or "")
    with pytest.raises(RoomClosing):
        again.send("x")
    again.close()


def copy_of(server: Server, generation: int) -> list[bytes]:
    """What a stream has that is made anew from the log of *server*."""
    with connect(server.path) as db:
        about = read_about(db, server.path)
        described = description(about, server.log.tip, server.log.standing or Standing())
        pieces = [to_bytes(Part(*part)) for part in parts(db)]
    return [to_bytes(Origin(about.identity, generation, described)), *pieces, to_bytes(Part(END, []))]


def test_a_stream_made_anew_goes_on_for_those_who_have_all_for_those_who_lack_some_and_for_new_ones(
    broker: MemoryBroker, three: list[Server], tmp_path: Path
) -> None:
    a, b, _ = three
    a.order.submit(Open("s1", "ana", "Ana", SALT, None, a.order.home)).wait()
    a.send("one", key="k1")
    same(three)
    b.close()
    a.send("two")
    entry = broker.messages[-1].data  # of the old stream, which its server publishes again
    a.stream.make_anew(copy_of(a, 2))
    broker.do(lambda: broker.store(entry))
    assert a.send("one", key="k1") == ["one"], "the keys are known"
    assert a.send("three") == ["three"]
    three[1] = Server(broker, tmp_path / "b")
    (tmp_path / "new").mkdir()
    three.append(Server(broker, tmp_path / "new"))
    same(three)
    assert a.texts == ["Ana joined", "one", "two", "three"]
    assert {place(server.room.entry)[0] for server in three} == {2}
    assert a.room.state.present == {"ana": "Ana"}
    for server in (three[1], three[3]):
        server.close()


def test_what_comes_in_the_middle_of_a_copy_counts_for_nothing_and_comes_again(
    broker: MemoryBroker, three: list[Server]
) -> None:
    three[0].send("one")
    same(three)
    first, *rest, end = copy_of(three[0], 2)
    three[0].stream.make_anew([first, *rest])
    late = three[1].order.submit(post("Erick", ["late"]))
    stray = to_bytes(Fields(entry_to_wire(Entry(0, 0, (post("Erick", ["stray"]),), ("x/1", 1), (1, "")))))
    broker.do(lambda: broker.store(stray))
    assert not late.done
    broker.do(lambda: broker.store(end))
    assert [message.text for message in late.wait()] == ["late"]
    same(three)
    assert three[0].texts == ["one", "late"]


def test_whoever_has_more_than_the_copy_stops(broker: MemoryBroker, three: list[Server]) -> None:
    three[0].send("one")
    same(three)
    copy = copy_of(three[0], 2)
    three[0].send("acknowledged")
    same(three)
    three[0].stream.make_anew(copy)
    eventually(lambda: all(server.said and server.said[-1][1] for server in three))
    assert "they go on from message 1, here the log ends at 2" in (three[0].said[-1][0] or "")


def test_an_entry_of_a_later_version_stops_a_server_that_does_not_know_it(
    broker: MemoryBroker, three: list[Server]
) -> None:
    later = json.loads(json.dumps(entry_to_wire(Entry(0, 0, (), ("x/1", 1)), 99)))
    broker.do(lambda: broker.store(to_bytes(Fields(later))))
    eventually(lambda: all(server.said and server.said[-1][1] for server in three))
    assert "an entry of version 99" in (three[0].said[-1][0] or "")
    with pytest.raises(RoomClosing):
        three[0].send("x")


def test_a_version_may_be_used_when_it_was_ordered(three: list[Server]) -> None:
    three[0].order.submit(Upgrade(3)).wait()
    eventually(lambda: {server.room.state.version for server in three} == {3})
    assert three[0].log.standing is not None
    assert three[0].log.standing.version == 3


class Full(SqliteLog):
    """A log whose disk is full for a while."""

    full = False

    def append(self, *arguments: Any, **more: Any) -> None:
        if self.full:
            raise LogUnavailable("no space left on device")
        super().append(*arguments, **more)


def test_a_full_disk_holds_up_its_own_server_only_and_it_comes_back_by_itself(
    three: list[Server], caplog: pytest.LogCaptureFixture
) -> None:
    three[1].log.__class__ = Full
    with caplog.at_level(logging.CRITICAL):
        Full.full = True
        three[0].send("one")
        with pytest.raises(LogUncertain, match="this server can't write its log"):
            three[1].send("two")
        three[0].send("three")
        Full.full = False
        same(three)
    assert three[1].texts == ["one", "two", "three"]


def test_marks_are_told_when_a_majority_has_them_and_everybody_hears_them(
    broker: MemoryBroker, three: list[Server]
) -> None:
    three[0].send("one", "two", "three")
    same(three)
    three[0].order.tell({"ana": (3, 1)})
    three[1].order.tell({"ana": (2, 2), "igor": (1, 0)})
    for server in three[:2]:
        assert server.order.submit().outcome() is None
    eventually(lambda: all(server.room.marks_of(["ana", "igor"]) == [(3, 2), (1, 0)] for server in three))
    broker.set_there(False)
    three[2].order.tell({"ana": (3, 3)})
    assert isinstance(three[2].order.submit().outcome(), LogUnavailable)
    assert three[2].room.marks_of(["ana"]) == [(3, 2)]


def test_marks_are_told_although_nobody_could_say_at_first_what_stood_there(
    broker: MemoryBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    hear_all = MemoryStream.hear_all

    def at_first_nobody(stream: MemoryStream, then: Callable[[bool], None]) -> None:
        asked.append(True)
        hear_all(stream, then if len(asked) > 1 else lambda is_all: then(False))

    monkeypatch.setattr(MemoryStream, "hear_all", at_first_nobody)
    server = Server(broker, tmp_path)
    server.send("one")
    server.order.tell({"erick": (1, 1)})
    eventually(lambda: server.order.submit().outcome() is None)
    assert server.room.marks_of(["erick"]) == [(1, 1)]
    server.close()


def test_marks_that_no_majority_takes_hold_up_nobody(
    broker: MemoryBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the stream another machine may lead, and be gone."""
    monkeypatch.setattr(MemoryStream, "put", lambda stream, label, data, then: None)
    server = Server(broker, tmp_path, patience=60)
    server.send("one")
    server.order.tell({"erick": (1, 1)})
    assert isinstance(Running(lambda: server.order.submit().outcome()).result(), LogUnavailable)
    assert server.send("two") == ["two"]
    server.close()


def test_marks_of_what_is_not_here_yet_wait_for_it(broker: MemoryBroker, three: list[Server]) -> None:
    three[0].send("one")
    same(three)
    three[1].room.heard({"ana": (2, 2)})
    three[1].order.wake()
    eventually(lambda: three[1].room.marks_of(["ana"]) == [(1, 1)])
    three[0].send("two")
    eventually(lambda: three[1].room.marks_of(["ana"]) == [(2, 2)])


def test_a_session_belongs_to_the_server_that_it_is_connected_to(three: list[Server]) -> None:
    a, b, _ = three
    a.order.submit(Open("s1", "ana", "Ana", SALT, "00", a.order.home)).wait()
    from pyrochat.core.commands import Resume

    b.order.submit(Resume("s1", "ana", b.order.home)).wait()
    for command in (Lose("s1", "ana", a.order.home), Restarted(a.order.home)):
        a.order.submit(command).wait()
        same(three)
        [session] = a.room.state.all_sessions()
        assert (session.home, session.lost_at) == (b.order.home, None)
    a.order.submit(Restarted(b.order.home)).wait()
    same(three)
    assert a.room.state.suspected() == ["Ana"]


def test_a_place_in_the_stream_outlasts_the_file(three: list[Server], tmp_path: Path) -> None:
    three[0].send("one")
    same(three)
    entry, log = three[0].room.entry, three[0].log
    assert log.standing is not None
    assert entry == log.standing.entry == RoomState.of(log).entry
    assert place(entry) == (1, entry - number(1, 0))
    assert isinstance(log, Log)
