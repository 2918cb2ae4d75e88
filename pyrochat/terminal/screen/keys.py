"""The keys, in one table: what each does by default, and under which name a user binds another key to it."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from textual.binding import Binding
from textual.keys import Keys

from pyrochat.values.errors import InvalidArgument
from pyrochat.values.visible import visible

_NAMED_KEYS = {key.value for key in Keys}


class KeyBinding(NamedTuple):
    """id: its name in ``[keys]``. keys: separated by commas. action: of the composer, or ``screen.…``."""

    id: str
    keys: str
    action: str
    meaning: str
    in_footer: str = ""


KEYS = (
    KeyBinding("send", "enter", "send", "Send"),
    KeyBinding("newline", "ctrl+j,alt+enter,shift+enter", "newline", "Begin a new line"),
    KeyBinding("clear", "ctrl+l", "clear", "Clear what is written (Ctrl-Z brings it back)"),
    KeyBinding("complete", "tab", "complete(1)", "Complete a name, a command, an #id"),
    KeyBinding("complete_back", "shift+tab", "complete(-1)", "The choice before"),
    KeyBinding("older", "up", "older", "What you sent before (in the first line)"),
    KeyBinding("newer", "down", "newer", "What you sent after that (in the last line)"),
    KeyBinding("end", "end", "end", "The line's end; with nothing written, the newest messages"),
    KeyBinding("page_up", "pageup", "screen.page(-1)", "Scroll up"),
    KeyBinding("page_down", "pagedown", "screen.page(1)", "Scroll down"),
    KeyBinding("newest", "escape", "screen.end", "The newest messages"),
    KeyBinding("oldest", "ctrl+home", "screen.start", "The oldest messages"),
    KeyBinding("mark_up", "ctrl+up", "screen.select(-1)", "Mark the message above"),
    KeyBinding("mark_down", "ctrl+down", "screen.select(1)", "Mark the message below"),
    KeyBinding("help", "f1", "screen.help", "This help", "Help"),
    KeyBinding("palette", "ctrl+p", "app.command_palette", "Everything there is, by name", "Commands"),
    KeyBinding("readers", "f2", "screen.readers", "Who has read the marked message, or your last one", "Who has read"),
    KeyBinding("members", "f3", "screen.members", "Show or hide the members"),
    KeyBinding("ids", "f4", "screen.ids", "Show or hide the messages' ids"),
    KeyBinding("where_new", "f5", "screen.new_line", "Where reading stopped"),
    KeyBinding("copy", "f6", "screen.copy", "Copy the marked message"),
    KeyBinding("read_all", "f8", "screen.read_all", "Everything is read"),
    KeyBinding("search", "ctrl+f", "screen.search", "Search the whole history", "Search"),
    KeyBinding("next_unread", "ctrl+n", "screen.next_unread", "The next room with something new", "Next unread"),
    KeyBinding("next_room", "ctrl+pagedown,ctrl+o", "screen.step_room(1)", "The next room"),
    KeyBinding("previous_room", "ctrl+pageup", "screen.step_room(-1)", "The room before"),
    KeyBinding("quit", "ctrl+q", "screen.quit_chat", "Leave; what is written is kept", "Quit"),
)


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


def shown_keys(own: Mapping[str, str]) -> list[tuple[str, str]]:
    """Which keys do what, for the help."""
    return [(keys.replace(",", ", "), key.meaning) for key, keys in _with_own(own)]


def _with_own(own: Mapping[str, str]) -> Iterator[tuple[KeyBinding, str]]:
    """Each action that has keys left, and those: a key that the user has bound does nothing else any more."""
    taken = {one for keys in own.values() for one in keys.split(",")}
    for key in KEYS:
        keys = own.get(key.id) or ",".join(one for one in key.keys.split(",") if one not in taken)
        if keys:
            yield key, keys
