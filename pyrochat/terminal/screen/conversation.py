"""The conversation on the screen: draws the rows of a page, and says what was clicked on."""

from dataclasses import dataclass, replace

from rich.text import Text
from textual import events
from textual.geometry import Size
from textual.message import Message as Fact
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from pyrochat.terminal.conversation.page import Row
from pyrochat.terminal.room import OpenRoom
from pyrochat.terminal.screen.colours import Palette

_WHEEL_LINES = 3


class Conversation(Widget):
    """Shows *room*, whatever room that is at the moment. selected: the id of the message that keys act on, 0 for none."""

    DEFAULT_CSS = "Conversation { height: 1fr; padding: 0 1; }"

    @dataclass
    class Clicked(Fact):
        """A message was clicked on."""

        id: int

    @dataclass
    class Shown(Fact):
        """Rows have come to the screen, or gone."""

    def __init__(self, room: OpenRoom) -> None:
        super().__init__()
        self._room = room
        self.rows: list[Row] = []
        self.selected = 0
        self.watched = True  # somebody looks at the terminal
        self._fitted = Size(0, 0)  # for which the rows were laid out

    @property
    def room(self) -> OpenRoom:
        """What is shown."""
        return self._room

    @room.setter
    def room(self, room: OpenRoom) -> None:
        self._room = room
        self.selected = 0
        self._fit()

    def on_mount(self) -> None:
        """Follow the theme, and the layout."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self._recolour())
        self.screen.screen_layout_refresh_signal.subscribe(self, lambda _: self._follow_layout())
        self._recolour()

    def _recolour(self) -> None:
        self._palette = Palette(self.app.current_theme)
        self.refresh()

    def on_resize(self) -> None:
        """Lay out anew."""
        self._fit()

    def _follow_layout(self) -> None:
        """Where somebody asks for a widget's place between a change of styles and the layout, Textual has laid out already
        when it looks for what has another size, and tells nobody (8.2: `Compositor.full_map`)."""
        if self.is_attached and self.content_size != self._fitted:
            self._fit()

    def _fit(self) -> None:
        page = self._room.page
        self._fitted = self.content_size
        page.look = replace(page.look, width=max(10, self._fitted.width))
        page.view.height = max(1, self._fitted.height)
        self.update()

    def update(self) -> None:
        """The room, or the place in it, has changed."""
        self.rows = self._room.page.rows()
        if self.watched and self.is_on_screen:
            self._room.saw(self.rows)
        self.refresh()
        self.post_message(self.Shown())

    def refresh_states(self) -> None:
        """One's own messages have come further."""
        self.rows = self._room.page.rows()
        self.refresh()

    @property
    def palette(self) -> Palette:
        """The theme's."""
        return self._palette

    @property
    def is_on_screen(self) -> bool:
        """Whether nothing hides it: it has a place, and no dialog is above it."""
        return self.size.height > 0 and self.app.screen is self.screen

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """All there is."""
        return container.width

    def render_line(self, y: int) -> Strip:
        """Row *y*, counted from the top of the widget's content."""
        width = self.content_size.width
        blank = self.content_size.height - len(self.rows)  # a short conversation stands at the bottom
        if y < blank or y - blank >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        row = self.rows[y - blank]
        text = Text(no_wrap=True, end="")
        for span in row.line:
            text.append(span.text, self._palette.style(span))
        if row.id and row.id == self.selected:
            text.append(" " * max(0, width - text.cell_len))  # one background from end to end
            text.stylize(self._palette["selected"])
        if (selection := self.text_selection) is not None and (part := selection.get_span(y)) is not None:
            start, end = part
            text.stylize(self._palette["marked"], start, len(text) if end == -1 else end)
        strip = Strip(text.render(self.app.console)).apply_style(self.rich_style)
        return strip.adjust_cell_length(width, self.rich_style).apply_offsets(0, y)

    # -- copying with the mouse ------------------------------------------------------------------------------

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text of what is marked."""
        blank = self.content_size.height - len(self.rows)
        lines = [""] * max(0, blank) + ["".join(span.text for span in row.line).rstrip() for row in self.rows]
        return selection.extract("\n".join(lines)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw what is marked now."""
        self.refresh()

    # -- moving ------------------------------------------------------------------------------------------------

    def scroll_lines(self, lines: int) -> None:
        """Up or down."""
        self._room.page.view.scroll(lines)
        self._arrive()

    def scroll_pages(self, pages: int) -> None:
        """Up or down."""
        self._room.page.view.page(pages)
        self._arrive()

    def _arrive(self) -> None:
        if self._room.page.view.pinned:
            self._room.show_end()
        self.update()

    def show_end(self) -> None:
        """The newest."""
        self.selected = 0
        self._room.show_end()
        self.update()

    def show_start(self) -> None:
        """The oldest."""
        self._room.page.view.show_start()
        self.update()

    def show_message(self, id: int) -> None:
        """Message *id*, marked."""
        self.selected = self._room.transcript.shown_id(self._room.transcript.index_of(id))
        self._room.page.show(self._room.transcript.index_of(id))
        self.update()

    def select(self, step: int) -> None:
        """Mark the message above (-1) or below (1) the marked one; beginning with the last on the screen."""
        transcript = self._room.transcript
        if not transcript.count:
            return
        if self.selected:
            entry = transcript.index_of(self.selected) + step
        else:
            entry = next((row.entry for row in reversed(self.rows) if row.id and row.is_last), transcript.count - 1)
        if entry >= transcript.count:
            self.show_end()
            return
        entry = max(0, entry)
        self.selected = transcript.shown_id(entry)
        self._room.page.bring(entry)
        self.update()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self.scroll_lines(-_WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self.scroll_lines(_WHEEL_LINES)

    def on_click(self, event: events.Click) -> None:
        """Of links and references the screen hears by itself."""
        if event.style.meta.get("@click"):
            return
        y = event.get_content_offset_capture(self).y - (self.content_size.height - len(self.rows))
        if 0 <= y < len(self.rows) and self.rows[y].id and not self.text_selection:
            self.post_message(self.Clicked(self.rows[y].id))
