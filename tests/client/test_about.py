"""Messages about messages, what is unread, and confirmations as they come: what a program sees."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pyrochat import (
    Chat,
    Confirmations,
    Current,
    InvalidArgument,
    InvalidText,
    MessageRedacted,
    NotYours,
    Server,
    UnknownMessage,
    WaitTimeout,
)  # fmt: skip
from tests.support import bare, eventually, texts

Join = Callable[..., Chat]


def test_a_message_is_answered_edited_reacted_to_and_deleted(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    first = ana.send("olá")
    answer = igor.send("yes", about=first.id)
    edit = ana.edit(first.id, "olá!")
    assert (answer.kind, answer.about, edit.kind, edit.about) == ("chat", first.id, "edit", first.id)
    igor.react(first.id, "👍")
    igor.react(first.id, "👍")
    ana.react(edit.id, "🎉")
    assert ana.unreact(first.id, "🎉").kind == "unreact"
    assert ana.current(first.id) == Current("olá!", True, False, {"👍": {"Igor"}}, [answer.id])
    assert ana.edit(edit.id, "olá!!").about == first.id
    assert texts(ana.search("olá")) == ["olá!!"]
    gone = ana.redact(edit.id)
    assert (gone.kind, gone.about, gone.text) == ("redact", first.id, "")
    igor.wait_for(gone.id, 20)
    for chat in (ana, igor, joined("Zoë")):
        assert chat.current(first.id) == Current(None, True, True, {"👍": {"Igor"}}, [answer.id])
        assert [message.text for message in chat.history() if message.id in (first.id, edit.id)] == ["", ""]
        assert chat.verify().whole
    assert ana.search("olá") == []
    with pytest.raises(MessageRedacted):
        ana.edit(first.id, "again")
    with pytest.raises(MessageRedacted):
        ana.redact(first.id)


def test_what_can_not_be_said_of_a_message_is_refused_and_nothing_is_stored(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    mine = ana.send("mine")
    tail = igor.react(mine.id, "👍").id
    ana.wait_for(tail, 20)
    refused: list[tuple[type[Exception], Callable[[], object]]] = [
        (NotYours, lambda: igor.edit(mine.id, "his")),
        (NotYours, lambda: igor.redact(mine.id)),
        (InvalidArgument, lambda: ana.edit(1, "a join")),
        (InvalidArgument, lambda: ana.react(tail, "👍")),
        (UnknownMessage, lambda: ana.send("to nobody", about=999)),
        (UnknownMessage, lambda: ana.redact(999)),
        (UnknownMessage, lambda: ana.current(999)),
        (InvalidText, lambda: ana.react(mine.id, "x" * 17)),
        (InvalidText, lambda: ana.react(mine.id, " x")),
        (InvalidText, lambda: ana.react(mine.id, "a\nb")),
        (InvalidText, lambda: ana.set_topic("two\nlines")),
        (InvalidText, lambda: ana.set_topic("x" * 301)),
        (InvalidArgument, lambda: ana.edit(0, "x")),
        (InvalidArgument, lambda: ana.send("x", about="1")),  # type: ignore[arg-type]
    ]
    for error, do in refused:
        with pytest.raises(error):
            do()
    assert ana.history()[-1].id == tail
    assert ana.react(mine.id, "👨‍👩‍👧‍👦").text == "👨‍👩‍👧‍👦"


def test_a_name_edits_its_own_however_it_is_spelled_and_a_guest_only_its_own(joined: Join, server: Server) -> None:
    ana, anew = joined("Ana"), joined("ＡNA")
    mine = ana.send("mine")
    assert anew.edit(mine.id, "still mine").about == mine.id
    assert ana.unread_count == 0
    with bare(server, "Guest") as guest, pytest.raises(PermissionError, match="not-yours"):
        guest.post("", about=mine.id, kind="redact")
    assert ana.current(mine.id).text == "still mine"


def test_a_repeated_edit_is_there_once(joined: Join) -> None:
    ana = joined("Ana")
    mine = ana.send("mine")
    assert ana.edit(mine.id, "better", key="k") == ana.edit(mine.id, "better", key="k")


def test_the_topic_is_whatever_was_set_last(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    assert ana.topic == ""
    message = ana.set_topic("tea and cake")
    assert (message.kind, message.change, message.sender, message.text) == ("system", "topic", "Ana", "tea and cake")
    igor.wait_for(message.id, 20)
    assert igor.topic == joined("Zoë").topic == "tea and cake"
    assert ana.set_topic("").told() == "* Ana took the topic away"
    assert ana.topic == ""


def test_the_same_by_bare_calls(joined: Join, server: Server) -> None:
    ana = joined("Ana")
    with bare(server, "Igor") as room:
        mine = room.post("hi")
        answer = room.post("and?", None, mine[0])
        assert answer[5:10] == ["chat", None, mine[0], None, None]
        assert room.post("hello", about=mine[0], kind="edit")[5:8] == ["edit", None, mine[0]]
        room.post("👍", about=mine[0], kind="react")
        assert room.current(mine[0]) == ["hello", True, [["👍", ["Igor"]]], [answer[0]]]
        room.post("👍", about=mine[0], kind="unreact")
        room.post("", about=mine[0], kind="redact")
        assert room.current(mine[0]) == [None, True, [], [answer[0]]]
        found = {row[0]: row for row in room.history()}
        assert (found[mine[0]][3], len(found[mine[0]][10])) == ("", 64)
        assert room.set_topic("tea")[8] == "topic"
        for wrong in (
            {"kind": "system"},
            {"kind": "of a later version"},
            {"about": 1, "kind": "redact"},
            {"kind": "edit"},
            {"about": "1"},
        ):
            with pytest.raises(ValueError, match="invalid-"):
                room.post("x", **wrong)
        with pytest.raises(ValueError, match="unknown-message"):
            room.current(999)
    with bare(server, "Igor", client="one") as one:
        keyed = one.post("keyed", "k")
    for name, client in (("Igor", "another"), ("Zoë", "one")):
        with bare(server, name, client=client) as other, pytest.raises(PermissionError, match="not-yours"):
            other.post("", about=keyed[0], kind="redact")
    assert ana.current(mine[0]).is_redacted


# -- unread ---------------------------------------------------------------------------------------------------------


def test_unread_is_what_others_wrote_since_over_leaving_and_coming_back(joined: Join) -> None:
    ana = joined("Ana")
    ana.send("history")
    igor = joined("Igor")
    assert (igor.unread_count, igor.unread(), igor.mentions()) == (0, [], [])
    igor.leave()
    sent = ana.send_many(["one", "for @Igor", "three"])
    edit = ana.edit(sent[0].id, "one, @igor")
    ana.edit(sent[1].id, "for @Igor, of course")
    ana.react(sent[0].id, "👍")
    igor, again = joined("Igor"), joined("igor")
    for chat in (igor, again):
        assert chat.unread_count == 4
        assert [message.id for message in chat.mentions()] == [sent[1].id, edit.id]
    assert [message.id for message in igor.unread()] == [*(message.id for message in sent), edit.id]
    eventually(lambda: again.unread_count == 0)
    assert igor.mentions() == []
    igor.send("mine")
    assert igor.unread_count == 0


# -- confirmations --------------------------------------------------------------------------------------------------


def test_whoever_waits_for_readers_gets_the_confirmations_when_nobody_is_waited_for(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor", read="manual")
    away = joined("Zoë")
    away.leave()
    message = ana.send("read me")
    with pytest.raises(WaitTimeout, match="by Igor"):
        ana.wait_read(message.id, timeout=0.1)
    found: list[Confirmations] = []
    waiting = threading.Thread(target=lambda: found.append(ana.wait_read(message.id, timeout=20)))
    waiting.start()
    igor.wait_for(message.id, 20)
    igor.mark_read(message.id)
    waiting.join(20)
    assert [(c.read_by, c.waiting_for, c.away) for c in found] == [({"Igor"}, set(), {"Zoë"})]
    assert ana.wait_read(ana.send("alone?").id - 1).read_by == {"Igor"}
    with pytest.raises(WaitTimeout):
        ana.wait_read(999, timeout=0.01)


def test_a_confirmation_is_never_taken_back(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    message = ana.send("read me")
    igor.wait_for(message.id, 20)
    igor.mark_read(message.id)
    igor.leave()
    found = ana.confirmations(message.id)
    assert (found.delivered_to, found.read_by, found.waiting_for, found.away) == ({"Igor"}, {"Igor"}, set(), set())


def test_a_handler_is_told_of_confirmations_of_ones_own_messages(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor", read="manual")
    told: list[tuple[int, frozenset[str], frozenset[str]]] = []

    @ana.on_confirmations
    def note(id: int, confirmations: Confirmations) -> None:
        told.append((id, confirmations.delivered_to, confirmations.read_by))

    mine = ana.send_many([f"text {number}" for number in range(50)])
    theirs = igor.send("theirs")
    both = frozenset({"Igor"})
    eventually(lambda: (mine[-1].id, both, frozenset()) in told)
    igor.mark_read(mine[3].id)
    eventually(lambda: (mine[3].id, both, both) in told)
    igor.mark_read(theirs.id)
    eventually(lambda: (mine[-1].id, both, both) in told)
    assert {id for id, *_ in told} <= {message.id for message in mine}
    assert len(told) < 20, "what is confirmed together is told once"
    ana.off(note)
    before = len(told)
    last = ana.send("last")
    igor.wait_for(last.id, 20)
    igor.mark_read(last.id)
    ana.wait_read(last.id, 20)
    assert len(told) == before


def test_a_handler_of_confirmations_that_raises_is_called_again(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    told: list[int] = []

    @ana.on_confirmations
    def stumble(id: int, confirmations: Confirmations) -> None:
        told.append(id)
        raise ZeroDivisionError

    first = ana.send("one")
    eventually(lambda: first.id in told)
    second = ana.send("two")
    eventually(lambda: second.id in told)
    with pytest.raises(InvalidArgument, match="function"):
        ana.on_confirmations(3)  # type: ignore[type-var]
    assert igor.state == "connected"
