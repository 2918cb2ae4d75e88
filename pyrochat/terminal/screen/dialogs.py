"""Dialogs: lines to be read, a question with a typed answer, and the search."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import ClassVar, NamedTuple

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from pyrochat.client.messages import SearchResult
from pyrochat.terminal.conversation.snippets import snippet
from pyrochat.terminal.screen.colours import Palette
from pyrochat.values.confirmations import Confirmations
from pyrochat.values.errors import PyroChatError
from pyrochat.values.message import Message
from pyrochat.values.protocol import MAX_FOUND
from pyrochat.values.visible import visible

_MOST_CHARACTERS = 200  # of what was found, two lines of a wide terminal

Search = Callable[[str, int | None], SearchResult]

_FRAME = """
    align: center middle;
    & > Vertical {
        width: 96%; max-width: 100; height: auto; max-height: 100%; padding: 0 1; border: round $primary;
        background: $surface;
    }
    & VerticalScroll { height: auto; max-height: 100%; }
    & OptionList, & OptionList:focus { height: auto; max-height: 100%; border: none; padding: 0; }
    & Input, & Input:focus { border: none; height: 1; padding: 0; }
    & .hint { color: $text-muted; }
"""


class Pages(ModalScreen[None]):
    """Something to be read; the arrow keys scroll."""

    DEFAULT_CSS = f"Pages {{ {_FRAME} }}"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,ctrl+q", "dismiss(None)", "Close", priority=True)]

    def __init__(self, title: str, content: RenderableType) -> None:
        super().__init__()
        self._title = title
        self._content = content

    def compose(self) -> ComposeResult:
        """Title, content, and how to go on."""
        with Vertical() as frame:
            frame.border_title = Text(visible(self._title))
            with VerticalScroll():
                yield Static(self._content)
            yield Static("Esc closes", classes="hint")

    def on_mount(self) -> None:
        """The keys scroll."""
        self.query_one(VerticalScroll).focus()

    def on_key(self, event: events.Key) -> None:
        """Who writes on, writes where the cursor was: what there is to read has come late, or was read."""
        if event.character is not None and event.is_printable:
            event.stop()
            self.dismiss(None)
            self.app.call_later(self._type, event.character)

    def _type(self, character: str) -> None:
        for area in self.app.screen.query(TextArea):
            area.insert(character, maintain_selection_offset=False)


class Ask(ModalScreen[str | None]):
    """A question with a typed answer; None where it is not answered."""

    DEFAULT_CSS = f"Ask {{ {_FRAME} }}"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,ctrl+q", "dismiss(None)", "Close", priority=True)]

    def __init__(self, question: str, hint: str) -> None:
        super().__init__()
        self._question = question
        self._hint = hint

    def compose(self) -> ComposeResult:
        """One line."""
        with Vertical() as frame:
            frame.border_title = self._question
            yield Input(placeholder=self._hint)
            yield Static("Enter goes on, Esc closes", classes="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answered."""
        self.dismiss(event.value.strip() or None)


class Found(NamedTuple):
    """A message that a search has found, and in which of the rooms that were searched, by its number."""

    room: int
    name: str
    message: Message


class SearchDialog(ModalScreen[tuple[int, int] | None]):
    """Words, and the messages with them in all rooms; the result is the number of a room, and the id of the chosen one.

    searches: the rooms' names, each with what asks it: with words, and the id below which to go on. They are asked in
    another thread.
    """

    DEFAULT_CSS = f"SearchDialog {{ {_FRAME} }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+q", "dismiss(None)", "Close", priority=True),
        Binding("down", "into_results", "Results", show=False, priority=False),
    ]

    def __init__(self, searches: Sequence[tuple[str, Search]], words: str, time_format: str, palette: Palette) -> None:
        super().__init__()
        self._searches = searches
        self._words = words
        self._time_format = time_format
        self._palette = palette
        self._asked = 0
        # Of each room the id below which more is to be asked for; 0: there is no more.
        self._before: list[int | None] = []

    def compose(self) -> ComposeResult:
        """Words, results, and what there is to say of them."""
        with Vertical() as frame:
            frame.border_title = "Search"
            yield Input(self._words, placeholder='words, "a phrase", begin*, from:NAME')
            yield OptionList()
            yield Static("Enter searches, arrows and Enter choose, Esc closes", classes="hint")

    def on_mount(self) -> None:
        """Words that were typed before are searched for at once."""
        if self._words:
            self._ask(self._words, more=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Search anew."""
        if event.value.strip():
            self._ask(event.value.strip(), more=False)

    def action_into_results(self) -> None:
        """From the words down to the results."""
        self.query_one(OptionList).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A message was chosen, or the line that asks for more."""
        chosen = event.option_id or ""
        if chosen == "more":
            self._ask(self._words, more=True)
        elif chosen:
            room, _, id = chosen.partition(":")
            self.dismiss((int(room), int(id)))

    def _ask(self, words: str, more: bool) -> None:
        self._words = words
        self._asked += 1
        self._before = self._before if more else [None] * len(self._searches)
        self._say("searching …")

        def run(asked: int, before: Sequence[int | None]) -> None:
            answers: list[SearchResult | str] = []
            for (_, search), below in zip(self._searches, before, strict=True):
                try:
                    answers.append("" if below == 0 else search(words, below))
                except PyroChatError as error:
                    answers.append(str(error))
            self.app.call_later(self._show, answers, asked, more)

        threading.Thread(target=run, args=(self._asked, self._before), name="pyrochat-search", daemon=True).start()

    def _show(self, answers: Sequence[SearchResult | str], asked: int, more: bool) -> None:
        if asked != self._asked or not self.is_running:
            return
        found: list[Found] = []
        said = []
        for number, answer in enumerate(answers):
            name = self._searches[number][0]
            self._before[number] = 0
            if isinstance(answer, str):
                said += [f"{name}: {answer}" if len(self._searches) > 1 else answer] if answer else []
                continue
            found += [Found(number, name, message) for message in answer]
            if len(answer) >= MAX_FOUND:
                self._before[number] = answer[-1].id
            if not answer.is_complete:
                said.append(f"still indexing {name}: searched up to #{answer.indexed_up_to} of #{answer.end}")
        results = self.query_one(OptionList)
        if more:
            results.remove_option_at_index(results.option_count - 1)
        else:
            results.clear_options()
        found.sort(key=lambda each: each.message.time_us, reverse=True)
        results.add_options([Option(self._line(each), id=f"{each.room}:{each.message.id}") for each in found])
        count = results.option_count
        if any(self._before):
            results.add_option(Option("older ones …", id="more"))
        if count or not said:
            said.insert(0, f"{count} found, newest first" if count else "nothing found")
        self._say("; ".join(said))
        if count:
            results.focus()
            results.highlighted = results.highlighted if more else 0

    def _line(self, found: Found) -> Text:
        message = found.message
        when = message.time.astimezone().strftime(f"%Y-%m-%d {self._time_format}")
        text = Text(no_wrap=True, overflow="ellipsis")
        room = f"{visible(found.name)} " if len(self._searches) > 1 else ""
        text.append(f"{room}#{message.id} {when} ", "dim")
        text.append(f"{visible(message.sender)} ", "bold")
        for span in snippet(message.text, self._words, _MOST_CHARACTERS):
            text.append(span.text, self._palette.style(span))
        return text

    def _say(self, text: str) -> None:
        self.query_one(".hint", Static).update(Text(visible(text)))


def readers_table(found: Confirmations, reactions: Mapping[str, set[str]]) -> Table:
    """Who has a message, who has read it, who has reacted."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    unread = found.delivered_to - found.read_by
    for title, names in (
        ("● read by", found.read_by), ("✓✓ delivered to", unread & found.waiting_for),
        ("waiting for", found.waiting_for - unread), ("away", found.away),
    ):  # fmt: skip
        table.add_row(Text(title), Text(", ".join(map(visible, sorted(names))) or "nobody"))
    for reaction, by in reactions.items():
        table.add_row(Text(visible(reaction)), Text(", ".join(map(visible, sorted(by)))))
    return table


def side_by_side(groups: Iterable[tuple[str, Sequence[tuple[str, str]]]]) -> Table:
    """Pairs under headings, two pairs in a line, as the help shows them: it has to fit two pages of a small terminal."""
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False, expand=True)
    for ratio in (17, 21, 17, 21):
        table.add_column(ratio=ratio, no_wrap=True, overflow="ellipsis")
    for heading, pairs in groups:
        table.add_row(Text(heading, "bold"))
        for one, other in zip_longest(pairs[::2], pairs[1::2], fillvalue=("", "")):
            table.add_row(*(Text(text) for text in (*one, *other)))
    return table
