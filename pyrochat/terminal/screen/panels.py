"""What stands beside the conversation: rooms at the left, members at the right, the status line below."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.containers import VerticalScroll
from textual.message import Message as Fact
from textual.widgets import Static

from pyrochat.terminal.conversation.layout import colour_of, cropped
from pyrochat.terminal.room import OpenRoom
from pyrochat.terminal.screen.colours import Palette
from pyrochat.terminal.screen.keys import KEYS
from pyrochat.values.rules import fold
from pyrochat.values.visible import visible

_STATES = {
    "reconnecting": "reconnecting · what you write is kept", "refused": "the room does not take you back", "closed": "left",
}  # fmt: skip
_ROOM_CELLS = 15
_MEMBER_CELLS = 14  # beside the sign at the left


class RoomList(Static):
    """The rooms that are open, with what is unread in each."""

    DEFAULT_CSS = "RoomList { width: 18; height: 1fr; padding: 0 1; border-right: solid $panel; }"

    @dataclass
    class Chosen(Fact):
        """The room with that number was clicked on."""

        number: int

    def __init__(self) -> None:
        super().__init__()
        self._numbers: list[int | None] = []  # of the room in each line

    def show(self, rooms: Sequence[OpenRoom], current: OpenRoom) -> None:
        """Draw them: rooms, and below them people."""
        text = Text(no_wrap=True, overflow="ellipsis")
        self._numbers = []
        numbered = list(enumerate(rooms))
        for heading, group in (
            ("rooms", [(number, room) for number, room in numbered if not room.other]),
            ("people", [(number, room) for number, room in numbered if room.other]),
        ):
            if not group:
                continue
            text.append(f"{heading}\n", "dim")
            self._numbers.append(None)
            for number, room in group:
                text.append_text(self._line(number, room, room is current))
                self._numbers.append(number)
        self.update(text)

    def _line(self, number: int, room: OpenRoom, is_current: bool) -> Text:
        count = f" {room.unread}" if room.unread else ""
        addressed = f" @{room.mentions}" if room.mentions else ""
        mark = "" if room.other or not room.chat.is_closed else "⌂"  # a house with a door
        name = cropped(
            f"{mark}{visible(room.other or room.name)}", _ROOM_CELLS - len(f"{number + 1} {count}{addressed}")
        )
        return Text(
            f"{number + 1} {name}{count}{addressed}\n", Style(bold=bool(room.unread), reverse=is_current), end=""
        )

    def on_click(self, event: object) -> None:
        """Choose."""
        line = int(event.y)  # type: ignore[attr-defined]
        if 0 <= line < len(self._numbers) and (number := self._numbers[line]) is not None:
            self.post_message(self.Chosen(number))


class Header(Static):
    """The top line: which room, what it is about, who is here, which server."""

    DEFAULT_CSS = "Header { height: 1; padding: 0 1; background: $panel; }"

    def show(self, room: OpenRoom) -> None:
        """Of *room*."""
        chat = room.chat
        kind = "direct" if room.other else "closed" if chat.is_closed else ""
        name = f"with {room.other}" if room.other else room.name
        parts = [kind, f"{chat.member_count} here", chat.at if chat.state == "connected" else ""]
        right = " · ".join(visible(part) for part in parts if part)
        topic = f"  {visible(room.transcript.topic)}" if room.transcript.topic else ""
        width = max(10, self.content_size.width)
        left = cropped(f"{visible(name)}{topic}", max(4, width - cell_len(right) - 2))
        text = Text(left, no_wrap=True, overflow="ellipsis")
        text.stylize("bold", 0, min(len(left), len(visible(name))))
        text.append(" " * max(1, width - cell_len(left) - cell_len(right)))
        text.append(right, "dim")
        self.update(text)


class Members(VerticalScroll):
    """Who is here, and how much each has not read."""

    DEFAULT_CSS = """
    Members { width: 20; height: 1fr; padding: 0 1; border-left: solid $panel; scrollbar-size-vertical: 1; }
    Members Static { width: 1fr; height: auto; }
    """
    LEGEND = (("○", "connection lost, may come back"),)
    can_focus = False

    def __init__(self) -> None:
        super().__init__()
        self._text: Text | None = None

    def compose(self) -> Iterable[Static]:
        """One text."""
        yield Static(id="names")

    def show(self, room: OpenRoom, suspected: Iterable[str], palette: Palette) -> None:
        """Draw them."""
        away = set(map(fold, suspected))
        marks = room.chat.marks
        text = Text(f"{len(marks)} here\n", style=palette["time"], no_wrap=True, overflow="ellipsis")
        for name, (_, read) in sorted(marks.items(), key=lambda member: fold(member[0])):
            gone = fold(name) in away
            unread = room.transcript.texts_after(max(read, room.progress.since(name)), name)
            behind = " lost" if gone else f" {unread} unread" if unread else ""
            text.append("○ " if gone else "● ", palette["time"] if gone else palette["state"])
            text.append(cropped(visible(name), _MEMBER_CELLS - len(behind)), palette.name(colour_of(name)))
            text.append(f"{behind}\n", palette["time"])
        if text != self._text:  # it is asked for more often than it changes
            self._text = text
            self.query_one("#names", Static).update(text)


class Status(Static):
    """One line: how the connection is, what is unread, what is on its way, or what can be completed."""

    DEFAULT_CSS = "Status { height: 1; padding: 0 1; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self._text: Text | None = None

    def show(self, room: OpenRoom, elsewhere: str, keys: Mapping[str, str]) -> None:
        """Of *room*; elsewhere: what there is to say of other rooms. keys: the user's own."""
        state, below = room.chat.state, room.page.come_below()
        parts = [
            _STATES.get(state, room.chat.held_up),
            f"+{below} new" if below else "" if room.page.view.pinned else "scrolled up",
            _unread(room, keys),
            f"{room.outgoing} being sent" if room.outgoing else "",
            elsewhere,
        ]
        said = [visible(part) for part in parts if part] or ["all is read"]
        text = Text(" · ".join(said), no_wrap=True, overflow="ellipsis")
        if state != "connected" or room.chat.held_up:
            text.stylize("bold reverse")
        self._update(text)

    def _update(self, text: Text) -> None:
        if text != self._text:  # it is asked for more often than it changes
            self._text = text
            self.update(text)

    def show_choices(self, choices: Sequence[str], chosen: int) -> None:
        """What Tab goes through."""
        text = Text(no_wrap=True, overflow="ellipsis")
        for number, choice in enumerate(choices[chosen : chosen + 20]):
            text.append(visible(choice.strip()), Style(reverse=number == 0))
            text.append("  ")
        self._update(text)


def _unread(room: OpenRoom, keys: Mapping[str, str]) -> str:
    """How much is unread; at the end, where one would think that all is read, what can be done about that."""
    if not room.unread:
        return ""
    shown = f"{room.unread} unread"
    if room.page.view.pinned:
        shows, reads = (keys.get(key.id, key.keys).upper() for key in KEYS if key.id in ("where_new", "read_all"))
        shown += f": {shows} shows, {reads} marks read"
    return shown
