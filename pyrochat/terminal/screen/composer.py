"""The composer: several lines, what was sent before, completion; and it says what is to be sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from textual import events
from textual.message import Message as Fact
from textual.strip import Strip
from textual.widgets import TextArea

from pyrochat.terminal.writing.completion import Completion, Words, complete
from pyrochat.terminal.writing.drafts import MOST_CHARACTERS
from pyrochat.terminal.writing.typed import what_is_missing
from pyrochat.terminal.writing.typed_bytes import is_text

# Of Textual's own keys for a text; what deletes has its place in the table of keys, and so in the help.
_MOVING = frozenset((
    "up", "down", "left", "right", "home", "end", "ctrl+a", "ctrl+e", "backspace", "delete", "ctrl+shift+left", "ctrl+shift+right",
    "shift+home", "shift+end", "shift+up", "shift+down", "shift+left", "shift+right", "ctrl+v",
))  # fmt: skip
_MANY_LINES = 6  # that are said when they are pasted
_MODIFIERS = ("alt+", "ctrl+", "super+", "hyper+", "meta+")


class Composer(TextArea):
    """words: what there is to complete to, now. older, newer: what was sent before and after, given what is written.
    older_with: what was sent before with a text in it, before a given one.

    actions: what keys do. They are acted on here, in the order in which they come: a binding with priority would
    overtake the letters that were typed before it.
    """

    DEFAULT_CSS = """
    Composer { height: auto; min-height: 1; max-height: 8; border: none; padding: 0 1; background: $surface; }
    Composer:focus { border: none; }
    """

    @dataclass
    class Sent(Fact):
        """Somebody wants *text* to be sent, or done, if it is a command."""

        text: str

    @dataclass
    class Completing(Fact):
        """Among *choices*, number *chosen* stands in the composer; no choices: nothing is being completed."""

        choices: tuple[str, ...]
        chosen: int

    @dataclass
    class LeftAtEnd(Fact):
        """The key for the line's end, where there is nothing written: somebody wants the conversation's end."""

    @dataclass
    class WantsToLeave(Fact):
        """Somebody has pressed what leaves other programs."""

    @dataclass
    class Copying(Fact):
        """*selected*: what is selected of what is written; empty: what else there is to copy."""

        selected: str

    @dataclass
    class Pasted(Fact):
        """Many *lines* were pasted, *characters* in all: Enter would send them."""

        lines: int
        characters: int

    @dataclass
    class TooLong(Fact):
        """What was pasted has so many *characters* that the composer would freeze: it was not taken."""

        characters: int

    def __init__(
        self, words: Callable[[], Words], older: Callable[[str], str | None], newer: Callable[[], str | None],
        older_with: Callable[[str, str | None], str | None], actions: Mapping[str, str],
    ) -> None:  # fmt: skip
        super().__init__(
            soft_wrap=True, show_line_numbers=False, tab_behavior="focus", compact=True,
            placeholder="write a message; /help for help",
        )  # fmt: skip
        self._words = words
        self._older = older
        self._newer = newer
        self._older_with = older_with
        self._completion: Completion | None = None
        self._chosen = 0
        self._completed = ""
        self._actions = actions
        self._is_chord = False
        self._cut = ""  # what was cut last
        self._looked_for = ""  # in what was sent before
        self._found: str | None = None

    async def _on_key(self, event: events.Key) -> None:
        """A key that does something does not write, nor does one with Alt or Ctrl that does nothing; all else does."""
        action = self._actions.get(event.key)
        if action is None and event.key in _MOVING and (own := self._bindings.key_to_bindings.get(event.key)):
            action = own[0].action
        chord, self._is_chord = self._is_chord, False
        if chord and event.key == "ctrl+e":
            action = "screen.write_in_editor"
        if action is not None:
            event.stop()
            event.prevent_default()
            await self.run_action(action)
        elif event.key.startswith(_MODIFIERS):
            event.prevent_default()
        elif event.character is not None and is_text(event.character):
            event.stop()
            event.prevent_default()
            self.insert(event.character)

    async def _on_paste(self, event: events.Paste) -> None:
        """Part of Textual's interface."""
        if len(self.text) + len(event.text) > MOST_CHARACTERS:
            event.stop()
            event.prevent_default()
            self.post_message(self.TooLong(len(event.text)))
        elif (lines := event.text.rstrip("\n").count("\n") + 1) >= _MANY_LINES:
            self.post_message(self.Pasted(lines, len(event.text)))

    def render_line(self, y: int) -> Strip:
        """Part of Textual's interface: which lays out nothing in no width."""
        width = self.content_size.width
        return super().render_line(y) if width > 1 else Strip.blank(max(0, width), self.rich_style)

    def write(self, text: str) -> None:
        """Put *text* in place of what is there, the cursor at its end."""
        self.load_text(text)
        self.move_cursor(self.document.end)

    def action_send(self) -> None:
        """See `keys`."""
        if (text := self.text.strip("\n")).strip():
            self.write("")  # at once: what is typed next is another text
            self.post_message(self.Sent(text))

    def action_chord(self) -> None:
        """The first of two keys."""
        self._is_chord = True

    def action_clear(self) -> None:
        """See `keys`; so too what follows."""
        self._cut_by(lambda: self.replace("", (0, 0), self.document.end))

    def action_cut_word(self) -> None:
        self._cut_by(self.action_delete_word_left)

    def action_cut_next_word(self) -> None:
        self._cut_by(self.action_delete_word_right)

    def action_cut_before(self) -> None:
        self._cut_by(self.action_delete_to_start_of_line)

    def action_cut_behind(self) -> None:
        self._cut_by(self.action_delete_to_end_of_line)

    def _cut_by(self, delete: Callable[[], object]) -> None:
        before = self.text
        delete()
        if cut := what_is_missing(before, self.text):
            self._cut = cut

    def action_put_back(self) -> None:
        """See `keys`."""
        self.insert(self._cut, maintain_selection_offset=False)

    def action_delete_or_leave(self) -> None:
        """See `keys`."""
        if self.text:
            self.action_delete_right()
        else:
            self.post_message(self.WantsToLeave())

    def action_copy_or_leave(self) -> None:
        """See `keys`; where there is nothing to copy, somebody wants to leave."""
        self.post_message(self.Copying(self.selected_text))

    def action_find_typed(self) -> None:
        """See `keys`."""
        if self.text != self._found:
            self._looked_for = self.text
        found = self._older_with(self._looked_for, self.text if self.text == self._found else None)
        if found is not None:
            self._found = found
            self.write(found)

    def action_newline(self) -> None:
        """See `keys`."""
        self.insert("\n")

    def action_older(self) -> None:
        """See `keys`; in the first line only."""
        if self.cursor_location[0] > 0 or self.wrapped_document.location_to_offset(self.cursor_location).y > 0:
            self.action_cursor_up()
        elif (text := self._older(self.text)) is not None:
            self.write(text)

    def action_newer(self) -> None:
        """See `keys`; in the last line only."""
        last = self.wrapped_document.location_to_offset(self.document.end).y
        if self.wrapped_document.location_to_offset(self.cursor_location).y < last:
            self.action_cursor_down()
        elif (text := self._newer()) is not None:
            self.write(text)

    def action_end(self) -> None:
        """See `keys`."""
        if self.text:
            self.action_cursor_line_end()
        else:
            self.post_message(self.LeftAtEnd())

    def action_complete(self, step: int) -> None:
        """Complete the word at the cursor; again: the next choice."""
        if self._completion is not None and self._completed == self.text:
            self._chosen = (self._chosen + step) % len(self._completion.choices)
        else:
            row, column = self.cursor_location
            before = self.document.get_text_range((0, 0), (row, column))
            found = complete(before, self._words())
            if not found.choices:
                return
            self._completion, self._chosen = found, 0 if step > 0 else len(found.choices) - 1
            self._rest = self.text[len(before) :]
            self._before = before[: found.start]
        choice = self._completion.choices[self._chosen]
        ahead = self._before + choice
        self.load_text(ahead + self._rest)
        self.move_cursor((ahead.count("\n"), len(ahead.rpartition("\n")[2])))
        self._completed = self.text
        self.post_message(self.Completing(self._completion.choices, self._chosen))

    def on_text_area_changed(self) -> None:
        """Whoever writes on is not completing any more."""
        if self._completion is not None and self.text != self._completed:
            self._completion = None
            self.post_message(self.Completing((), 0))
