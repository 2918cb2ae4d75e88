"""The screen, driven as a user drives it: keys in, lines out, with a real room behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual import events
from textual._xterm_parser import XTermParser
from textual.pilot import Pilot

from pyrochat import Chat, Server
from pyrochat.terminal.screen.app import ChatApp
from pyrochat.terminal.screen.composer import Composer
from pyrochat.terminal.settings import Settings
from pyrochat.terminal.writing.drafts import MOST_CHARACTERS, Draft, draft_file, keep
from pyrochat.values.errors import InvalidArgument
from tests.support import eventually, texts

Join = Callable[..., Chat]
Story = Callable[["Seat"], Awaitable[None]]
PATIENCE_SECONDS = 20.0


class Seat:
    """Somebody in front of the screen."""

    def __init__(self, app: ChatApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, as text."""
        compositor = self.app.screen._compositor
        return ["".join(segment.text for segment in strip).rstrip() for strip in compositor.render_strips()]

    async def see(self, *texts: str, gone: str = "") -> str:
        """Wait until one line has all of *texts*, and none has *gone*; that line."""
        for _ in range(int(PATIENCE_SECONDS / 0.02)):
            lines = self.lines
            found = [line for line in lines if all(text in line for text in texts)]
            if found and not (gone and any(gone in line for line in lines)):
                return found[0]
            await self.pilot.pause(0.02)
        raise AssertionError(f"{texts} is not to be seen, or {gone!r} still is:\n" + "\n".join(self.lines))

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until *condition* holds."""
        for _ in range(int(PATIENCE_SECONDS / 0.02)):
            if condition():
                return
            await self.pilot.pause(0.02)
        raise AssertionError("it does not come to that:\n" + "\n".join(self.lines))

    async def type(self, text: str, *keys: str) -> None:
        await self.pilot.press(*("space" if character == " " else character for character in text), *keys)


def sit(app: ChatApp, story: Story, size: tuple[int, int] = (100, 24)) -> None:
    """Let *story* happen in front of *app*."""

    async def run() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await story(Seat(app, pilot))

    try:
        asyncio.run(run())
    finally:
        app.leave_all()


@pytest.fixture
def ana(joined: Join) -> Chat:
    """The one who sits here."""
    return joined("Ana", read="manual")


@pytest.fixture
def app(ana: Chat, tmp_path: Path) -> ChatApp:
    """Her screen."""
    return ChatApp([ana], Settings(), tmp_path / "drafts")


def test_what_is_typed_is_sent_and_its_mark_goes_from_sent_to_read_by_all(
    app: ChatApp, ana: Chat, joined: Join
) -> None:
    igor = joined("Igor", read="manual")

    async def story(seat: Seat) -> None:
        await seat.type("hello there", "enter")
        await seat.see("Ana", "hello there", "✓✓")
        igor.wait_for(ana.history()[-1].id, timeout=20)
        igor.mark_read(ana.history()[-1].id)
        await seat.see("hello there", "●")
        await seat.pilot.press("f2")
        await seat.see("read by", "Igor")

    sit(app, story)
    assert "hello there" in texts(igor.history())


def test_only_what_is_on_the_screen_of_a_focused_terminal_is_read(app: ChatApp, joined: Join) -> None:
    igor = joined("Igor")

    async def story(seat: Seat) -> None:
        app.on_app_blur()
        message = igor.send("are you there?")
        await seat.see("are you there?")
        assert igor.confirmations(message.id).waiting_for == {"Ana"}
        app.on_app_focus()
        await asyncio.to_thread(eventually, lambda: igor.confirmations(message.id).read_by == {"Ana"}, 20)

    sit(app, story)


def test_under_a_dialog_nothing_is_read(app: ChatApp, joined: Join) -> None:
    igor = joined("Igor")

    async def story(seat: Seat) -> None:
        await seat.pilot.press("f1")
        await seat.see("New line")
        message = igor.send("behind it")
        await asyncio.to_thread(eventually, lambda: igor.confirmations(message.id).delivered_to == {"Ana"}, 20)
        await seat.pilot.pause(0.2)
        assert igor.confirmations(message.id).read_by == frozenset()
        await seat.pilot.press("escape")
        await asyncio.to_thread(eventually, lambda: igor.confirmations(message.id).read_by == {"Ana"}, 20)

    sit(app, story)


def test_found_27f_a_draft_that_would_freeze_the_screen_is_kept_in_a_file_and_said(ana: Chat, tmp_path: Path) -> None:
    path = draft_file(tmp_path / "drafts", ana.log_id, ana.name)
    keep(path, Draft("half a sentence " * 600_000))
    app = ChatApp([ana], Settings(), tmp_path / "drafts")

    async def story(seat: Seat) -> None:
        await seat.see("kept in")
        assert seat.app.screen.query_one(Composer).text == ""
        await seat.type("short", "enter")
        await seat.see("Ana", "short")

    sit(app, story)
    [beside] = (tmp_path / "drafts").glob("*.txt")
    assert beside.stat().st_size == 600_000 * len("half a sentence ")


def test_found_27f_a_paste_that_would_freeze_the_screen_is_not_taken_and_said(app: ChatApp) -> None:
    async def story(seat: Seat) -> None:
        composer = seat.app.screen.query_one(Composer)
        composer.post_message(events.Paste("x" * (MOST_CHARACTERS - 1)))
        await seat.type("y")
        assert len(composer.text) == MOST_CHARACTERS
        composer.post_message(events.Paste("word " * 2_000_000))
        await seat.see("10,000,000 characters are too many")
        assert len(composer.text) == MOST_CHARACTERS

    sit(app, story)


def test_several_lines_history_and_completion(app: ChatApp, joined: Join) -> None:
    joined("Igor")

    async def story(seat: Seat) -> None:
        await seat.see("2 here")
        await seat.type("one", "ctrl+j", "t", "w", "o", "enter")
        await seat.see("Ana", "one")
        await seat.see("two")
        await seat.pilot.press("up")
        assert seat.app.screen.query_one(Composer).text == "one\ntwo"
        await seat.pilot.press("down")
        await seat.type("ask @ig", "tab")
        assert seat.app.screen.query_one(Composer).text == "ask @Igor "

    sit(app, story)


def test_scrolled_up_the_page_holds_still(app: ChatApp, joined: Join) -> None:
    igor = joined("Igor")
    igor.send_many([f"line {number}" for number in range(200)])

    async def story(seat: Seat) -> None:
        await seat.see("line 199")
        await seat.pilot.press("pageup")
        await seat.see("line 170", gone="line 199")
        before = [line[:60] for line in seat.lines[:20]]
        igor.send_many(["one", "two"])
        await seat.see("+2 new")
        assert [line[:60] for line in seat.lines[:20]] == before
        await seat.pilot.press("end")
        await seat.see("two", gone="+2 new")
        await seat.pilot.press("ctrl+home")
        await seat.see("Today")

    sit(app, story)


def test_a_jump_goes_to_the_message_and_beyond_the_end_it_is_said(app: ChatApp, joined: Join) -> None:
    joined("Igor").send_many([f"line {number}" for number in range(200)])

    async def story(seat: Seat) -> None:
        await seat.see("line 199")
        await seat.type("/jump #20", "enter")
        await seat.see("line 17", gone="line 199")
        await seat.type("/jump 9000", "enter")
        await seat.see("there is no message #9000 here")

    sit(app, story)


def test_a_found_message_is_shown_in_its_place(app: ChatApp, joined: Join) -> None:
    igor = joined("Igor")
    igor.send("a needle")
    igor.send_many([f"line {number}" for number in range(100)])

    async def story(seat: Seat) -> None:
        await seat.see("line 99")
        await seat.type("/search needle", "enter")
        await seat.see("1 found, newest first")
        await seat.pilot.press("enter")
        await seat.see("Igor", "a needle", gone="line 99")

    sit(app, story)


def test_what_holds_the_room_up_stands_in_the_status_line_as_long_as_it_does(app: ChatApp, ana: Chat) -> None:
    async def story(seat: Seat) -> None:
        await seat.see("all is read")
        ana._session._hear_held_up("the room waits for zoe")
        await seat.see("the room waits for zoe")
        ana._session._hear_held_up("")
        await seat.see("all is read", gone="the room waits for zoe")

    sit(app, story)


def test_what_is_wrong_is_said_and_stays_in_the_composer(app: ChatApp) -> None:
    async def story(seat: Seat) -> None:
        await seat.type("/nonsense", "enter")
        await seat.see("there is no command /nonsense")
        assert seat.app.screen.query_one(Composer).text == "/nonsense"

    sit(app, story)


def test_where_nobody_may_create_rooms_that_is_said(app: ChatApp) -> None:
    async def story(seat: Seat) -> None:
        await seat.type("/join coffee", "enter")
        await seat.see("new-rooms")

    sit(app, story)


def test_rooms_have_drafts_and_counts_of_their_own(
    host_lobby: Callable[..., Server], tmp_path: Path, joined: Join
) -> None:
    server = host_lobby(new_rooms="members", data=tmp_path / "other")
    ana, igor = joined("Ana", at=server.at, read="manual"), joined("Igor", at=server.at)
    igor.create_room("coffee")
    igor_there = igor.join_room("coffee")
    app = ChatApp([ana], Settings(), tmp_path / "drafts")

    async def story(seat: Seat) -> None:
        await seat.type("/join coffee", "enter")
        await seat.see("coffee", "2 here")
        await seat.type("half", "ctrl+o")
        await seat.see("lobby")
        igor_there.send("@Ana look")
        await seat.see("2 coffee", "1", "@1")
        await seat.pilot.press("ctrl+n")
        await seat.see("Igor", "@Ana look")
        assert seat.app.screen.query_one(Composer).text == "half"

    with igor_there:
        sit(app, story, (140, 24))


BURSTS = {
    "abc\x7f\x7fX": "aX", "abc\x15X": "X", "a b\x17X": "a X", "abc\x1b[D\x1b[DX": "aXbc", "abc\x1b[HX": "Xabc",
    "abc\nd": "abc\nd", "abc\x0cX": "X",
}  # fmt: skip


@pytest.mark.parametrize("burst", BURSTS, ids=repr)
def test_keys_that_come_together_act_in_their_order(app: ChatApp, burst: str) -> None:
    parser = XTermParser()

    async def story(seat: Seat) -> None:
        for event in [*parser.feed(burst), *parser.tick()]:
            event.set_sender(app)
            app.post_message(event)
        composer = seat.app.screen.query_one(Composer)
        await seat.until(lambda: composer.text == BURSTS[burst])

    sit(app, story)


def test_a_theme_or_an_action_that_is_none_is_refused(ana: Chat, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="there is no theme 'purple': choose one of"):
        ChatApp([ana], Settings(theme="purple"), tmp_path)
    with pytest.raises(InvalidArgument, match="there is no action 'fly'"):
        ChatApp([ana], Settings(keys={"fly": "f9"}), tmp_path)


def test_keys_can_be_bound_anew(ana: Chat, tmp_path: Path, joined: Join) -> None:
    app = ChatApp([ana], Settings(keys={"send": "ctrl+s", "help": "f12"}), tmp_path)

    async def story(seat: Seat) -> None:
        await seat.type("hello", "ctrl+s")
        await seat.see("Ana", "hello", "✓")
        await seat.pilot.press("f12")
        await seat.see("Ctrl-S", "Send")

    sit(app, story)


@pytest.mark.parametrize("size", [(20, 5), (40, 10), (80, 24), (200, 60)])
def test_it_fits_into_any_terminal(app: ChatApp, joined: Join, size: tuple[int, int]) -> None:
    joined("Igor").send_many(["x" * 16_000, "漢字" * 50, "\x1b[2J[bold]boo[/]\u202eevil\u200b", "fine"])

    async def story(seat: Seat) -> None:
        await seat.see("fine")
        assert len(seat.lines) <= size[1]
        await seat.type("yes", "enter")
        await seat.see("yes")

    sit(app, story, size)


def test_found_27b_what_was_said_before_the_room_was_hosted_anew_stays_above_a_line(
    app: ChatApp, ana: Chat, server: Server, joined: Join, host_lobby: Callable[..., Server], tmp_path: Path
) -> None:
    """Given a conversation and a half-written text, when another server with an empty log takes the room's place,
    then she is in the new log, below what was said in the old one; nothing of hers is sent there that was not meant for it."""

    async def story(seat: Seat) -> None:
        await seat.type("before", "enter")
        await seat.see("Ana", "before", "✓")
        await seat.type("half written")
        server.close()
        await seat.see("reconnecting")
        host_lobby(port=server.port, data=tmp_path / "another")
        await seat.see("another log")
        igor = joined("Igor", read="manual")
        igor.send("after")
        await seat.see("Igor", "after")
        lines = seat.lines
        before, divider, after = (
            next(at for at, line in enumerate(lines) if part in line) for part in ("before", "── another log", "after")
        )
        assert before < divider < after
        await seat.see("half written")
        await seat.type(" and sent", "enter")
        await seat.see("Ana", "half written and sent", "✓")
        assert texts(igor.history()) == ["after", "half written and sent"]
        await seat.pilot.press(
            "ctrl+up", "ctrl+up", "ctrl+up", "ctrl+up", "ctrl+up", "f2"
        )  # keys act on what is in the log

    sit(app, story)
    assert ana.state == "closed"
    assert texts(ana.history()) == ["before"]


def test_found_33_what_there_is_to_say_first_is_seen(joined: Join, tmp_path: Path) -> None:
    async def story(seat: Seat) -> None:
        await seat.see("you are here as Ana already")

    sit(ChatApp([joined("Ana")], Settings(), tmp_path, "you are here as Ana already"), story)
