"""The page: the rows of a conversation as they stand on the screen, in any width, wherever it is scrolled to."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from rich.cells import cell_len

from pyrochat.terminal.conversation.layout import Look, day_label, lay_out, lay_out_note, separator, with_state
from pyrochat.terminal.conversation.markup import Line, Span
from pyrochat.terminal.conversation.progress import SENDING, ReadProgress
from pyrochat.terminal.conversation.transcript import Transcript
from pyrochat.terminal.conversation.viewport import Viewport
from pyrochat.values.message import CHAT, Message
from pyrochat.values.rules import fold

_MOST_KEPT = 4096  # entries, laid out


class Past(NamedTuple):
    """What is shown above the room's log: a line with *label*, and above that the log that the room had before, if that is here."""

    label: str
    logs: Sequence[Transcript] = ()


class Row(NamedTuple):
    """A row on the screen.

    entry: which one of the log it belongs to; negative in a log that the room had before. id: by which it is called; 0
    where it is not in the log, or not yet.
    """

    line: Line
    entry: int
    id: int
    is_last: bool


class Page:
    """Shows *past*, *transcript*, *unnumbered*, texts that have no number yet, and then *outgoing*, those that are on their way, to the
    member *own*.

    new_after: behind this message stands a line that marks what is new; None: there is none.
    """

    def __init__(
        self, transcript: Transcript, progress: ReadProgress, own: str, look: Look,
        today: Callable[[], date] = date.today, past: Past | None = None, ignores: Callable[[str], bool] = lambda sender: False,
    ) -> None:  # fmt: skip
        self._ignores = ignores
        self._transcript = transcript
        self._progress = progress
        self._own = fold(own)
        self._look = look
        self.past = past
        self._outgoing: Sequence[str] = ()
        self._unnumbered: Sequence[Message] = ()
        self._new_after: int | None = None
        self._counted = transcript.end  # up to this message it is known how many
        self._come = 0  # have come since the end was shown last
        self._kept: dict[tuple[int, int], list[Line]] = {}
        self._notes: dict[int, list[str]] = {}  # lines for this user only, by the entry of the log that they follow
        self._day = today
        self.today = today()
        self.view = Viewport(lambda index: len(self._lines(index)), self._count)

    @property
    def look(self) -> Look:
        """How it is laid out."""
        return self._look

    @look.setter
    def look(self, look: Look) -> None:
        if look != self._look:
            held = self._held_text() if look.width != self._look.width else None
            self._look = look
            self._kept.clear()
            if held is not None:
                self.view.hold(held[0], self._line_of(*held))

    def _held_text(self) -> tuple[int, int] | None:
        """The entry at the top of the screen, and how many characters of it are above; None where the end is shown."""
        if self.view.pinned or self.view.top.entry >= self._count():
            return None
        entry, line = self.view.top
        return entry, sum(map(_characters, self._lines(entry)[:line]))

    def _line_of(self, entry: int, characters: int) -> int:
        """The line of *entry* above which there are no more than so many *characters*."""
        above = 0
        for number, line in enumerate(self._lines(entry)):
            above += _characters(line)
            if above > characters:
                return number
        return 0

    @property
    def new_after(self) -> int | None:
        """See above."""
        return self._new_after

    @new_after.setter
    def new_after(self, id: int | None) -> None:
        if id != self._new_after:
            self._new_after = id
            self._kept.clear()

    @property
    def outgoing(self) -> Sequence[str]:
        """See above."""
        return self._outgoing

    @outgoing.setter
    def outgoing(self, texts: Sequence[str]) -> None:
        if tuple(texts) != tuple(self._outgoing):
            self._outgoing = texts
            self._forget_below()

    @property
    def unnumbered(self) -> Sequence[Message]:
        """See above."""
        return self._unnumbered

    @unnumbered.setter
    def unnumbered(self, messages: Sequence[Message]) -> None:
        if tuple(messages) != tuple(self._unnumbered):
            self._unnumbered = messages
            self._forget_below()

    def _forget_below(self) -> None:
        self._kept = {key: lines for key, lines in self._kept.items() if key[1]}

    def rows(self) -> list[Row]:
        """What is on the screen, from the top."""
        if (today := self._day()) != self.today:
            self.today = today
            self._kept.clear()
        places = self.view.places()
        if self.view.pinned:
            self._counted, self._come = self._transcript.end, 0
        found = []
        for index, at in places:
            lines = self._lines(index)
            is_last = at == len(lines) - 1
            entry = index - self._above
            id = self._transcript.shown_id(entry) if 0 <= entry < self._transcript.count else 0
            line = lines[at]
            ends_text = at == len(lines) - 1 - len(self._noted(entry))
            is_others = 0 <= entry - self._transcript.count < len(self._unnumbered)
            if ends_text and entry >= 0 and not is_others and (state := self._state(id)):
                line = with_state(line, state, self._look.width)
            found.append(Row(line, entry, id, is_last))
        return found

    def note(self, lines: Iterable[str]) -> bool:
        """Say *lines* to this user, below what is there now; False where nothing is."""
        entry = self._transcript.count - 1
        if entry < 0:
            return False
        self._notes.setdefault(entry, []).extend(lines)
        self._kept.clear()
        return True

    def drop_notes(self) -> None:
        """They were read."""
        if self._notes:
            self._notes.clear()
            self._kept.clear()

    def forget_lines(self) -> None:
        """Some messages are not as they were."""
        self._kept.clear()

    def show(self, entry: int) -> None:
        """Scroll to *entry* of the log; see `Viewport`."""
        self.view.show(self._above + entry)

    def begin_with(self, entry: int) -> None:
        """Scroll so that *entry* of the log is at the top; see `Viewport`."""
        self.view.begin_with(self._above + entry)

    def bring(self, entry: int) -> None:
        """Scroll so far that *entry* of the log is shown; see `Viewport`."""
        self.view.bring(self._above + entry)

    @property
    def _logs(self) -> Sequence[Transcript]:
        """The logs that the room had before, the oldest first."""
        return self.past.logs if self.past is not None else ()

    @property
    def _above(self) -> int:
        """How many entries those have."""
        return sum(log.count for log in self._logs)

    def come_below(self) -> int:
        """How many messages of somebody's have come since the page was scrolled up."""
        ids = range(self._counted + 1, self._transcript.end + 1)
        self._come += sum(self._transcript.message(id).kind == CHAT for id in ids)
        self._counted = self._transcript.end
        return self._come

    def _state(self, id: int) -> str:
        if not id:
            return SENDING
        message = self._transcript.message(id)
        if message.kind == CHAT and fold(message.sender) == self._own:
            return self._progress.state(id)
        return ""

    def _count(self) -> int:
        return self._above + self._transcript.count + len(self._unnumbered) + len(self._outgoing)

    def _lines(self, index: int) -> list[Line]:
        below = index - self._above - self._transcript.count
        if below >= 0:
            key = (below, 0)
        else:
            transcript, entry = self._place(index)
            key = (index, transcript.last_id(entry))
        lines = self._kept.get(key)
        if lines is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            lines = self._kept[key] = self._laid_out(index)
        return lines

    def _place(self, index: int) -> tuple[Transcript, int]:
        """The log that entry *index* of the page is in, and which one it is there."""
        for log in self._logs:
            if index < log.count:
                return log, index
            index -= log.count
        return self._transcript, index

    def _laid_out(self, index: int) -> list[Line]:
        transcript, index = self._place(index)
        if transcript is self._transcript and index >= transcript.count:
            below = index - transcript.count
            if below < len(self._unnumbered):
                unsent = self._unnumbered[below]
            else:
                unsent = Message(0, "", self._look.own, self._outgoing[below - len(self._unnumbered)], 0, CHAT, None)
            no_time = " " * cell_len(unsent.time.astimezone().strftime(self._look.time_format))
            lines = lay_out([unsent], replace(self._look, time_format=no_time))
            return [[_not_yet(span) for span in line] for line in lines]
        entry = transcript.entry(index)
        said = transcript.said(entry[0].id) if entry[0].kind == CHAT else None
        if said is not None and self._ignores(entry[0].sender):
            entry, said = [entry[0]._replace(text="(ignored)", about=None)], None
        lines = [*self._before(transcript, index, entry[0]), *lay_out(entry, self._look, said)]
        return [*lines, *self._noted(index)] if transcript is self._transcript else lines

    def _noted(self, entry: int) -> list[Line]:
        """The lines for this user only that follow *entry* of the log."""
        return [line for text in self._notes.get(entry, ()) for line in lay_out_note(text, self._look)]

    def _before(self, transcript: Transcript, index: int, first: Message) -> list[Line]:
        """The lines that separate the entry from the one above."""
        lines = []
        if not index and self.past is not None and transcript is not next(iter(self._logs), None):
            lines.append(separator(self.past.label, self._look.width, "new"))
        day = first.time.astimezone().date()
        above = transcript.message(transcript.last_id(index - 1)) if index else None
        if above is None or above.time.astimezone().date() != day:
            lines.append(separator(day_label(day, self.today), self._look.width, "day"))
        new_after = self._new_after if transcript is self._transcript and index else None
        if new_after is not None and transcript.first_id(index - 1) <= new_after < first.id:
            lines.append(separator("new", self._look.width, "new"))
        return lines


def _characters(line: Line) -> int:
    """How many there are in *line*, spaces left out: they come and go with the width."""
    return sum(len(span.text) - span.text.count(" ") for span in line)


def _not_yet(span: Span) -> Span:
    """*span* of a text that has no id and no time yet."""
    return Span(" " * cell_len(span.text) if span.role in ("id", "time") else span.text, "outgoing")
