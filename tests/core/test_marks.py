"""Marks: they only grow, are written before they are known, and are told once each."""

from __future__ import annotations

from pyrochat.core.log import MemberRecord
from pyrochat.core.marks import Mark, Marks


def write_all(marks: Marks) -> None:
    marks.written(marks.unwritten.items())


def test_a_mark_is_known_only_after_it_was_written() -> None:
    marks = Marks()
    assert marks.record("ana", 5, 3)
    assert marks.has_unwritten
    assert (marks.of("ana"), marks.latest("ana")) == ((0, 0), (5, 3))
    assert marks.since(0, 10) == ([], 0)
    write_all(marks)
    assert not marks.has_unwritten
    assert marks.of("ana") == (5, 3)
    assert marks.since(0, 10) == ([("ana", 5, 3)], 1)


def test_marks_only_grow_each_by_itself() -> None:
    marks = Marks([MemberRecord("Ana", 5, 3)])
    assert not marks.record("ana", 4, 2)
    assert not marks.record("ana", 5, 3)
    assert not marks.has_unwritten
    assert marks.record("ana", 1, 4)
    assert marks.latest("ana") == (5, 4)
    assert marks.record("ana", 9, 0)
    assert marks.latest("ana") == (9, 4)


def test_what_is_read_is_delivered() -> None:
    marks = Marks()
    marks.record("ana", 2, 7)
    assert marks.latest("ana") == (7, 7)


def test_what_came_during_the_commit_waits_for_the_next() -> None:
    marks = Marks()
    marks.record("ana", 5, 0)
    carried = marks.unwritten
    marks.record("ana", 6, 0)
    marks.written(carried.items())
    assert marks.of("ana") == (5, 0)
    assert marks.unwritten == {"ana": (6, 0)}


def test_marks_come_back_from_the_records() -> None:
    marks = Marks([MemberRecord("Zoë", 5, 3), MemberRecord("Igor")])
    assert marks.of("zoë") == (5, 3)
    assert marks.of("igor") == marks.of("stranger") == (0, 0)
    assert marks.since(0, 10)[0] == [("zoë", 5, 3)]


def test_a_backlog_holds_one_entry_a_member_in_the_order_of_their_last_change() -> None:
    marks = Marks()
    for id in range(1, 101):
        for member in ("ana", "igor", "zoë"):
            marks.record(member, id, 0)
            write_all(marks)
    marks.record("ana", 100, 100)
    write_all(marks)
    assert marks.version == 301
    assert marks.since(0, 10) == ([("igor", 100, 0), ("zoë", 100, 0), ("ana", 100, 100)], 301)


def test_a_cursor_goes_through_the_changes_in_steps_of_the_limit() -> None:
    marks = Marks()
    members = [f"member{number}" for number in range(7)]
    marks.written((member, (1, 0)) for member in members)
    told: list[tuple[str, int, int]] = []
    version = 0
    for size in (3, 3, 1):
        entries, version = marks.since(version, 3)
        assert len(entries) == size
        told += entries
    assert told == [(member, 1, 0) for member in members]
    assert marks.since(version, 3) == ([], 7)


def test_a_cursor_that_keeps_up_sees_every_member_at_its_newest() -> None:
    marks = Marks()
    seen: dict[str, Mark] = {}
    version = 0
    for round_ in range(1, 30):
        for number in range(round_ % 5):
            marks.record(f"member{(round_ + number) % 6}", round_, 0)
        write_all(marks)
        entries, version = marks.since(version, 2)
        seen |= {member: (delivered, read) for member, delivered, read in entries}
    while version < marks.version:
        entries, version = marks.since(version, 2)
        seen |= {member: (delivered, read) for member, delivered, read in entries}
    assert seen == {member: marks.of(member) for member in (f"member{number}" for number in range(6))}


def test_writing_what_is_known_is_no_change() -> None:
    marks = Marks()
    marks.written([("ana", (5, 3))])
    marks.written([("ana", (5, 3)), ("igor", (0, 0))])
    assert marks.version == 1
