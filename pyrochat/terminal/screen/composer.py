"""The composer: several lines, what was sent before, completion; and it says what is to be sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from textual import events
from textual.message import Message as Fact
from textual.widgets import TextArea

from pyrochat.terminal.writing.completion import Completion, Words, complete
from pyrochat.terminal.writing.drafts import MOST_CHARACTERS
from pyrochat.terminal.writing.typed_bytes import is_text

_MODIFIERS = ("alt+", "ctrl+", "super+", "hyper+", "meta+")


class Composer(TextArea):
    """words: what there is to complete to, now. older, newer: what was sent before and after, given what is written.

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
    class TooLong(Fact):
        """What was pasted has so many *characters* that the composer would freeze: it was not taken."""

        characters: int

    def __init__(
        self, words: Callable[[], Words], older: Callable[[str], str | None], newer: Callable[[], str | None],
        actions: Mapping[str, str],
    ) -> None:  # fmt: skip
        super().__init__(
            soft_wrap=True, show_line_numbers=False, tab_behavior="focus", compact=True,
            placeholder="write a message; /help for help",
        )  # fmt: skip
        self._words = words
        self._older = older
        self._newer = newer
        self._completion: Completion | None = None
        self._chosen = 0
        self._completed = ""
        self._actions = actions

    async def _on_key(self, event: events.Key) -> None:
        """A key that does something does not write, nor does one with Alt or Ctrl that does nothing; all else does."""
        action = self._actions.get(event.key)
        if action is None and (own := self._bindings.key_to_bindings.get(event.key)):
            action = own[0].action
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

    def write(self, text: str) -> None:
        """Put *text* in place of what is there, the cursor at its end."""
        self.load_text(text)
        self.move_cursor(self.document.end)

    def action_send(self) -> None:
        """See `keys`."""
        if (text := self.text.strip("\n")).strip():
            self.write("")  # at once: what is typed next is another text
            self.post_message(self.Sent(text))

    def action_clear(self) -> None:
        """See `keys`; undoing brings it back."""
        self.replace("", (0, 0), self.document.end)

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
