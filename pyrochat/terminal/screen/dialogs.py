"""Dialogs: lines to be read, a question with a typed answer, and the search."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from pyrochat.client.messages import SearchResult
from pyrochat.values.confirmations import Confirmations
from pyrochat.values.errors import PyroChatError
from pyrochat.values.message import Message
from pyrochat.values.visible import visible

_FRAME = """
    align: center middle;
    & > Vertical {
        width: 90%; max-width: 100; height: auto; max-height: 90%; padding: 0 1; border: round $primary;
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


class SearchDialog(ModalScreen[int | None]):
    """Words, and the messages with them; the result is the id of the chosen one.

    search: asks the room, in another thread; with words, and the id below which to go on.
    """

    DEFAULT_CSS = f"SearchDialog {{ {_FRAME} }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+q", "dismiss(None)", "Close", priority=True),
        Binding("down", "into_results", "Results", show=False, priority=False),
    ]

    def __init__(self, search: Callable[[str, int | None], SearchResult], words: str, time_format: str) -> None:
        super().__init__()
        self._search = search
        self._words = words
        self._time_format = time_format
        self._asked = 0

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
            self._ask(self._words, None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Search anew."""
        if event.value.strip():
            self._ask(event.value.strip(), None)

    def action_into_results(self) -> None:
        """From the words down to the results."""
        self.query_one(OptionList).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A message was chosen, or the line that asks for more."""
        chosen = event.option_id or ""
        if chosen.startswith("before:"):
            self._ask(self._words, int(chosen.removeprefix("before:")))
        elif chosen:
            self.dismiss(int(chosen))

    def _ask(self, words: str, before: int | None) -> None:
        self._words = words
        self._asked += 1
        self._say("searching …")

        def run(asked: int) -> None:
            try:
                found: SearchResult | str = self._search(words, before)
            except PyroChatError as error:
                found = str(error)
            self.app.call_later(self._show, found, asked, before is not None)

        threading.Thread(target=run, args=(self._asked,), name="pyrochat-search", daemon=True).start()

    def _show(self, found: SearchResult | str, asked: int, more: bool) -> None:
        if asked != self._asked or not self.is_running:
            return
        if isinstance(found, str):
            self._say(found)
            return
        results = self.query_one(OptionList)
        if more:
            results.remove_option_at_index(results.option_count - 1)
        else:
            results.clear_options()
        results.add_options([Option(self._line(message), id=str(message.id)) for message in found])
        if len(found) >= 50:
            results.add_option(Option("older ones …", id=f"before:{found[-1].id}"))
        late = "" if found.is_complete else f"; still indexing: searched up to #{found.indexed_up_to} of #{found.end}"
        count = results.option_count - (len(found) >= 50)
        self._say((f"{count} found, newest first" if count else "nothing found") + late)
        if count:
            results.focus()
            results.highlighted = results.highlighted if more else 0

    def _line(self, message: Message) -> Text:
        when = message.time.astimezone().strftime(f"%Y-%m-%d {self._time_format}")
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"#{message.id} {when} ", "dim")
        text.append(f"{visible(message.sender)} ", "bold")
        return text.append(visible(message.text))

    def _say(self, text: str) -> None:
        self.query_one(".hint", Static).update(Text(visible(text)))


def readers_table(found: Confirmations) -> Table:
    """Who has a message, and who has read it."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    unread = found.delivered_to - found.read_by
    for title, names in (
        ("● read by", found.read_by), ("✓✓ delivered to", unread & found.waiting_for),
        ("waiting for", found.waiting_for - unread), ("away", found.away),
    ):  # fmt: skip
        table.add_row(Text(title), Text(", ".join(map(visible, sorted(names))) or "nobody"))
    return table


def two_columns(groups: Iterable[tuple[str, Sequence[tuple[str, str]]]]) -> Table:
    """Pairs under headings, as the help shows them."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for number, (heading, pairs) in enumerate(groups):
        if number:
            table.add_row()
        table.add_row(Text(heading, "bold"))
        for left, right in pairs:
            table.add_row(Text(left), Text(right))
    return table
