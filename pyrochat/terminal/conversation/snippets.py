"""What a search has found, in a line: the part of a text around the words that were looked for."""

import re
from collections.abc import Iterator

from pyrochat.terminal.conversation.markup import Line, Span
from pyrochat.values.rules import fold
from pyrochat.values.visible import visible

_BEFORE = 20  # characters, of what stands before the first match
_QUOTED = re.compile(r'"([^"]*)"|(\S+)')


def snippet(text: str, query: str, most: int) -> Line:
    """*text*, of one line and *most* characters at the most, with what *query* looks for in spans of the role "match"."""
    shown = visible(" ".join(text.split()))
    matches = list(_matches(shown, query))
    start = max(0, matches[0][0] - _BEFORE) if matches and matches[0][1] > most else 0
    end = start + most
    line: Line = [Span("…", "text")] if start else []
    at = start
    for begun, ended in matches:
        if begun >= end:
            break
        line += [Span(shown[at:begun], "text"), Span(shown[begun : min(ended, end)], "match")]
        at = min(ended, end)
    line.append(Span(shown[at:end], "text"))
    return [span for span in line if span.text]


def _matches(text: str, query: str) -> Iterator[tuple[int, int]]:
    """Where the words and phrases of *query* begin and end in *text*, however they are written, in order."""
    words = {
        fold(found[1] or found[2]).rstrip("*")
        for found in _QUOTED.finditer(query)
        if not (found[2] or "").lower().startswith("from:")
    }
    folded, places = _folded(text)
    end = 0
    for found in sorted(_places(folded, {word for word in words if word})):
        begun, ended = places[found[0]], places[found[1]]
        if begun >= end:
            yield begun, ended
            end = ended


def _places(folded: str, words: set[str]) -> Iterator[tuple[int, int]]:
    for word in words:
        for found in re.finditer(re.escape(word), folded):
            yield found.start(), found.end()


def _folded(text: str) -> tuple[str, list[int]]:
    """*text* as names are compared, character by character; and where each character of that comes from."""
    pieces = [fold(character) for character in text]
    places = [index for index, piece in enumerate(pieces) for _ in piece]
    return "".join(pieces), [*places, len(text)]
