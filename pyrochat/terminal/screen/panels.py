"""What stands beside the conversation: rooms at the left, members at the right, the status line below."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text
from textual.containers import VerticalScroll
from textual.message import Message as Fact
from textual.widgets import Static

from pyrochat.terminal.conversation.layout import colour_of
from pyrochat.terminal.room import OpenRoom
from pyrochat.terminal.screen.colours import Palette
from pyrochat.terminal.screen.keys import KEYS
from pyrochat.values.rules import fold
from pyrochat.values.visible import visible

_STATES = {
    "reconnecting": "reconnecting · what you write is kept", "refused": "the room does not take you back", "closed": "left",
}  # fmt: skip


class RoomList(Static):
    """The rooms that are open, with what is unread in each."""

    DEFAULT_CSS = "RoomList { width: 18; height: 1fr; padding: 0 1; border-right: solid $panel; }"

    @dataclass
    class Chosen(Fact):
        """The room with that number was clicked on."""

        number: int

    def show(self, rooms: Sequence[OpenRoom], current: OpenRoom) -> None:
        """Draw them."""
        text = Text(no_wrap=True, overflow="ellipsis")
        for number, room in enumerate(rooms):
            count = f" {room.unread}" if room.unread else ""
            addressed = f" @{room.mentions}" if room.mentions else ""
            style = Style(bold=bool(room.unread), reverse=room is current)
            text.append(f"{number + 1} {visible(room.name)}{count}{addressed}\n", style)
        self.update(text)

    def on_click(self, event: object) -> None:
        """Choose."""
        self.post_message(self.Chosen(int(event.y)))  # type: ignore[attr-defined]


class Members(VerticalScroll):
    """Who is here, and how far each has read: ``✓`` everything, ``-7`` all but the last seven."""

    DEFAULT_CSS = """
    Members { width: 20; height: 1fr; padding: 0 1; border-left: solid $panel; scrollbar-size-vertical: 1; }
    Members Static { width: 1fr; height: auto; }
    """
    LEGEND = (
        ("●", "here"), ("○", "connection lost, may come back"), ("✓", "has read everything"),
        ("-7", "has not read the last seven"),
    )  # fmt: skip
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
        end = room.transcript.end
        marks = room.chat.marks
        text = Text(f"{len(marks)} here\n", style=palette["time"], no_wrap=True, overflow="ellipsis")
        for name, (_, read) in marks.items():
            gone = fold(name) in away
            unread = end - max(read, room.progress.since(name))
            behind = f"-{unread}" if unread > 0 else "✓"
            text.append("○ " if gone else "● ", palette["time"] if gone else palette["state"])
            text.append(visible(name), palette.name(colour_of(name)))
            text.append(" away" if gone else f" {behind}", palette["time"])
            text.append("\n")
        if text != self._text:  # it is asked for more often than it changes
            self._text = text
            self.query_one("#names", Static).update(text)


class Status(Static):
    """One line: where we are, how the connection is, what is unread, what is on its way, or what can be completed."""

    DEFAULT_CSS = "Status { height: 1; padding: 0 1; background: $panel; }"

    def show(self, room: OpenRoom, elsewhere: str, keys: Mapping[str, str]) -> None:
        """Of *room*; elsewhere: what there is to say of other rooms. keys: the user's own."""
        state, below = room.chat.state, room.page.come_below()
        parts = [
            room.name,
            _STATES.get(state, ""),
            f"+{below} new" if below else "" if room.page.view.pinned else "scrolled up",
            _unread(room, keys),
            f"{room.outgoing} being sent" if room.outgoing else "",
            elsewhere,
        ]
        said = [visible(part) for part in parts if part]
        if len(said) == 1:
            said.append(f"{len(room.chat.marks)} here")
        text = Text(" · ".join(said), no_wrap=True, overflow="ellipsis")
        if state != "connected":
            text.stylize("bold reverse")
        self.update(text)

    def show_choices(self, choices: Sequence[str], chosen: int) -> None:
        """What Tab goes through."""
        text = Text(no_wrap=True, overflow="ellipsis")
        for number, choice in enumerate(choices[chosen : chosen + 20]):
            text.append(visible(choice.strip()), Style(reverse=number == 0))
            text.append("  ")
        self.update(text)


def _unread(room: OpenRoom, keys: Mapping[str, str]) -> str:
    """How much is unread; at the end, where one would think that all is read, what can be done about that."""
    if not room.unread:
        return ""
    shown = f"{room.unread} unread"
    if room.page.view.pinned:
        shows, reads = (keys.get(key.id, key.keys).upper() for key in KEYS if key.id in ("where_new", "read_all"))
        shown += f": {shows} shows, {reads} marks read"
    return shown
