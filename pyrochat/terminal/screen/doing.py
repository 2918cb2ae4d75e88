"""What typed commands do on the screen, beside what they do for every client."""

import threading
from collections.abc import Callable, Sequence

from textual.app import App

from pyrochat.client.chat import Chat
from pyrochat.terminal import commands
from pyrochat.terminal.commands import ChatCommand, answer, parse, to_whom
from pyrochat.terminal.habits import NOTIFY, HabitFile, Habits
from pyrochat.terminal.lines import PlainLines
from pyrochat.terminal.room import OpenRoom
from pyrochat.terminal.screen.asking import ask_room, say
from pyrochat.terminal.screen.chat_screen import ChatScreen
from pyrochat.terminal.screen.commands import SCREEN_COMMANDS
from pyrochat.values.errors import InvalidArgument, RoomNotFound
from pyrochat.values.rules import checked_name, checked_place, checked_text, fold
from pyrochat.values.visible import visible

PARTING_SECONDS = 5.0
_TOLD = {"all": "all messages", "mentions": "what mentions you", "none": "nothing"}


class Doing(App[None], inherit_bindings=False):
    """The part of the application that does what is typed. To be derived from."""

    _main: ChatScreen | None
    _habits: HabitFile

    @property
    def main(self) -> ChatScreen:
        """The only screen; dialogs stand above it."""
        assert self._main is not None
        return self._main

    def _own_habits(self) -> Habits:
        return self._habits.habits

    def _open(self, chat: Chat) -> OpenRoom:
        raise NotImplementedError

    def _check_theme(self, theme: str) -> None:
        raise NotImplementedError

    # -- what is typed ---------------------------------------------------------------------------------------

    def _do(self, room: OpenRoom, typed: str) -> None:
        """Send or do *typed*. Raises PyroChatError where it can't be."""
        parsed = parse(typed, SCREEN_COMMANDS)
        if isinstance(parsed, str):
            room.send(checked_text(parsed))
            return
        main = self.main
        ways: dict[str, Callable[[str], None]] = {
            "quit": lambda argument: main.action_quit_chat(),
            "help": lambda argument: main.action_help(),
            "search": main.action_search,
            "jump": lambda argument: main.action_jump(_message(argument, room.chat)),
            "history": lambda argument: self._show_back(room, argument),
            "join": self._join,
            "leave": lambda argument: self._leave(room),
            "msg": lambda argument: self._speak_to(room, *to_whom(argument)),
            "theme": self._choose_theme,
            "editor": lambda argument: main.action_write_in_editor(),
            "notify": lambda argument: self._choose_notify(room, argument),
            "highlight": lambda argument: self._choose_highlight(room, argument.split()),
            "ignore": lambda argument: self._choose_ignored(room, argument),
        }
        if parsed.name in ways:
            ways[parsed.name](parsed.argument)
        else:
            ask_room(self, lambda: _answered(parsed, room.chat), lambda lines: self._tell(room, lines))
        room.typed.add(typed)  # the room may refuse it yet: it can be had again

    def _tell(self, room: OpenRoom, lines: Sequence[str]) -> None:
        """Say *lines* to the user only, in the conversation."""
        if not room.page.note(lines):
            say(self, "\n".join(lines))
        room.page.view.show_end()
        self.main.refresh_all()

    def _choose_notify(self, room: OpenRoom, how: str) -> None:
        if how and how not in NOTIFY:
            raise InvalidArgument(f"/notify takes one of {', '.join(NOTIFY)}, not {visible(how)!r}")
        if how:
            self._habits.keep(notify={**self._own_habits().notify, room.name: how})
        self._tell(room, [f"you are told of {_TOLD[self._own_habits().told_of(room.name)]} in {room.name}"])

    def _choose_highlight(self, room: OpenRoom, words: Sequence[str]) -> None:
        if words:
            self._habits.keep(highlight=() if list(words) == ["-"] else tuple(words))
        concerning = ", ".join(self._own_habits().highlight) or "none but your name"
        self._tell(room, [f"words that concern you: {concerning}"])

    def _choose_ignored(self, room: OpenRoom, name: str) -> None:
        ignored = self._own_habits().ignored
        if name:
            name = checked_name(name)
            others = tuple(other for other in ignored if fold(other) != fold(name))
            self._habits.keep(ignored=others if len(others) < len(ignored) else (*ignored, name))
            for each in self.main.rooms:
                each.page.forget_lines()
        self._tell(room, [f"ignored here, on this machine: {', '.join(self._own_habits().ignored) or 'nobody'}"])

    def _show_back(self, room: OpenRoom, argument: str) -> None:
        count = _number(argument) if argument else 20
        if not self.main.show_last(count):
            say(self, f"the last {count:,} are on the screen")

    def _choose_theme(self, name: str) -> None:
        if not name:
            self.search_themes()
            return
        self._check_theme(name)
        self.theme = name

    # -- rooms -------------------------------------------------------------------------------------------------

    def _join(self, name: str) -> None:
        main = self.main
        name = checked_place(name)
        for number, room in enumerate(main.rooms):
            if fold(room.name) == fold(name):
                main.action_room(number)
                return
        beside = main.room.chat
        ask_room(self, lambda: self._joined(beside, name))

    def _joined(self, beside: Chat, name: str) -> str:
        """In a thread of its own: the history may be long."""
        try:
            chat = beside.join_room(name, read="manual")
        except RoomNotFound:
            beside.create_room(name)
            chat = beside.join_room(name, read="manual")
        self.call_later(self.main.add_room, self._open(chat))
        return ""

    def _speak_to(self, room: OpenRoom, name: str, text: str) -> None:
        if text:
            checked_text(text)
        ask_room(self, lambda: self._opened_direct(room.chat, name, text))

    def _opened_direct(self, beside: Chat, name: str, text: str) -> str:
        """In a thread of its own: the room of two, shown; *text* is said there."""
        main = self.main
        chat = beside.direct(name, read="manual")
        room = next((open_one for open_one in main.rooms if open_one.chat.log_id == chat.log_id), None)
        if room is None:
            room = self._open(chat)
            self.call_later(main.add_room, room)
        else:
            chat.leave()
            self.call_later(main.show_room, room)
        if text:
            self.call_later(room.send, text)
        return ""

    def _leave(self, room: OpenRoom) -> None:
        main = self.main
        if len(main.rooms) == 1:
            main.action_quit_chat()
            return
        main.drop_room(room)
        threading.Thread(target=room.leave, args=(PARTING_SECONDS,), name="pyrochat-leaving").start()


def _message(argument: str, chat: Chat) -> int:
    return chat.find(argument) if chat.is_causal else _number(argument)


def _number(argument: str) -> int:
    text = argument.removeprefix("#")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise InvalidArgument(f"a message is named by its number, as #12, not {visible(argument)!r}")
    return int(text)


def _answered(command: ChatCommand, chat: Chat) -> list[str]:
    """What *command* is answered with, in lines; nothing where the conversation shows it."""
    if commands.say(command, chat) is not None:
        return []
    lines = PlainLines()
    lines.speak_of(chat)
    return [line.removeprefix("-- ") for line in answer(command, chat, lines)]
