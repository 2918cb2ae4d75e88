"""The chat as a program sees it: history, members, confirmations, waiting, the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest

import pyrochat
from pyrochat import (
    Chat,
    ChatClosed,
    InvalidArgument,
    InvalidName,
    InvalidRoomName,
    Message,
    Messages,
    NameTaken,
    RoomUnreachable,
    Server,
    UnknownMessage,
    WaitTimeout,
)
from pyrochat.storage.log_file import log_path
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.values.message import CHAT
from tests.support import QUICK, SALT, Running, changes, chat_message, eventually, free_port, texts

Join = Callable[..., Chat]


def test_join_returns_with_the_whole_history(joined: Join) -> None:
    ana = joined("Ana")
    ana.send_many([str(number) for number in range(2_000)])
    progress: list[tuple[int, int]] = []
    igor = joined("Igor", progress=lambda here, of: progress.append((here, of)))
    assert texts(igor.history()) == [str(number) for number in range(2_000)]
    assert [m.id for m in igor.history()] == list(range(1, 2_003))
    assert progress[-1][0] >= progress[-1][1] == 2_002


def test_history_can_be_cut(joined: Join) -> None:
    chat = joined("Erick")
    chat.send_many(list("abcdef"))
    assert texts(chat.history(last=2)) == ["e", "f"]
    assert texts(chat.history(2)) == ["e", "f"]
    assert texts(chat.history(after=4)) == ["d", "e", "f"]
    assert texts(chat.history(last=2, after=6)) == ["f"]
    assert chat.history(last=0) == chat.history(after=99) == []
    assert len(chat.history(last=99)) == 7


@pytest.mark.parametrize("wrong", [{"last": -1}, {"last": "5"}, {"after": -1}, {"after": 1.5}, {"last": True}])
def test_a_wrong_cut_is_said(joined: Join, wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument):
        joined("Erick").history(**wrong)  # type: ignore[arg-type]


def test_all_see_the_same_messages_in_the_same_order(joined: Join) -> None:
    chats = [joined(name) for name in ("Ana", "Igor", "Zoë")]
    last = [chat.send(f"from {chat.name}") for chat in chats][-1]
    for chat in chats:
        assert chat.wait_for(last.id, timeout=20) == last
    assert chats[0].history() == chats[1].history() == chats[2].history()


def test_members_are_those_present_in_the_order_of_their_joins(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    eventually(lambda: ana.members == igor.members == ["Ana", "Igor"])
    ana.leave()
    eventually(lambda: igor.members == ["Igor"])
    assert changes(igor.history()) == ["Ana joined", "Igor joined", "Ana left"]


def test_a_member_has_several_sessions_and_leaves_with_the_last(joined: Join) -> None:
    watcher = joined("Watcher")
    laptop, notebook = joined("Ana"), joined("ANA")
    laptop.send("from the laptop")
    notebook.send("from the notebook")
    laptop.leave()
    last = notebook.send("still here")
    watcher.wait_for(last.id, timeout=20)
    assert watcher.members == ["Watcher", "Ana"]
    notebook.leave()
    eventually(lambda: watcher.members == ["Watcher"])
    assert changes(watcher.history()) == ["Watcher joined", "Ana joined", "Ana left"]


@pytest.mark.parametrize("name", ["Ana", "ANA", "ana"])
def test_a_name_that_is_held_by_another_client_is_taken(joined: Join, name: str) -> None:
    joined("Ana")
    with pytest.raises(NameTaken, match="choose another name"):
        joined(name, client="other")


def test_a_name_belongs_to_its_key_when_its_member_has_left(joined: Join) -> None:
    joined("Ana").leave()
    with pytest.raises(NameTaken, match=r"(belongs to another key|in use by another client).*: choose another name"):
        joined("Ana", client="other")
    assert changes(joined("Ana").history()) == ["Ana joined", "Ana left", "Ana joined"]


@pytest.mark.parametrize(("name", "room", "error"), [("", "lobby", InvalidName), ("Ana", "a b", InvalidRoomName)])
def test_wrong_names_are_refused_before_anybody_is_asked(name: str, room: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        pyrochat.join(name, room, at="localhost:1")


@pytest.mark.parametrize("at", ["localhost:0", "localhost:99999", "", ":1", "a:b"])
def test_an_address_that_is_none_is_said(at: str) -> None:
    with pytest.raises(InvalidArgument, match="is no address"):
        pyrochat.join("Ana", at=at)


def test_nobody_at_the_address_is_said() -> None:
    with pytest.raises(RoomUnreachable, match="is the server running there"):
        pyrochat.join("Ana", at=f"localhost:{free_port()}")


def test_the_rooms_name_is_found_in_any_case(joined: Join) -> None:
    assert joined("Ana", room="LOBBY").send("hi").room == "lobby"


def test_wait_for_gives_the_message_as_soon_as_it_is_here(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    waiting = Running(lambda: igor.wait_for(3, timeout=20))
    message = ana.send("hi")
    assert waiting.result() == message
    assert igor.wait_for(1).text == "Ana joined"


def test_wait_for_gives_up_in_time(joined: Join) -> None:
    chat = joined("Ana")
    with pytest.raises(WaitTimeout, match=r"message 99 did not come within 0\.05 s; the last one here is 1"):
        chat.wait_for(99, timeout=0.05)
    with pytest.raises(InvalidArgument):
        chat.wait_for(0)


def test_wait_for_ends_when_the_chat_is_left(joined: Join) -> None:
    chat = joined("Ana")
    waiting = Running(lambda: chat.wait_for(99))
    chat.leave()
    with pytest.raises(ChatClosed):
        waiting.result()


def test_confirmations_tell_who_has_a_message_and_who_has_read_it(joined: Join) -> None:
    ana, igor, zoe = (joined(name, read="manual") for name in ("Ana", "Igor", "Zoë"))
    message = ana.send("hi")
    eventually(lambda: ana.confirmations(message.id).delivered_to == {"Igor", "Zoë"})
    igor.mark_read(message.id)
    joined("Late")
    state = ana.confirmations(message.id)
    assert (state.id, state.read_by, state.waiting_for) == (message.id, {"Igor"}, {"Zoë"})
    zoe.leave()
    state = ana.confirmations(message.id)
    assert (state.delivered_to, state.read_by, state.waiting_for) == ({"Igor", "Zoë"}, {"Igor"}, set())


def test_there_are_no_confirmations_of_an_unknown_message(joined: Join) -> None:
    chat = joined("Ana")
    with pytest.raises(UnknownMessage):
        chat.confirmations(99)
    with pytest.raises(InvalidArgument):
        chat.confirmations(0)


def test_marks_of_the_others_arrive_by_themselves(joined: Join) -> None:
    ana, igor = joined("Ana", read="manual"), joined("Igor", read="manual")
    message = ana.send("hi")
    igor.wait_for(message.id, timeout=20)
    igor.mark_read(message.id)
    eventually(lambda: ana.marks["Igor"] == (message.id, message.id))


def test_leave_is_idempotent_and_ends_everything(joined: Join) -> None:
    watcher, chat = joined("Watcher"), joined("Ana")
    chat.send("hi")
    chat.leave()
    chat.leave()
    assert chat.state == "closed"
    eventually(lambda: watcher.members == ["Watcher"])


def test_a_chat_that_was_left_says_so(joined: Join) -> None:
    chat = joined("Ana")
    message = chat.send("hi")
    chat.wait_for(message.id, timeout=20)
    chat.leave()
    uses: list[Callable[[], object]] = [
        lambda: chat.send("more"),
        lambda: chat.send_many(["more"]),
        lambda: chat.confirmations(message.id),
        lambda: chat.wait_for(99),
        lambda: chat.on_message(print),
        lambda: chat.listen(),
    ]
    for use in uses:
        with pytest.raises(ChatClosed):
            use()
    assert texts(chat.history()) == ["hi"]


def test_with_leaves_at_its_end(server: Server, joined: Join) -> None:
    watcher = joined("Watcher")
    with pyrochat.join("Ana", at=server.at, timing=QUICK) as chat:
        chat.send("hi")
    assert chat.state == "closed"
    eventually(lambda: changes(watcher.history())[-1] == "Ana left")


def test_what_is_shown_of_a_chat_and_its_messages(joined: Join) -> None:
    chat = joined("Ana")
    chat.send("<b>bold</b> & co")
    history = chat.history()
    assert repr(chat) == "<Chat of Ana in lobby: connected, 2 messages, 1 member>"
    assert repr(history) == ("[<Message #1 lobby/Ana: 'Ana joined'>,\n <Message #2 lobby/Ana: '<b>bold</b> & co'>]")
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; co" in history._repr_html_()
    assert "<b>" not in history._repr_html_()
    assert isinstance(history, list)
    assert history[1].time.tzinfo is UTC


def test_a_long_history_shows_its_end() -> None:
    messages = Messages(chat_message(id, f"text {id}") for id in range(1, 1235))
    assert repr(messages).startswith("[… 1,214 more before,\n <Message #1215 ")
    assert repr(messages).count("\n") == 20
    page = messages._repr_html_()
    assert "<caption>the last 200 of 1,234 messages</caption>" in page
    assert page.count("<tr>") == 201
    assert repr(Messages()) == "[]"


def test_found_44_a_slice_of_messages_is_as_readable() -> None:
    messages = Messages(chat_message(id, f"text {id}") for id in range(1, 9))
    newest = messages[-2:]
    assert repr(newest) == repr(Messages(messages[6:])) == f"[{messages[6]!r},\n {messages[7]!r}]"
    assert "<table>" in newest[::-1]._repr_html_()
    assert messages[-1].id == 8


def test_a_senders_name_is_escaped_too() -> None:
    page = Messages([Message(1, "lobby", "<script>", "x", 5)])._repr_html_()
    assert "<script>" not in page


def test_a_chat_is_safe_for_many_threads(joined: Join) -> None:
    chat = joined("Ana")
    sent = threading.Event()

    def look() -> None:
        while not sent.wait(0.001):
            history = chat.history()
            assert [m.id for m in history] == list(range(1, len(history) + 1))
            assert chat.members == ["Ana"]
            repr(chat)

    looking = [Running(look) for _ in range(3)]
    sends = [Running(lambda: [chat.send("x") for _ in range(20)]) for _ in range(4)]
    for send in sends:
        send.result()
    sent.set()
    for each in looking:
        each.result()
    assert [m.id for m in chat.history()] == list(range(1, 82))


def test_found_14_a_clock_that_is_wrong_for_a_moment_closes_no_room(data: Path) -> None:
    now = [1_700_000_000_000_000]
    with (
        Server(["lobby"], data, nameserver=False, timing=QUICK, now_us=lambda: now[0]) as server,
        pyrochat.join("Ana", at=server.at, timing=QUICK) as ana,
    ):
        for now[0] in (-(10**15), 10**18, 1_700_000_000_000_000):
            ana.send("what time is it?")
        with pyrochat.join("Igor", at=server.at, timing=QUICK) as igor:
            igor.wait_for(ana.send("hello").id, timeout=20)
            assert igor.history()[:4] == ana.history()[:4]
            years = [message.time.astimezone(UTC).year for message in igor.history(after=1)]
            assert years[:3] == [1970, 9000, 2023]
            assert ana.state == igor.state == "connected"


def test_found_14_a_log_with_odd_messages_is_delivered_as_it_is(data: Path) -> None:
    """Older versions have written any time, and later ones may know more kinds."""
    odd = [
        Message(1, "lobby", "Ana", "long ago", -(1 << 63), CHAT, proof=SALT),
        Message(2, "lobby", "Ana", "far away", (1 << 63) - 1, CHAT, proof=SALT),
        Message(3, "lobby", "Ana", "which one?", 5, "poll", "k", 2, None, None, SALT, '["of a later version",1,null]'),
        Message(4, "lobby", "a b\u202e", "", 5, CHAT, "é", proof="5a" * 32),
    ]
    log = SqliteLog(log_path(data, "lobby"), "lobby")
    log.append(odd)
    log.close()
    with (
        Server(["lobby"], data, nameserver=False, timing=QUICK) as server,
        pyrochat.join("Igor", at=server.at, timing=QUICK) as igor,
    ):
        history = igor.history()
        assert history[:4] == odd
        assert igor.verify().whole
        assert "which one?" not in str(history[2])
        assert "'poll', which this version of PyroChat doesn't know" in str(history[2])
        assert "which one?" not in history._repr_html_()
        assert [message.id for message in igor.search("away")] == [2]
        assert igor.send("hello").id == 6
