"""The keys, in one table: what each does by default, and under which name a user binds another key to it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from textual.binding import Binding
from textual.keys import Keys

from pyrochat.values.errors import InvalidArgument
from pyrochat.values.visible import visible

_NAMED_KEYS = {key.value for key in Keys}
_KEY_NAMES = {"pageup": "PgUp", "pagedown": "PgDn", "escape": "Esc", "underscore": "_"}


class KeyBinding(NamedTuple):
    """id: its name in ``[keys]``. keys: separated by commas. action: of the composer, or ``screen.…``. meaning: for the help;
    empty where it stands beside the one before."""

    id: str
    keys: str
    action: str
    meaning: str
    in_footer: str = ""


GROUPS: Mapping[str, Sequence[KeyBinding]] = {
    "Write": (
        KeyBinding("send", "enter", "send", "Send"),
        KeyBinding("newline", "ctrl+j,alt+enter,shift+enter", "newline", "New line"),
        KeyBinding("complete", "tab", "complete(1)", "Complete"),
        KeyBinding("complete_back", "shift+tab", "complete(-1)", ""),
        KeyBinding("older", "up", "older", "What you sent"),
        KeyBinding("newer", "down", "newer", ""),
        KeyBinding("find_typed", "ctrl+r", "find_typed", "Find what you sent"),
        KeyBinding("clear", "ctrl+l", "clear", "Cut all"),
        KeyBinding("cut_word", "ctrl+w,ctrl+backspace,alt+backspace", "cut_word", "Cut the word before"),
        KeyBinding("cut_next_word", "alt+d,alt+delete", "cut_next_word", "Cut the word behind"),
        KeyBinding("cut_before", "ctrl+u", "cut_before", "Cut the line there"),
        KeyBinding("cut_behind", "ctrl+k", "cut_behind", ""),
        KeyBinding("put_back", "ctrl+y", "put_back", "Put back what was cut"),
        KeyBinding("undo", "ctrl+underscore", "undo", "Undo"),
        KeyBinding("word_left", "alt+b,ctrl+left", "cursor_word_left", "A word back, on"),
        KeyBinding("word_right", "alt+f,ctrl+right", "cursor_word_right", ""),
        KeyBinding("select_all", "ctrl+shift+a", "select_all", "Select all"),
        KeyBinding("editor", "ctrl+x", "chord", "Then Ctrl-E: $EDITOR"),
        KeyBinding("delete_or_leave", "ctrl+d", "delete_or_leave", "Delete behind"),
    ),
    "Read": (
        KeyBinding("newest", "escape", "screen.end", "The newest messages"),
        KeyBinding("page_up", "pageup", "screen.page(-1)", "Scroll"),
        KeyBinding("page_down", "pagedown", "screen.page(1)", ""),
        KeyBinding("end", "end", "end", "Line's end, or newest"),
        KeyBinding("oldest", "ctrl+home", "screen.start", "The oldest messages"),
        KeyBinding("where_new", "f5", "screen.new_line", "Where reading stopped"),
        KeyBinding("read_all", "f8", "screen.read_all", "Everything is read"),
        KeyBinding("search", "ctrl+f", "screen.search", "Search all rooms", "Search"),
    ),
    "Marked or last": (
        KeyBinding("mark_up", "ctrl+up", "screen.select(-1)", "Mark another"),
        KeyBinding("mark_down", "ctrl+down", "screen.select(1)", ""),
        KeyBinding("reply", "alt+r", "screen.reply", "Answer it"),
        KeyBinding("react", "alt+a", "screen.react", "React to it"),
        KeyBinding("edit", "alt+e", "screen.edit", "Edit your own"),
        KeyBinding("redact", "alt+x", "screen.redact", "Delete your own"),
        KeyBinding("readers", "f2", "screen.readers", "Who read it, reacted", "Who has read"),
        KeyBinding("open_link", "alt+o", "screen.open_first_link", "Open its link"),
        KeyBinding("copy", "ctrl+c,f6", "copy_or_leave", "Copy it, or the selection"),
    ),
    "Rooms": (
        KeyBinding("next_unread", "ctrl+n", "screen.next_unread", "Next room with news", "Next unread"),
        KeyBinding("next_room", "ctrl+pagedown,ctrl+o", "screen.step_room(1)", "The room beside"),
        KeyBinding("previous_room", "ctrl+pageup", "screen.step_room(-1)", ""),
        KeyBinding("last_room", "alt+l", "screen.last_room", "Room before this one"),
        *(
            KeyBinding(f"room_{number}", f"alt+{number}", f"screen.room({number - 1})", f"Room {number}")
            for number in range(1, 10)
        ),
    ),
    "All else": (
        KeyBinding("help", "f1", "screen.help", "This help", "Help"),
        KeyBinding("palette", "ctrl+p", "app.command_palette", "Go to rooms, people, all", "Go to"),
        KeyBinding("members", "f3", "screen.members", "Members"),
        KeyBinding("ids", "f4", "screen.ids", "Messages' ids"),
        KeyBinding("suspend", "ctrl+z", "app.suspend_process", "To the shell (fg: back)"),
        KeyBinding("quit", "ctrl+q", "screen.quit_chat", "Leave, all is kept", "Quit"),
    ),
}  # fmt: skip
KEYS = tuple(key for keys in GROUPS.values() for key in keys)


def actions_by_key(own: Mapping[str, str]) -> dict[str, str]:
    """What each key does, with the user's *own* keys in place of the default ones. Raises InvalidArgument."""
    names = {key.id for key in KEYS}
    for unknown in own.keys() - names:
        raise InvalidArgument(
            f"there is no action {unknown!r} to bind a key to: choose one of {', '.join(sorted(names))}"
        )
    bound = [one for keys in own.values() for one in keys.split(",")]
    for one in bound:
        if bound.count(one) > 1:
            raise InvalidArgument(f"the key {one!r} is bound to two actions: choose another for one of them")
        if not _is_key(one):
            raise InvalidArgument(
                f"{visible(one)!r} is no key that can be bound: write ctrl+s, alt+enter, f9 or pageup"
            )
    return {one: key.action for key, keys in _with_own(own) for one in keys.split(",")}


def _is_key(name: str) -> bool:
    """Whether there is such a key, and it writes nothing by itself."""
    *modifiers, key = name.split("+")
    if any(modifier not in ("ctrl", "alt", "shift", "super") for modifier in modifiers):
        return False
    if len(key) == 1:
        return "ctrl" in modifiers or "alt" in modifiers
    return key in _NAMED_KEYS


def screen_bindings(own: Mapping[str, str]) -> list[Binding]:
    """The same for what is not the composer's own, for the footer and for when a dialog has closed."""
    return [
        Binding(keys, key.action.removeprefix("screen."), key.in_footer, show=bool(key.in_footer))
        for key, keys in _with_own(own)
        if "." in key.action
    ]


def shown_keys(own: Mapping[str, str]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Groups of keys and what they do, for the help, in the order in which people need them; of several keys the first."""
    shown = {key.id: _spelled(keys.partition(",")[0]) for key, keys in _with_own(own)}
    for group, bindings in GROUPS.items():
        rows: list[tuple[str, str]] = []
        for key in bindings:
            if key.id not in shown or key.id.startswith("room_"):
                continue
            if key.meaning or not rows:
                rows.append((shown[key.id], key.meaning))
            else:
                rows[-1] = (f"{rows[-1][0]}/{_without(rows[-1][0], shown[key.id])}", rows[-1][1])
        if group == "Rooms":
            rows.append(("Alt-1 … Alt-9", "That room"))
        yield group, rows


def _without(before: str, key: str) -> str:
    """*key* without the modifier that it has in common with *before*."""
    modifier, dash, _ = before.rpartition("-")
    return key.removeprefix(modifier + dash)


def _spelled(key: str) -> str:
    """A key as it is written on a keyboard: ``ctrl+up`` is ``Ctrl-Up``."""
    return "-".join(_KEY_NAMES.get(part, part.capitalize()) for part in key.split("+"))


def _with_own(own: Mapping[str, str]) -> Iterator[tuple[KeyBinding, str]]:
    """Each action that has keys left, and those: a key that the user has bound does nothing else any more."""
    taken = {one for keys in own.values() for one in keys.split(",")}
    for key in KEYS:
        keys = own.get(key.id) or ",".join(one for one in key.keys.split(",") if one not in taken)
        if keys:
            yield key, keys
