"""What is written is what is read, also by those who were killed while they wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.faults.events import (
    FAILED,
    OK,
    UNKNOWN,
    Closed,
    Confirmed,
    Delivered,
    Event,
    EventFile,
    Joined,
    MarksSeen,
    Opened,
    SendBegun,
    SendEnded,
    ServerStarted,
    StateSeen,
    read_events,
)
from lab.faults.history import CHAT, Content, load

EVENTS: list[Event] = [
    Opened("ana#1", "ana", "lobby", 1),
    Joined(3, 2),
    SendBegun(1, "olá \u2028 x", None, 3),
    SendBegun(2, "b", None, 4),
    SendEnded(1, OK, 4, None, 5),
    Delivered(1, "lobby", "bo", "hi", "chat", "k", 6),
    Delivered(2, "den", "bo", "stray", "chat", None, 7),
    SendEnded(2, FAILED, None, "log-unavailable", 8),
    SendBegun(3, "c", "key", 9),
    Confirmed(1, ["ana"], [], ["ana"], 10, 11),
    MarksSeen([("ana", 2, 1)], 12),
    StateSeen("reconnecting", "lost", 13),
    Closed(2, True, 14),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ana.jsonl"


def write(path: Path, events: list[Event]) -> None:
    file = EventFile(path)
    for event in events:
        file.write(event)
    file.close()


def test_every_event_comes_back(path: Path) -> None:
    write(path, [*EVENTS, ServerStarted(9)])
    with path.open(newline="\n") as lines:
        found = list(read_events(lines))
    assert [type(event) for event in found] == [type(event) for event in [*EVENTS, ServerStarted(9)]]
    assert found[2] == EVENTS[2]


def test_a_torn_line_is_passed_over(path: Path) -> None:
    write(path, EVENTS)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with path.open(newline="\n") as lines:
        assert len(list(read_events(lines))) == len(EVENTS) - 1


def test_nothing_is_written_after_the_close(path: Path) -> None:
    file = EventFile(path)
    file.close()
    file.close()
    file.write(ServerStarted(1))
    assert path.read_bytes() == b""


def test_a_history_is_put_together_from_files(path: Path, tmp_path: Path) -> None:
    write(path, EVENTS)
    write(tmp_path / "server.jsonl", [ServerStarted(20), ServerStarted(2)])
    history = load([path, tmp_path / "server.jsonl"])
    assert history.server_starts == [2, 20]
    assert [(s.text, s.outcome, s.id, s.ended) for s in history.sends] == [
        ("olá \u2028 x", OK, 4, 5),
        ("b", FAILED, None, 8),
        ("c", UNKNOWN, None, None),
    ]
    (replica,) = history.replicas
    assert (replica.client, replica.member, replica.room, replica.tail) == ("ana#1", "ana", "lobby", 3)
    assert (replica.ids, replica.times, replica.strays) == ([1, 2], [6, 7], [(2, "den")])
    assert replica.contents[0] == Content("bo", "hi", CHAT, "k")
    assert (replica.end, replica.complete) == (2, True)
    assert history.answers[0].delivered_to == {"ana"}
    assert history.marks[0].marks == {"ana": (2, 1)}
    assert history.states[0][0] == "ana#1"
