"""The full-screen application: rooms, what is typed, what the palette offers. The network has threads of its own."""

import asyncio
import contextlib
import gc
import signal
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from pyrochat.client.chat import Chat
from pyrochat.terminal.conversation.layout import Look
from pyrochat.terminal.habits import HabitFile, habits_of
from pyrochat.terminal.mentions import Notifier
from pyrochat.terminal.room import OpenRoom
from pyrochat.terminal.screen.asking import ask_room, say
from pyrochat.terminal.screen.chat_screen import ChatScreen
from pyrochat.terminal.screen.commands import SCREEN_COMMANDS
from pyrochat.terminal.screen.doing import PARTING_SECONDS, Doing
from pyrochat.terminal.screen.driver import TerminalDriver
from pyrochat.terminal.screen.keys import actions_by_key
from pyrochat.terminal.settings import Settings
from pyrochat.values.errors import InvalidArgument, InvalidInput, PyroChatError, RemovedFromRoom, RoomNotFound
from pyrochat.values.rules import fold
from pyrochat.values.visible import visible

_WELCOME = (
    "Type, and Enter sends. Tab completes names and commands, Ctrl-J begins a new line.",
    "F1 shows all keys and commands, Ctrl-P goes to rooms and people, Ctrl-F searches.",
    "Ctrl-Q leaves; what is written is kept for the next time.",
)
_WIDTH = 80  # until the terminal has said how wide it is


def run_screen(
    chats: Sequence[Chat], settings: Settings, data: Path, notice: str | None = None, restores: bool = False
) -> list[str]:
    """Show *chats* until the user has enough, and leave them; what there is to say afterwards.

    data: the folder for what is written and not sent, and for what is remembered. notice: what to say first. restores:
    whether the rooms of the last time are opened too. Raises InvalidArgument for settings that can't be.
    """
    habits = habits_of(data / "screen.json", chats[0].name, chats[0].log_id)
    app = ChatApp(chats, settings, data / "drafts", notice, habits, restores)
    gc.collect()
    gc.freeze()  # a long history stays: the collector need not walk through it while somebody types
    try:
        app.run()
    finally:
        said = app.leave_all()
    return said


class ChatApp(Doing, inherit_bindings=False):
    """See `run_screen`."""

    TITLE = "PyroChat"
    CSS = "ToastRack { dock: top; align-horizontal: right; }"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "help_quit", show=False)]

    def __init__(
        self, chats: Sequence[Chat], settings: Settings, drafts: Path, notice: str | None = None,
        habits: HabitFile | None = None, restores: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(driver_class=TerminalDriver)
        self._habits = habits or HabitFile(None, "")
        self._restores = restores
        if settings.theme is not None:
            self._check_theme(settings.theme)
            self.theme = settings.theme
        elif self._habits.habits.theme in self.available_themes:
            self.theme = self._habits.habits.theme
        actions_by_key(settings.keys)  # what is wrong is said before anything is begun
        self._drafts = drafts
        self._notifier = Notifier(settings.notify_command) if settings.notify_command else None
        self._look = Look(_WIDTH, chats[0].name, settings.time_format)
        self._main: ChatScreen | None = None
        self._is_leaving = False
        rooms = [self._open(chat) for chat in chats]
        if notice is not None:
            rooms[0].notices.append(notice)
        self._main = ChatScreen(rooms, self._notifier, self._do, settings.keys, self._keep_rooms)
        self._main.is_restoring = restores
        if self._habits.is_new:
            rooms[0].page.note(_WELCOME)

    def on_mount(self) -> None:
        """Who is told to end, ends as by Ctrl-Q."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            with contextlib.suppress(RuntimeError, ValueError):  # not in the main thread: a test
                loop.add_signal_handler(number, self.main.action_quit_chat)

        self.app_resume_signal.subscribe(self, lambda _: self._draw_anew())
        if self._restores:
            self.call_after_refresh(self._restore)
        elif self._habits.is_new:
            self._remember_rooms()

    def _draw_anew(self) -> None:
        """Something else was on the terminal meanwhile."""
        for widget in self.screen.walk_children():
            widget.refresh()

    def _restore(self) -> None:
        """Open the rooms that were open the last time."""
        main, habits = self.main, self._own_habits()
        beside, front = main.rooms[0].chat, habits.room
        here = {fold(room.name) for room in main.rooms}
        wanted = [name for name in habits.rooms if fold(name) not in here]

        def restore() -> str:
            try:
                for name in wanted:
                    try:
                        room = self._open(beside.join_room(name, read="manual"))
                    except (RoomNotFound, RemovedFromRoom, InvalidInput):
                        continue  # it is not there any more, for us
                    self.call_later(main.add_room, room, fold(name) == fold(front))
            finally:
                self.call_later(main.restored)
            return ""

        if wanted:
            ask_room(self, restore)
        else:
            main.restored()

    def _keep_rooms(self) -> None:
        """Another room is open, or in front. Who has said which rooms to open has done so for this time only."""
        if self._restores and self._main is not None and not self._is_leaving and not self._main.is_restoring:
            self._remember_rooms()

    def _remember_rooms(self) -> None:
        self._habits.keep(rooms=tuple(room.name for room in self.main.rooms), room=self.main.room.name)

    def _check_theme(self, theme: str) -> None:
        if theme not in self.available_themes:
            raise InvalidArgument(
                f"there is no theme {theme!r}: choose one of {', '.join(sorted(self.available_themes))}"
            )

    def get_default_screen(self) -> Screen[Any]:
        """Part of Textual's interface."""
        return self.main

    def _open(self, chat: Chat) -> OpenRoom:
        return OpenRoom(chat, self._look, self._drafts, self._room_changed, habits=self._own_habits)

    def _room_changed(self, room: OpenRoom) -> None:
        """In any thread."""
        if self._main is not None:
            self._main.wake()
            if room.is_to_be_renewed():
                self.call_later(ask_room, self, lambda: self._renewed(room))

    async def on_event(self, event: events.Event) -> None:
        """Part of Textual's interface: everything that the user does comes here first."""
        if self._main is not None and isinstance(event, events.InputEvent):
            self._main.touched()
        await super().on_event(event)

    def on_app_focus(self) -> None:
        """The terminal has the user's attention again."""
        self._watch(True)

    def on_app_blur(self) -> None:
        """What comes now is not seen."""
        self._watch(False)

    def _watch(self, focused: bool) -> None:
        if self._main is not None and self._main.is_mounted:
            self._main.set_focused(focused)

    def watch_theme(self, theme: str) -> None:
        """However it was chosen, it is the one of the next time too."""
        main = getattr(self, "_main", None)  # the first one is chosen before there is anything
        if main is not None and main.is_mounted:
            self._habits.keep(theme=theme)

    # -- rooms -------------------------------------------------------------------------------------------------

    def _renewed(self, room: OpenRoom) -> str:
        """In a thread of its own: *room* has another log now; open that one, below what is here."""
        chat = room.chat.join_room(room.name, read="manual")
        fresh = OpenRoom(chat, room.page.look, self._drafts, self._room_changed, room, self._own_habits)
        self.call_later(self._replace, room, fresh)
        return f"room {room.name} was archived or hosted anew: it has another log now"

    def _replace(self, room: OpenRoom, fresh: OpenRoom) -> None:
        self.main.replace_room(room, fresh)
        threading.Thread(target=room.leave, args=(0.0,), name="pyrochat-leaving").start()

    def leave_all(self) -> list[str]:
        """Leave every room; what there is to say of it."""
        self._is_leaving = True
        said = []
        for room in self.main.rooms:
            try:
                room.leave(PARTING_SECONDS)
            except PyroChatError as error:
                said.append(str(error))
            if count := room.outgoing:
                said.append(
                    f"{count} text{'s' * (count != 1)} for room {room.name} could not be sent: kept for next time"
                )
        return said

    # -- the palette -----------------------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Rooms and people first; then everything that has a key, and everything that is a command."""
        main = self.main
        for room in main.rooms:
            name = f"with {room.other}" if room.other else room.name
            news = f"{room.unread} unread" if room.unread else "nothing new"
            yield SystemCommand(f"Room {visible(name)}", news, lambda room=room: main.show_room(room))
        own = fold(main.room.chat.name)
        for name in main.room.chat.marks:
            if fold(name) != own:
                yield SystemCommand(
                    f"Talk to {visible(name)}", "Just the two of you", lambda name=name: main.act(f"/msg {name}")
                )
        yield SystemCommand("Help", "Keys, commands, symbols", main.action_help)
        yield SystemCommand("Search", "Words in the whole history", main.action_search)
        yield SystemCommand("Who has read", "Of the marked message, or your last one", main.action_readers)
        yield SystemCommand("Jump to a message", "By its id", main.action_ask_jump)
        yield SystemCommand("Next unread", "Room, or where reading stopped", main.action_next_unread)
        yield SystemCommand("All is read", "Move the read mark to the end", main.action_read_all)
        yield SystemCommand("To the end", "The newest messages", main.action_end)
        yield SystemCommand("To the beginning", "The oldest messages", main.action_start)
        yield SystemCommand("Members panel", "Show or hide", main.action_members)
        yield SystemCommand("Message ids", "Show or hide", main.action_ids)
        yield SystemCommand("Copy", "The marked message", main.action_copy)
        for usage, meaning in SCREEN_COMMANDS:
            name = usage.partition(" ")[0]
            if name in ("/who", "/verify", "/rooms", "/leave", "/confirmations"):
                yield SystemCommand(name, meaning, lambda name=name: main.act(name))
            elif name in ("/join", "/export", "/history"):
                yield SystemCommand(f"{name} …", meaning, lambda name=name: self._prepare(name))
        yield SystemCommand("Theme", "Other colours", self.search_themes)
        yield SystemCommand("Quit", "Leave, and keep what is written", main.action_quit_chat)

    def _prepare(self, name: str) -> None:
        """Put a command that takes an argument into the composer."""
        self.main.composer.write(f"{name} {self.main.composer.text}")

    def action_help_quit(self) -> None:
        """Textual's answer to Ctrl-C, which copies in a text: say what ends the chat."""
        with contextlib.suppress(Exception):
            say(self, "Ctrl-Q ends the chat")
