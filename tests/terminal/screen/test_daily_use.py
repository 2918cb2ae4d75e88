"""What people do on the screen all day: keys as terminals send them, the marked message, the mouse, rooms and people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual import events
from textual._xterm_parser import XTermParser
from textual.geometry import Offset

from pyrochat import Chat, Server
from pyrochat.terminal.habits import HabitFile
from pyrochat.terminal.screen.app import ChatApp
from pyrochat.terminal.screen.composer import Composer
from pyrochat.terminal.screen.conversation import Conversation
from pyrochat.terminal.screen.panels import Header, RoomList
from pyrochat.terminal.settings import Settings
from pyrochat.terminal.writing.typed_bytes import TypedBytes
from tests.security.support import Host
from tests.support import eventually, texts
from tests.terminal.screen.test_chat_screen import Join, Seat, sit


@pytest.fixture
def server(host_lobby: Host) -> Server:
    """A server on which members may create rooms."""
    return host_lobby(new_rooms="members")


@pytest.fixture
def ana(joined: Join) -> Chat:
    """The one who sits here."""
    return joined("Ana", client="Ana", read="manual")


@pytest.fixture
def app(ana: Chat, tmp_path: Path) -> ChatApp:
    """Her screen."""
    return ChatApp([ana], Settings(), tmp_path / "drafts")


async def send_bytes(seat: Seat, data: bytes) -> None:
    """What a terminal sends, as the screen reads it."""
    parser = XTermParser()
    for event in [*parser.feed(TypedBytes().feed(data)), *parser.tick()]:
        event.set_sender(seat.app)
        seat.app.post_message(event)
    await seat.pilot.pause(0.1)


def composer(seat: Seat) -> Composer:
    return seat.app.screen.query_one(Composer)


async def written(seat: Seat, text: str) -> None:
    """Wait until *text* stands in the composer."""
    for _ in range(1000):
        if composer(seat).text == text:
            return
        await seat.pilot.pause(0.02)
    raise AssertionError(
        f"{text[:60]!r} ({len(text)}) is not written, but {composer(seat).text[:60]!r} ({len(composer(seat).text)})"
    )


# -- keys -----------------------------------------------------------------------------------------------------------

TYPED = [
    "👩\u200d💻", "می\u200cخواهم", "山田\u3000太郎", "10\u00a0km", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "👍🏽", "❤️", "🇧🇷", "हिन्दी", "caf\ufffd",
]  # fmt: skip


def test_what_is_typed_is_sent_as_it_was_typed(app: ChatApp, ana: Chat) -> None:
    async def story(seat: Seat) -> None:
        for number, text in enumerate(TYPED, 1):
            await send_bytes(seat, text.encode())
            await written(seat, text)
            await seat.pilot.press("enter")
            await asyncio.to_thread(eventually, lambda number=number: texts(ana.history()) == TYPED[:number])

    sit(app, story)


def test_keys_as_terminals_send_them(app: ChatApp) -> None:
    async def story(seat: Seat) -> None:
        await send_bytes(seat, b"one\x1b\rtwo")
        await written(seat, "one\ntwo")
        await send_bytes(seat, b"\x1bz\x1b[1;3A\x1b[?62;4c\x1b]11;rgb:0/0/0\x07\xff!")
        await written(seat, "one\ntwo\ufffd!")

    sit(app, story)


def test_what_was_cut_is_put_back(app: ChatApp) -> None:
    async def story(seat: Seat) -> None:
        await seat.type("one two three")
        for keys, left in (("ctrl+w", "one two "), ("ctrl+y", "one two three"), ("ctrl+u", ""), ("ctrl+y", "one two three"),
                           ("ctrl+l", ""), ("ctrl+y", "one two three"), ("ctrl+a", "one two three"), ("alt+d", " two three"),
                           ("ctrl+k", ""), ("ctrl+y", " two three"), ("ctrl+underscore", "")):  # fmt: skip
            await seat.pilot.press(keys)
            await written(seat, left)
        await seat.pilot.press("ctrl+d")
        await seat.see("Ctrl-Q or /quit leaves")

    sit(app, story)


def test_what_was_sent_before_is_found_by_what_is_in_it(app: ChatApp) -> None:
    async def story(seat: Seat) -> None:
        for text in ("red car", "blue car", "green bus"):
            await seat.type(text, "enter")
        await seat.type("CAR")
        for expected in ("blue car", "red car", "red car"):
            await seat.pilot.press("ctrl+r")
            await written(seat, expected)

    sit(app, story)


def test_what_a_command_says_is_not_lost_where_the_room_refuses_it(app: ChatApp) -> None:
    async def story(seat: Seat) -> None:
        await seat.type("one", "enter")
        await seat.see("one", "✓")
        for command, why in (
            ("/reply 99 a long answer", "there is no message 99"),
            ("/msg Zoe hi", "nobody with a key"),
        ):
            await seat.type(command, "enter")
            await seat.see(why)
            await seat.type("", "up")
            await written(seat, command)
            await seat.type("", "ctrl+l")
        too_long = f"/msg Zoe {'x' * 17_000}"
        composer(seat).write(too_long)
        await seat.type("", "enter")
        await seat.see("17,000")
        await written(seat, too_long)

    sit(app, story)


def test_an_editor_writes_for_a_while(app: ChatApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\ntr a-z A-Z < "$1" > "$1.new" && mv "$1.new" "$1"\n')
    editor.chmod(0o700)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)

    async def story(seat: Seat) -> None:
        await seat.type("loud")
        await seat.pilot.press("ctrl+x", "ctrl+e")
        await seat.see("the editor")  # a test's screen makes no room for it, which is said
        await written(seat, "loud")
        await seat.pilot.press("ctrl+x", "x")
        await written(seat, "loudx")

    sit(app, story)


# -- the marked message ------------------------------------------------------------------------------------------------


def test_a_key_each_answers_reacts_edits_and_deletes(app: ChatApp, ana: Chat, joined: Join) -> None:
    igor = joined("Igor", client="Igor")

    async def story(seat: Seat) -> None:
        question = igor.send("shall we?")
        await seat.see("shall we?")
        await seat.pilot.press("alt+r")
        await written(seat, f"/reply {question.id} ")
        await seat.type("yes, at noon", "enter")
        await seat.see("↳ Igor: shall we?")
        await seat.pilot.press("alt+e")
        await seat.until(lambda: composer(seat).text.endswith("yes, at noon"))
        await seat.type("!", "enter")
        await seat.see("yes, at noon! (edited)")
        await seat.type("half a draft")
        await seat.pilot.press("alt+x")
        await seat.see("Ctrl-Y puts back")
        assert composer(seat).text.startswith("/redact ")
        await seat.pilot.press("ctrl+u", "ctrl+l")
        assert composer(seat).text == ""
        igor.react(ana.history()[-2].id, "👍")
        await seat.see("👍 1")
        await seat.pilot.press("alt+a")
        await seat.until(lambda: composer(seat).text.startswith("/react "))
        await seat.pilot.press("ctrl+l")
        await seat.pilot.press("alt+x", "enter")
        await seat.see("(deleted by Ana)", gone="yes, at noon")

    sit(app, story)


def test_who_has_reacted_is_said_with_who_has_read(app: ChatApp, ana: Chat, joined: Join) -> None:
    igor = joined("Igor", client="Igor")

    async def story(seat: Seat) -> None:
        message = ana.send("done")
        await seat.see("done")
        igor.react(message.id, "🎉")
        await seat.see("🎉 1")
        await seat.pilot.press("f2")
        await seat.see("🎉", "Igor")
        await seat.type("so I write on")
        await written(seat, "so I write on")

    sit(app, story)


def test_the_mouse_selects_and_ctrl_c_copies(app: ChatApp, joined: Join) -> None:
    joined("Igor", client="Igor").send("the password is swordfish")

    async def story(seat: Seat) -> None:
        await seat.see("swordfish")
        line = next(at for at, line in enumerate(seat.lines) if "swordfish" in line)
        conversation = seat.app.screen.query_one(Conversation)
        start = seat.lines[line].index("password")
        place = Offset(start, line) - conversation.region.offset
        end = place + Offset(len("password") - 1, 0)
        await seat.pilot.mouse_down(conversation, offset=place)
        await seat.pilot.hover(conversation, offset=end)
        await seat.pilot.mouse_up(conversation, offset=end)
        await seat.until(lambda: seat.app.screen.get_selected_text() == "password")
        strip = seat.app.screen._compositor.render_strips()[line]
        [marked] = [segment for segment in strip if segment.text == "password"]
        assert marked.style is not None
        assert marked.style.color != marked.style.bgcolor
        await seat.pilot.press("ctrl+c")
        assert seat.app.clipboard == "password"

    sit(app, story)


# -- reading -------------------------------------------------------------------------------------------------------------


def test_a_burst_that_goes_by_in_front_of_ones_eyes_is_read(app: ChatApp, ana: Chat, joined: Join) -> None:
    igor = joined("Igor", client="Igor")

    async def story(seat: Seat) -> None:
        await seat.type("hi", "enter")
        await seat.see("hi")
        last = igor.send_many([f"line {number}" for number in range(2000)])[-1]
        await seat.see("line 1999")
        await asyncio.to_thread(eventually, lambda: igor.confirmations(last.id).read_by == {"Ana"})
        assert ana.unread_count == 0

    sit(app, story)


def test_a_burst_while_the_terminal_has_no_focus_is_unread(app: ChatApp, ana: Chat, joined: Join) -> None:
    igor = joined("Igor", client="Igor")

    async def story(seat: Seat) -> None:
        await seat.type("hi", "enter")
        await seat.see("hi")
        app.on_app_blur()
        igor.send_many([f"line {number}" for number in range(100)])
        await seat.see("line 99")
        await seat.see("100 unread")
        assert ana.unread_count == 100
        await seat.pilot.press("f5")
        await seat.see("── new ")

    sit(app, story)


def test_a_paste_of_many_lines_is_said_and_what_is_too_long_goes_out_in_parts(app: ChatApp, ana: Chat) -> None:
    async def story(seat: Seat) -> None:
        app.post_message(events.Paste("\n".join(f"line {number}" for number in range(7))))
        await seat.see("7 lines", "Enter sends")
        await seat.pilot.press("ctrl+l")
        long = "\n".join(f"line {number}" for number in range(3000))
        app.post_message(events.Paste(long))
        await written(seat, long)
        await seat.pilot.press("enter")
        await seat.see("Enter again sends it in 2 parts")
        assert composer(seat).text == long
        await seat.pilot.press("enter")
        await asyncio.to_thread(eventually, lambda: len(texts(ana.history())) == 2)
        assert "\n".join(texts(ana.history())) == long

    sit(app, story)


def test_answers_stand_in_the_conversation(app: ChatApp) -> None:
    async def story(seat: Seat) -> None:
        await seat.type("/who", "enter")
        await seat.see("» 1 member: Ana")
        await seat.type("/verify", "enter")
        await seat.see("» verified: identical")
        await seat.type("hi", "enter")
        await seat.see("hi", "✓")
        await seat.type("/confirmations", "enter")
        await seat.see("» confirmations of #2: delivered to nobody")
        await seat.type("/nonsense", "enter")
        await seat.see("there is no command /nonsense")

    sit(app, story)


def test_a_search_finds_in_all_rooms_and_goes_there(app: ChatApp, ana: Chat, joined: Join) -> None:
    igor = joined("Igor", client="Igor")
    ana.create_room("coffee")

    async def story(seat: Seat) -> None:
        igor.send("\n".join(["filler"] * 200 + ["the needle is here"] + ["filler"] * 200))
        with igor.join_room("coffee") as coffee:
            coffee.send("a needle in coffee")
        await seat.type("/join coffee", "enter")
        await seat.see("a needle in coffee")
        await seat.pilot.press("alt+1")
        await seat.see("2 here")
        await seat.pilot.press("ctrl+f")
        await seat.type("needle", "enter")
        await seat.see("2 found")
        await seat.see("coffee #", "a needle in coffee")
        await seat.see("lobby #", "the needle is here")
        assert sum("filler" in line for line in seat.lines if "│" in line[:6]) < 6
        await seat.pilot.press("enter")
        await seat.see("coffee", "1 here")

    sit(app, story)


def test_the_last_n_are_shown_and_a_width_holds_the_place(app: ChatApp, joined: Join) -> None:
    igor = joined("Igor", client="Igor")

    async def story(seat: Seat) -> None:
        igor.send_many([f"message {number}" for number in range(60)])
        long = " ".join(f"w{number}" for number in range(900))
        igor.send(long)
        await seat.see("w899")
        await seat.type("/history 61", "enter")
        await seat.see("message 0")
        await seat.pilot.press("escape", "pageup")
        await seat.pilot.pause(0.2)

        def first_word() -> int:
            words = [word for line in seat.lines[1:3] for word in line.split() if word[0] == "w" and word[1:].isdigit()]
            return int(words[0][1:])

        before = first_word()
        for width in (60, 140, 45, 100):
            await seat.pilot.resize_terminal(width, 24)
            await seat.pilot.pause(0.2)
            assert abs(first_word() - before) < 30, width

    sit(app, story)


# -- rooms and people ------------------------------------------------------------------------------------------------------


def test_rooms_and_people_stand_apart_and_alt_with_a_digit_goes_there(app: ChatApp, ana: Chat, joined: Join) -> None:
    igor = joined("Igor", client="Igor")
    ana.create_room("plans", members=["Igor"])

    async def story(seat: Seat) -> None:
        await seat.type("/join plans", "enter")
        await seat.see("plans", "closed")
        await seat.type("/msg Igor between us", "enter")
        await seat.see("with Igor", "direct")
        await seat.see("between us")
        for heading in ("rooms", "people"):
            await seat.see(heading)
        await seat.see("2 ⌂plans")
        await seat.see("3 Igor")
        await seat.pilot.press("alt+1")
        await seat.see("lobby", "2 here")
        await seat.pilot.press("alt+l")
        await seat.see("with Igor", "direct")
        with igor.direct("Ana") as direct:
            assert texts(direct.history()) == ["between us"]
            await seat.pilot.press("alt+2")
            direct.send("@Ana: really")
            await seat.see("3 Igor 1 @1")
            await seat.pilot.press("ctrl+n")
            await seat.see("@Ana: really")

    sit(app, story, (130, 30))


def test_the_conversation_has_room_for_its_marks_beside_a_list_of_rooms_that_has_just_come(
    app: ChatApp, ana: Chat, joined: Join
) -> None:
    joined("Igor", client="Igor")
    ana.create_room("plans")

    async def story(seat: Seat) -> None:
        await seat.type("hello", "enter")
        await seat.see("hello", "✓✓")
        app.main._compositor.update_widgets({app.main.query_one(RoomList)})  # what is not shown has changed
        app.main.add_room(app._open(ana.join_room("plans", read="manual")), in_front=False)
        assert app.main.query_one(Header).content_size  # somebody asks, before all is laid out
        await seat.see("1 lobby")
        await seat.see("hello", "✓✓")

    sit(app, story, (130, 30))


def test_what_one_is_told_of_is_ones_own_choice(app: ChatApp, joined: Join) -> None:
    igor = joined("Igor", client="Igor")
    bells: list[str] = []
    app.bell = lambda: bells.append("bell")  # type: ignore[method-assign]

    async def story(seat: Seat) -> None:
        def said(text: str) -> Callable[[], object]:
            igor.send(text)
            return lambda: seat.see(text)

        async def rings(text: str, times: int) -> None:
            before = len(bells)
            igor.send(text)
            await seat.see(text)
            assert len(bells) - before == times, text

        await rings("hello", 0)
        await rings("@Ana: hello", 1)
        await rings("@all: lunch", 1)
        await seat.type("/highlight deploy", "enter")
        await seat.see("words that concern you: deploy")
        await rings("the Deploy is red", 1)
        await seat.type("/notify all", "enter")
        await seat.see("you are told of all messages in lobby")
        await rings("anything", 1)
        await seat.type("/notify none", "enter")
        await seat.see("you are told of nothing in lobby")
        await rings("@Ana again", 0)
        await seat.type("/ignore Igor", "enter")
        await seat.see("ignored here, on this machine: Igor")
        igor.send("noise")
        await seat.see("(ignored)", gone="noise")

    sit(app, story)


def test_rooms_theme_and_choices_are_there_the_next_time(ana: Chat, joined: Join, tmp_path: Path) -> None:
    for room in ("coffee", "tea", "water"):
        ana.create_room(room)
    path = tmp_path / "screen.json"

    def screen(chat: Chat) -> ChatApp:
        return ChatApp([chat], Settings(), tmp_path / "drafts", None, HabitFile(path, "Ana"), True)

    async def first(seat: Seat) -> None:
        await seat.see("F1 shows all keys")
        for room in ("coffee", "tea", "water"):
            await seat.type(f"/join {room}", "enter")
            await seat.see(f"{room} ", "1 here")
        await seat.type("/leave", "enter")
        await seat.pilot.press("alt+2")
        await seat.type("/notify all", "enter")
        await seat.type("/theme nord", "enter")
        await seat.see("coffee", "1 here")

    async def second(seat: Seat) -> None:
        await seat.see("2 coffee")
        await seat.see("3 tea")
        await seat.see("coffee", "1 here")
        assert seat.app.theme == "nord"
        assert not [line for line in seat.lines if "F1 shows" in line or "water" in line]
        assert HabitFile(path, "Ana").habits.told_of("coffee") == "all"

    sit(screen(ana), first, (130, 30))
    sit(screen(joined("Ana", client="Ana", read="manual")), second, (130, 30))


def test_code_and_what_one_does_are_readable(app: ChatApp, joined: Join) -> None:
    igor = joined("Igor", client="Igor")

    async def story(seat: Seat) -> None:
        igor.send("look:\n```python\ndef answer():\n    return 42  # why\n```\nuse `answer()` *now*")
        igor.send("/me waves")
        await seat.see("* Igor waves")
        await seat.see("def answer():")
        assert not [line for line in seat.lines if "```" in line]
        strips = seat.app.screen._compositor.render_strips()
        keyword = next(s for strip in strips for s in strip if s.text == "return")
        plain = next(s for strip in strips for s in strip if "look:" in s.text)
        assert keyword.style is not None
        assert plain.style is not None
        assert keyword.style.color != plain.style.color

    sit(app, story)


def test_no_size_of_a_terminal_ends_it(app: ChatApp, joined: Join) -> None:
    joined("Igor", client="Igor").send("hello there, 👩‍👩‍👧‍👦 and ```\ncode\n```")

    async def story(seat: Seat) -> None:
        await seat.see("hello there")
        for size in ((1, 1), (2, 3), (3, 24), (4, 10), (5, 1)):
            await seat.pilot.resize_terminal(*size)
            await seat.type("x", "enter", "pageup", "f2", "escape", "f1", "escape")
            await seat.pilot.pause(0.2)
            await seat.pilot.resize_terminal(100, 24)
            await seat.see("hello there")
            assert seat.app.is_running, size

    sit(app, story)
