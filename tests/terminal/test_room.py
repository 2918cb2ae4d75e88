"""A room that is open on the screen, against a real server: what is unread, what counts as read, what is being sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyrochat import Chat, InvalidText, Message, Server
from pyrochat.terminal.conversation.layout import Look
from pyrochat.terminal.room import OpenRoom
from pyrochat.terminal.writing.drafts import draft_file
from pyrochat.values.errors import Unavailable
from tests.support import eventually, texts
from tests.terminal.conversation.support import shown

Join = Callable[..., Chat]
Open = Callable[..., OpenRoom]


@pytest.fixture
def drafts(tmp_path: Path) -> Path:
    return tmp_path / "drafts"


@pytest.fixture
def opened(joined: Join, drafts: Path) -> Iterator[Open]:
    """Joins as a member and opens the room: ``opened("Igor", height=5)``; all are left at the end."""
    rooms: list[OpenRoom] = []

    def open_room(name: str, height: int = 50, changed: Callable[[OpenRoom], None] = lambda room: None) -> OpenRoom:
        rooms.append(OpenRoom(joined(name, read="manual"), Look(60, name), drafts, changed))
        rooms[-1].page.view.height = height
        return rooms[-1]

    yield open_room
    for room in rooms:
        room.leave(5)


def take(room: OpenRoom, message: Message, looking: bool = False) -> None:
    """Take in what has come, until *message* is here."""
    eventually(lambda: room.take_in(looking) is not None and room.transcript.end >= message.id)


def readers(chat: Chat, message: Message) -> frozenset[str]:
    return chat.confirmations(message.id).read_by


# -- what is unread ------------------------------------------------------------------------------------------------


def test_what_others_write_is_unread_until_it_was_seen(opened: Open, joined: Join) -> None:
    ana, igor = joined("Ana"), opened("Igor")
    hi = ana.send("hi")
    take(igor, hi)
    assert (igor.unread, igor.mentions) == (1, 0)
    last = ana.send("@igor: are you there? @Igor!")
    take(igor, last)
    assert (igor.unread, igor.mentions) == (2, 1)
    assert readers(ana, hi) == set()
    igor.saw(igor.page.rows())
    assert (igor.unread, igor.mentions) == (0, 0)
    eventually(lambda: readers(ana, last) == {"Igor"})


def test_what_was_deleted_is_not_on_the_page_any_more(opened: Open, joined: Join) -> None:
    ana = joined("Ana")
    room = opened("Igor")
    secret = ana.send("zebracrossing")
    ana.edit(secret.id, "giraffehouse")

    def page(last: int) -> str:
        room.take_in(True)
        eventually(lambda: room.take_in(True) or room.transcript.end >= last)
        room.page.view.show_end()
        return "\n".join(span.text for row in room.page.rows() for span in row.line)

    shown = page(secret.id + 1)
    assert "zebracrossing" not in shown, "an edited text stands in the place of the first one"
    assert "giraffehouse" in shown
    assert "(edited)" in shown
    shown = page(ana.redact(secret.id).id)
    assert not [word for word in ("zebracrossing", "giraffehouse") if word in shown]
    assert "(deleted by Ana)" in " ".join(shown.split())


def test_a_text_that_has_no_number_yet_is_shown_until_the_message_is_and_never_twice(
    opened: Open, joined: Join
) -> None:
    ana, igor = joined("Ana"), opened("Igor")
    unnumbered = igor.chat._session.unnumbered
    early = [Message(0, "lobby", "Ana", "hi", 5, key="a"), Message(0, "lobby", "Zoe", "and I", 6, key="z")]
    unnumbered.replace(early)
    eventually(lambda: igor.take_in(True) == [] and len(igor.page.unnumbered) == 2)
    assert [line.split()[-2:] for line in shown(igor.page)[-2:]] == [["Ana", "hi"], ["and", "I"]]
    assert igor.unread == 0
    with igor._mutex:  # the message has come, and not yet to the screen
        hi = ana.send("hi", key="a")
        eventually(lambda: igor._unnumbered[1] == hi.id)
        assert [message.text for message in igor.chat.unnumbered] == ["and I"]
        igor._show_unnumbered()
        assert len(igor.page.unnumbered) == 2, "it is still there"
    take(igor, hi)
    assert [message.text for message in igor.page.unnumbered] == ["and I"]
    assert [line.rpartition(" ")[2] for line in shown(igor.page)].count("hi") == 1


def test_neither_own_messages_nor_joins_are_unread(opened: Open, joined: Join) -> None:
    igor = opened("Igor")
    igor.send("I am @Igor")
    igor.send("and @Ana is not here")
    ana = joined("Ana")
    take(igor, ana.history(last=1)[0])
    eventually(lambda: igor.take_in(True) is not None and not igor.outgoing)
    assert (igor.unread, igor.mentions) == (0, 0)
    assert igor.concerns(Message(99, "lobby", "Ana", "@IGOR", 0))
    assert not igor.concerns(Message(99, "lobby", "igor", "@Igor", 0))
    assert not igor.concerns(Message(99, "lobby", "Ana", "@Igor-2", 0))


def test_what_was_not_read_the_last_time_is_unread_the_next(opened: Open, joined: Join) -> None:
    ana, igor = joined("Ana"), opened("Igor")
    one = ana.send("one")
    take(igor, one)
    igor.saw(igor.page.rows())
    eventually(lambda: readers(ana, one) == {"Igor"})
    two = ana.send("two @Igor")
    take(igor, two)
    again = opened("Igor")  # another terminal of the same member
    assert (again.unread, again.mentions) == (1, 1)
    assert again.page.new_after == one.id
    again.saw(again.page.rows())
    assert again.unread == 0
    eventually(lambda: readers(ana, two) == {"Igor"})


def test_found_24_what_was_read_in_another_session_is_unread_no_more(opened: Open, joined: Join) -> None:
    ana, laptop, notebook = joined("Ana"), opened("Igor"), opened("Igor")
    message = ana.send("hi @Igor")
    for room in (laptop, notebook):
        take(room, message)
    laptop.saw(laptop.page.rows())
    eventually(notebook.settle)
    assert (notebook.unread, notebook.mentions) == (0, 0)
    last = ana.send("and now?")
    for room in (laptop, notebook):
        take(room, last)
    notebook.saw(notebook.page.rows())
    eventually(laptop.settle)
    assert laptop.unread == 0


def test_what_was_there_before_somebody_joined_is_not_unread(opened: Open, joined: Join) -> None:
    joined("Ana").send_many([f"@Igor {number}" for number in range(10)])
    igor = opened("Igor")
    assert (igor.unread, igor.mentions, igor.page.new_after) == (0, 0, None)
    assert igor.transcript.end == 12


# -- what counts as read -------------------------------------------------------------------------------------------


def test_what_is_scrolled_past_is_not_read(opened: Open, joined: Join) -> None:
    ana, igor = joined("Ana"), opened("Igor", height=5)
    many = ana.send_many([str(number) for number in range(40)])
    take(igor, many[-1])
    igor.saw(igor.page.rows())  # the end, behind a gap
    assert igor.unread == 40
    igor.page.view.show_start()
    igor.saw(igor.page.rows())
    eventually(lambda: readers(ana, many[0]) == {"Igor"})
    seen = igor.seen.mark
    assert many[0].id <= seen < many[6].id
    assert igor.unread == many[-1].id - seen
    igor.page.view.show(30)
    igor.saw(igor.page.rows())
    assert igor.seen.mark == seen
    assert readers(ana, many[seen - many[0].id + 1]) == set()
    igor.page.view.show_start()
    while not igor.page.view.pinned:
        igor.page.view.page(1)
        igor.saw(igor.page.rows())
    assert igor.unread == 0
    eventually(lambda: readers(ana, many[-1]) == {"Igor"})


def test_of_a_long_message_the_end_has_to_be_seen(opened: Open, joined: Join) -> None:
    ana, igor = joined("Ana"), opened("Igor", height=4)
    long = ana.send("word " * 200)
    take(igor, long)
    igor.page.view.show_start()
    igor.saw(igor.page.rows())
    assert igor.unread == 1
    igor.show_end()
    igor.saw(igor.page.rows())
    assert igor.unread == 0


def test_what_nobody_looked_at_is_not_read(opened: Open, joined: Join) -> None:
    ana, igor = joined("Ana"), opened("Igor")
    hi = ana.send("hi")
    take(igor, hi, looking=False)
    igor.page.rows()
    igor.settle()
    igor.send("I write, and have not looked")
    eventually(lambda: igor.take_in(True) is not None and not igor.outgoing)
    assert igor.unread == 1
    assert readers(ana, hi) == set()


def test_who_says_that_everything_is_read_has_read_it(opened: Open, joined: Join) -> None:
    ana, igor = joined("Ana"), opened("Igor", height=5)
    many = ana.send_many(["@Igor"] * 40)
    take(igor, many[-1], looking=False)
    assert (igor.unread, igor.mentions, igor.page.new_after) == (40, 40, many[0].id - 1)
    igor.read_all()
    assert (igor.unread, igor.mentions, igor.page.new_after) == (0, 0, None)
    eventually(lambda: readers(ana, many[-1]) == {"Igor"})


def test_the_line_above_what_is_new_stays_until_all_is_read(opened: Open, joined: Join) -> None:
    ana, igor = joined("Ana"), opened("Igor", height=5)
    one, two = ana.send("one"), ana.send("two")
    take(igor, two, looking=False)
    assert igor.page.new_after == one.id - 1
    igor.show_end()
    assert igor.page.new_after == one.id - 1
    assert "── new" in "".join(shown(igor.page))
    igor.saw(igor.page.rows())
    assert igor.page.new_after == one.id - 1
    igor.show_end()
    assert igor.page.new_after is None


# -- what is being sent --------------------------------------------------------------------------------------------


def test_what_is_being_sent_is_shown_and_then_stands_in_its_place(
    opened: Open, joined: Join, server: Server, restarted: Callable[[], Server]
) -> None:
    ana, igor = joined("Ana"), opened("Igor")
    server.close()
    igor.send("one")
    igor.send("two")
    assert igor.outgoing == 2
    assert [line.split()[1:] for line in shown(igor.page)[-2:]] == [["one", "…"], ["two", "…"]]
    restarted()
    eventually(lambda: igor.take_in(True) is not None and not igor.outgoing)
    eventually(lambda: texts(ana.history()) == ["one", "two"])
    assert [line.split()[2] for line in shown(igor.page)[-2:]] == ["one", "two"]


def test_the_page_says_how_far_ones_own_have_come(opened: Open, joined: Join) -> None:
    ana, igor = joined("Ana"), opened("Igor")

    def last_state() -> str:
        igor.take_in(True)
        igor.progress.update(igor.chat.all_marks)
        return shown(igor.page)[-1].split()[-1]

    igor.send("hi")
    assert last_state() in ("…", "✓", "✓✓")
    eventually(lambda: last_state() == "✓✓")
    ana.mark_read(igor.transcript.end)
    eventually(lambda: last_state() == "●")
    ana.leave()
    eventually(lambda: igor.take_in(True))
    igor.progress.update(igor.chat.all_marks)
    assert shown(igor.page)[-2].endswith("●"), "who has read it has, wherever it is now"


def test_what_came_while_one_was_away_is_unread_and_ones_own_stay_read(opened: Open, joined: Join) -> None:
    ana, igor = joined("Ana"), opened("Igor")
    igor.send("read by Ana")
    eventually(lambda: ana.history()[-1].text == "read by Ana")
    ana.mark_read(ana.history()[-1].id)
    igor.leave(5)
    said = ana.send("@Igor: are you there?")
    edited = ana.send("nothing yet")
    ana.edit(edited.id, "but now, @igor")
    again = opened("Igor")
    assert (again.unread, again.mentions) == (again.chat.unread_count, len(again.chat.mentions())) == (3, 2)
    assert again.page.new_after is not None
    assert again.page.new_after < said.id
    again.progress.update(again.chat.all_marks)
    assert next(line for line in shown(again.page) if "read by Ana" in line).endswith("●")
    again.saw(again.page.rows())
    assert (again.unread, again.mentions) == (0, 0)
    eventually(lambda: readers(ana, said) == {"Igor"})


def test_before_ones_very_first_join_there_is_history(opened: Open, joined: Join) -> None:
    joined("Ana").send("hi @Igor")
    igor = opened("Igor")
    assert (igor.unread, igor.mentions, igor.page.new_after) == (0, 0, None)


def test_what_the_room_refuses_is_handed_back(opened: Open) -> None:
    igor = opened("Igor")
    igor.send("x" * 16_385)
    igor.send("short")
    eventually(lambda: igor.take_in(True) is not None and igor.transcript.end == 2)
    [(unsent, error)] = eventually(igor.refused)
    assert (unsent.text, type(error)) == ("x" * 16_385, InvalidText)
    assert igor.outgoing == 0
    assert igor.refused() == []
    assert igor.typed.older("") == "short"
    assert igor.typed.older("") == "x" * 16_385


def test_what_is_written_and_not_sent_is_there_the_next_time(
    opened: Open, joined: Join, server: Server, restarted: Callable[[], Server]
) -> None:
    igor = opened("Igor")
    igor.send("zero")
    eventually(lambda: igor.take_in(True) is not None and not igor.outgoing)
    server.close()
    eventually(lambda: igor.chat.state != "connected")
    igor.send("one")
    igor.send("two")
    igor.draft = "half a sen"
    igor.leave(0.1)
    restarted()
    again = opened("Igor")
    assert (again.draft, again.typed.texts) == ("half a sen", ["zero", "one", "two"])
    eventually(lambda: again.take_in(True) is not None and not again.outgoing)
    assert texts(joined("Ana").history()) == ["zero", "one", "two"]


def test_what_went_out_though_the_file_says_otherwise_is_there_once(opened: Open, joined: Join, drafts: Path) -> None:
    """The process ended between the answer and the next look at the file."""
    igor = opened("Igor")
    igor.send("one")
    [file] = drafts.glob("*.json")
    kept = file.read_bytes()
    assert [text for _, text in json.loads(kept)["unsent"]] == ["one"]
    eventually(lambda: igor.take_in(True) is not None and not igor.outgoing)
    igor.leave(5)
    assert json.loads(file.read_bytes())["unsent"] == []
    file.write_bytes(kept)
    again = opened("Igor")
    assert again.outgoing == 0
    again.send("two")
    eventually(lambda: again.take_in(True) is not None and not again.outgoing)
    assert texts(joined("Ana").history()) == ["one", "two"]


def test_a_text_is_in_the_file_before_it_is_on_its_way(opened: Open, server: Server, drafts: Path) -> None:
    igor = opened("Igor")
    server.close()
    igor.draft = "one"
    igor.keep()
    igor.send("one")
    [file] = drafts.glob("*.json")
    content = json.loads(file.read_bytes())
    assert (content["text"], [text for _, text in content["unsent"]]) == ("", ["one"])


def test_a_text_that_can_not_be_kept_is_not_sent_and_not_lost(opened: Open, joined: Join, drafts: Path) -> None:
    igor = opened("Igor")
    in_the_way = draft_file(drafts, igor.chat.log_id, "Igor")
    in_the_way.mkdir()
    with pytest.raises(Unavailable):
        igor.send("one")
    assert (igor.outgoing, igor.draft) == (0, "one")
    in_the_way.rmdir()
    igor.send("one")
    eventually(lambda: igor.take_in(True) is not None and not igor.outgoing)
    assert texts(joined("Ana").history()) == ["one"]


def test_ones_own_name_is_whole_from_the_beginning(opened: Open, server: Server) -> None:
    bartholomew = opened("Bartholomew")
    server.close()
    bartholomew.send("hi")
    assert shown(bartholomew.page)[-1].split()[:2] == ["Bartholomew", "hi"]


def test_each_member_has_a_draft_of_its_own(opened: Open) -> None:
    igor, zoe = opened("Igor"), opened("Zoë" + "日" * 29)
    igor.draft, zoe.draft = "of Igor's", "of Zoë's"
    igor.leave(5)
    zoe.leave(5)
    assert [opened(name).draft for name in ("Igor", zoe.chat.name)] == ["of Igor's", "of Zoë's"]


# -- who is told -----------------------------------------------------------------------------------------------------


def test_it_is_said_that_something_has_come(opened: Open, joined: Join, server: Server) -> None:
    told: list[OpenRoom] = []
    igor = opened("Igor", changed=told.append)
    joined("Ana").send("hi")
    eventually(lambda: told)
    eventually(lambda: len(igor.take_in(True)) == 0 and igor.transcript.end == 3)
    told.clear()
    server.close()
    eventually(lambda: told)
    assert set(map(id, told)) == {id(igor)}


def test_what_comes_is_taken_in_once_and_in_order(opened: Open, joined: Join) -> None:
    ana, igor = joined("Ana"), opened("Igor")
    taken: list[Message] = []
    last = ana.send_many([str(number) for number in range(300)])[-1]
    eventually(lambda: taken.extend(igor.take_in(True)) or igor.transcript.end == last.id)
    assert texts(taken) == [str(number) for number in range(300)]
    assert igor.take_in(True) == []
