"""From an entry to its lines: what stands where, and in which role; colours are for whoever draws.

A line is a list of spans, texts with a role each. Texts are made harmless first (`values.visible`), so the
lines hold nothing but what a terminal shows as it is.
"""

import hashlib
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from rich.cells import cell_len, chop_cells

from pyrochat.terminal.conversation.markup import Block, Line, Span, blocks_of, coloured, marks_in
from pyrochat.terminal.conversation.transcript import Said
from pyrochat.values.message import JOINED, SYSTEM, Message
from pyrochat.values.rules import fold
from pyrochat.values.visible import visible

NAME_COLOURS = 12
_MOST_NAME_CELLS = 12
_NARROW_CELLS = 50  # below that a message begins with "name: ", and there are no times
_STATE_CELLS = 3
_LEAST_TEXT_CELLS = 16  # beside id, time and name; those make room for it
_TAB = "    "
_EDITED = " (edited)"
_MEANWHILE = " (written meanwhile)"
_ITEM = re.compile(r"\s{0,6}(?:[-*•]|\d{1,3}[.)])\s+(?=\S)")
_MOST_NAMES = 6  # in a folded run of joins and leaves

_WORDS = re.compile(r"\s+|\S+")


@dataclass(frozen=True, slots=True)
class Look:
    """How entries are laid out. width: cells, at least 10. own: one's own name. with_ids: each message bears its id.

    name_cells: the width of the column of names.
    """

    width: int
    own: str
    time_format: str = "%H:%M"
    with_ids: bool = False
    name_cells: int = 4

    @property
    def is_narrow(self) -> bool:
        """Whether there is room for little else than the texts."""
        return self.width < _NARROW_CELLS


def lay_out(entry: Sequence[Message], look: Look, said: Said | None = None) -> list[Line]:
    """The lines of *entry*; there is room for a state at the end of each. said: what its text is now."""
    message = entry[0]
    if message.kind == SYSTEM or message.is_remark:
        return _run([message, *(other for other in entry[1:] if other.kind == SYSTEM)], look)
    head = _head(message, look, message.sender if said is None else said.sender or message.sender)
    head_cells = sum(cell_len(span.text) for span in head)
    indent = " " * (2 if look.is_narrow else head_cells)
    room = max(2, look.width - len(indent) - _STATE_CELLS)
    first_room = max(0, look.width - head_cells - _STATE_CELLS)
    lines: list[Line] = []
    for spans in _body(message, said, first_room, room, look):
        lines.append([*([Span(indent, "text")] if lines else head), *spans])
    if said is not None and said.current.reactions:
        shown = [f"{visible(reaction)} {len(names)}" for reaction, names in said.current.reactions.items()]
        lines += [[Span(indent, "text"), Span(text, "reactions")] for text in _filled(shown, room)]
    return lines


def _body(message: Message, said: Said | None, first_room: int, room: int, look: Look) -> list[Line]:
    """What *message* says now, and above that what it answers."""
    lines: list[Line] = []
    if message.about is not None:
        quoted = said.answers if said is not None else None
        answered = f"#{message.about}"
        if quoted is not None:
            first, *more = quoted.body.strip().splitlines() or [""]
            answered = f"{visible(quoted.sender)}: {visible(first)}{' …' if more else ''}"
        lines.append([Span(cropped(f"↳ {answered}", first_room), f"reference {message.about}")])
    text, deleted_by, is_edited = message.body, "", False
    if said is not None:
        text = text if said.current.text is None else said.current.text
        deleted_by, is_edited = said.deleted_by, said.current.is_edited and not said.current.is_redacted
    if message.is_redacted:
        gone = f"(deleted by {visible(deleted_by)})" if deleted_by else text
        places = _breaks(gone, room if lines else first_room, room)
        return [*lines, *([Span(gone[start:end], "system")] for start, end in places)]
    for block in blocks_of(_did(text, message.sender)):
        if block.language is not None:
            lines += _code(block, room if lines else first_room, room)
            continue
        for part in block.lines:
            lines += _listed(visible(part.replace("\t", _TAB)), room if lines else first_room, room, look.own)
    for remark in (_EDITED if is_edited else "", _MEANWHILE if said is not None and said.is_late else ""):
        used = sum(cell_len(span.text) for span in lines[-1])
        if used + len(remark) <= (room if len(lines) > 1 else first_room):
            lines[-1] = [*lines[-1], *([Span(remark, "time")] if remark else [])]
        else:
            lines.append([Span(cropped(remark, room), "time")])
    return lines


def _did(text: str, sender: str) -> str:
    """``/me waves`` is what *sender* does."""
    return f"* {sender} {text[4:]}" if text.startswith("/me ") else text


def _code(block: Block, first_room: int, room: int) -> Iterator[Line]:
    """The lines of code, cut where they are too long; and its place is a block of its own."""
    if first_room < room:
        yield []
    for line in coloured(block):
        left, spans = room, list[Span]()
        for span in line:
            for piece in chop_cells(visible(span.text.replace("\t", _TAB)), room):
                cells = cell_len(piece)
                if cells > left:
                    yield [*spans, Span(" " * left, "code")]
                    left, spans = room, []
                spans.append(Span(piece, span.role))
                left -= cells
        yield [*spans, Span(" " * left, "code")]


def _listed(text: str, first_room: int, room: int, own: str) -> Iterator[Line]:
    """The lines of *text*; of an item of a list the lines that follow stand under its words."""
    item = _ITEM.match(text)
    hang = cell_len(item[0]) if item is not None and cell_len(item[0]) * 3 < room else 0
    for number, line in enumerate(_wrapped(text, first_room, room - hang, own)):
        yield [Span(" " * hang, "text"), *line] if number and hang else line


def _filled(pieces: Sequence[str], room: int) -> Iterator[str]:
    """*pieces* with two spaces between them, as many in a line as there is room for."""
    line = ""
    for piece in pieces:
        if line and cell_len(line) + 2 + cell_len(piece) > room:
            yield line
            line = ""
        line = f"{line}  {piece}" if line else piece
    yield line


def lay_out_note(text: str, look: Look) -> list[Line]:
    """The lines of something that is said to this user only."""
    shown, room = visible(text), max(2, look.width - 2)
    return [
        [Span("  " if start else "» ", "time"), Span(shown[start:end], "note")]
        for start, end in _breaks(shown, room, room)
    ]


def with_state(line: Line, state: str, width: int) -> Line:
    """*line* with the *state* of one's own message at its right end."""
    used = sum(cell_len(span.text) for span in line)
    return [*line, Span(" " * max(1, width - used - cell_len(state)) + state, "state")]


def _head(message: Message, look: Look, sender: str) -> Line:
    role = f"name{colour_of(message.sender)}"
    if fold(message.sender) == fold(look.own):
        role += " own"
    name = visible(sender)
    if look.is_narrow:
        margin = _margin(message, look, look.width // 2 - 2)
        room = look.width - sum(cell_len(span.text) for span in margin) - len(": ") - _STATE_CELLS
        return [*margin, Span(cropped(name, room), role), Span(": ", "text")]
    name = cropped(name, look.name_cells)
    padding = " " * (look.name_cells - cell_len(name) + 2)
    margin = _margin(message, look, look.width - look.name_cells - 2 - _LEAST_TEXT_CELLS - _STATE_CELLS)
    return [*margin, Span(name, role), Span(padding, "text")]


def _margin(message: Message, look: Look, room: int) -> Line:
    """The id and the time of *message*, where they are wanted and fit into *room* cells."""
    wanted = [Span(f"#{message.ref or message.id} ", "id")] if look.with_ids else []
    wanted += [] if look.is_narrow else [Span(_clock(message, look) + " ", "time")]
    margin: Line = []
    for span in wanted:
        room -= cell_len(span.text)
        if room >= 0:
            margin.append(span)
    return margin


def cropped(text: str, room: int) -> str:
    """*text*, with a sign at its end where it has more than *room* cells."""
    room = max(2, room)
    return text if cell_len(text) <= room else chop_cells(text, room - 1)[0] + "…"


def _clock(message: Message, look: Look) -> str:
    return message.time.astimezone().strftime(look.time_format)


def _run(entry: Sequence[Message], look: Look) -> list[Line]:
    """Joins and leaves, folded: who has come, who has gone, who was here for a moment."""
    came: dict[str, str] = {}
    for message in entry:
        change = message.change
        word = "joined" if change == JOINED else "left" if change else ""
        first = came.get(message.sender, word).partition(" and ")[0]
        came[message.sender] = word if first == word else f"{first} and {word}"
    only = entry[0] if len(entry) == 1 and (entry[0].is_remark or not entry[0].change) else None
    text = _told(came) if only is None else only.told(visible).removeprefix("* ")
    prefix = "".join(span.text for span in _margin(entry[-1], look, look.width // 2)) + "· "
    room = max(2, look.width - cell_len(prefix))
    lines: list[Line] = []
    for start, end in _breaks(text, room, room):
        lines.append([Span(" " * cell_len(prefix) if lines else prefix, "time"), Span(text[start:end], "system")])
    return lines


def _told(came: dict[str, str]) -> str:
    groups: dict[str, list[str]] = {}
    for name, word in came.items():
        groups.setdefault(word, []).append(visible(name))
    parts = []
    for word, names in groups.items():
        shown = ", ".join(names[:_MOST_NAMES])
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        parts.append(f"{shown}{more} {word}")
    return " · ".join(parts)


def name_cells(look: Look, senders: Iterable[str]) -> Look:
    """*look* with a column of names that has room for *senders* too."""
    widest = max((cell_len(visible(sender)) for sender in senders), default=0)
    return replace(look, name_cells=max(look.name_cells, min(widest, _MOST_NAME_CELLS)))


def separator(label: str, width: int, role: str) -> Line:
    """A line across the page with *label* in it."""
    text = cropped(f"── {label} ", width)
    return [Span(text + "─" * max(0, width - cell_len(text)), role)]


def day_label(day: date, today: date) -> str:
    """How a day is called on its separator."""
    days = (today - day).days
    name = f"{day:%A}, {day.day} {day:%B} {day.year}"
    return f"Today, {name}" if days == 0 else f"Yesterday, {name}" if days == 1 else name


def colour_of(name: str) -> int:
    """One of `NAME_COLOURS`, the same wherever and whenever *name* is shown."""
    return hashlib.sha256(fold(name).encode()).digest()[0] % NAME_COLOURS


def _wrapped(text: str, first_room: int, room: int, own: str) -> Iterator[Line]:
    """*text*, one line without control characters, as the spans of as many lines as it takes."""
    marks = deque(marks_in(text, own))
    for start, end in _breaks(text, first_room, room):
        spans: Line = []
        at = start
        while marks and marks[0][1] <= start:
            marks.popleft()
        for begun, ended, role in marks:
            if begun >= end:
                break
            if begun > at:
                spans.append(Span(text[at:begun], "text"))
            spans.append(Span(text[max(at, begun) : min(ended, end)], role))
            at = min(ended, end)
        if at < end or not spans:
            spans.append(Span(text[at:end], "text"))
        yield spans


def _breaks(text: str, first_room: int, room: int) -> Iterator[tuple[int, int]]:
    """Where the lines of *text* begin and end: at spaces, or within what is too long for a line."""
    if cell_len(text) <= first_room:
        yield 0, len(text)
        return
    begun, used, left = 0, 0, first_room
    for start, piece in _pieces(text, room):
        cells = cell_len(piece)
        if used + cells <= left:
            used += cells
            continue
        yield begun, start
        if piece.isspace():  # it would hang over: the break swallows it
            begun, used, left = start + len(piece), 0, room
        else:
            begun, used, left = start, cells, room
    if begun < len(text):
        yield begun, len(text)


def _pieces(text: str, room: int) -> Iterator[tuple[int, str]]:
    """Words and the spaces between them, none wider than *room*; and where each begins."""
    for found in _WORDS.finditer(text):
        start = found.start()
        for piece in [found[0]] if len(found[0]) * 2 <= room else chop_cells(found[0], room):
            yield start, piece
            start += len(piece)
