"""What members say goes over the wire, and to the disk, as it is."""

from __future__ import annotations

import pytest

from pyrochat.core.graph.event import Event
from pyrochat.core.graph.lamport import View
from pyrochat.core.graph.messages import Committed, Frozen, LogPart, Message, Said, Text
from pyrochat.core.graph.packing import Noted, pack_message, pack_record, unpack_message, unpack_record
from pyrochat.values.errors import InvalidArgument
from tests.core.graph.members import Group

ROOT = b"r" * 32


def spoken() -> list[tuple[Message, bytes]]:
    """One of each message, from a group that loses a member and gets another; with the root of its view."""
    found: dict[type, tuple[Message, bytes]] = {}
    group = Group("abc")

    def note(sender: str, site: str, message: Message) -> Message:
        found.setdefault(type(message), (message, group.members[sender].ordering.graph.root))
        return message

    group.alter = note
    group.say("a", "one")
    group.run(3)
    group.start("d", [])
    group.say("b", "two")
    group.run(6)
    return list(found.values())


def test_each_message_comes_back() -> None:
    said = spoken()
    assert {type(message).__name__ for message, _ in said} >= {
        "Events", "Marks", "Tick", "Prepare", "Promised", "Accept", "Accepted", "Decided", "Join", "LogPart",
    }  # fmt: skip
    for message, root in said:
        assert unpack_message(pack_message(message), root) == message


def test_each_record_comes_back() -> None:
    proposal = next(message.proposal for message, _ in spoken() if hasattr(message, "proposal"))
    event = Event(ROOT, "a", 2, 3, (b"p" * 32, b"q" * 32), b"\x00body\xff", b"signature")
    records: list[Noted] = [
        event, Said(Text("k", b"\xff")), Frozen((3, "a"), None), Frozen((3, "a"), ((2, "b"), proposal)), Committed(7),
    ]  # fmt: skip
    for record in records:
        assert unpack_record(pack_record(record)[1], ROOT) == record


@pytest.mark.parametrize(
    "text",
    ["", "[]", "7", '["no"]', '["events",7]', '["events",[[1,2]]]', '["join",-1]', '["join","x"]', "[" * 100_000],
)
def test_what_no_member_says_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        unpack_message(text, ROOT)


def test_a_part_of_the_log_with_texts_and_views_comes_back() -> None:
    part = LogPart(3, (View(2, ("a", "b")), Text("k", b"\xff"), View(3, ("a",))))
    assert unpack_message(pack_message(part), ROOT) == part
