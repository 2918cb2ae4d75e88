"""What stands in a text beside plain words: links, mentions, references, emphasis, code; each with a role for who draws.

The words stay as they were written, with the signs around them: what is copied is what was sent.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pyrochat.values.mentions import EVERYBODY, find_mentions
from pyrochat.values.rules import fold

_SELECTOR = "\ufe0f"  # makes a digit a part of an emoji: 1️⃣
_MARKS = "".join(mark for mark in map(chr, range(0x300, 0xAC00)) if unicodedata.category(mark)[0] == "M")
_MARKED = re.compile(
    r"(?P<code>`[^`\n]{1,500}`)|"
    r"(?P<link>https?://[^\s<>\"]+[^\s<>\".,;:!?)\]}'])|"
    rf"(?P<mention>@[\w.{_MARKS}-]*[\w{_MARKS}](?!{_SELECTOR}))|"
    rf"(?P<reference>(?<!\w)#\d+\b(?!{_SELECTOR}))|"
    r"(?P<strong>(?<![\w*])\*\*(?=\S)[^*\n]{1,500}(?<=\S)\*\*(?![\w*]))|"
    r"(?P<emphasis>(?<![\w*])\*(?=\S)[^*\n]{1,500}(?<=\S)\*(?![\w*]))"
)
_FENCE = re.compile(r"\s{0,3}```+\s*(?P<language>[\w+#.-]{0,30})\s*")
_MOST_CODE = 4_000  # characters that are coloured: a lexer may be slow
_LANGUAGES = frozenset((
    "bash", "c", "c++", "cpp", "css", "diff", "go", "html", "ini", "java", "javascript", "js", "json", "kotlin", "lua", "make",
    "python", "py", "rust", "rs", "ruby", "sh", "sql", "swift", "toml", "ts", "typescript", "xml", "yaml",
))  # fmt: skip


class Span(NamedTuple):
    """A piece of a line. role: what it is, such as "text", "time", "name3", "link"."""

    text: str
    role: str


Line = list[Span]


class Block(NamedTuple):
    """Lines of a text that belong together. language: of code, empty where it has none; None: it is no code."""

    lines: Sequence[str]
    language: str | None = None


def blocks_of(text: str) -> Iterator[Block]:
    """*text* as ordinary lines, and code between lines of three backticks; a block that is not closed is none."""
    lines = text.replace("\r\n", "\n").split("\n")
    plain: list[str] = []
    at = 0
    while at < len(lines):
        opened = _FENCE.fullmatch(lines[at])
        closed = next((end for end in range(at + 1, len(lines)) if lines[end].strip() == "```"), 0) if opened else 0
        if opened is None or not closed:
            plain.append(lines[at])
            at += 1
            continue
        if plain:
            yield Block(plain)
            plain = []
        yield Block(lines[at + 1 : closed], opened["language"].lower())
        at = closed + 1
    if plain:
        yield Block(plain)


def coloured(code: Block) -> list[Line]:
    """The lines of *code*, in spans of the roles "code" and "code KIND" with KIND one of keyword, string, comment, number, name."""
    text = "\n".join(code.lines)
    if code.language not in _LANGUAGES or len(text) > _MOST_CODE:
        return [[Span(line, "code")] for line in code.lines]
    from pygments import lex  # only who sees code waits for it to load
    from pygments.lexers import get_lexer_by_name

    lines: list[Line] = [[]]
    for token, piece in lex(text, get_lexer_by_name(code.language, stripnl=False, ensurenl=False)):
        role = _code_role(str(token))
        for number, part in enumerate(piece.split("\n")):
            if number:
                lines.append([])
            if part:
                lines[-1].append(Span(part, role))
    return lines


def _code_role(token: str) -> str:
    for kind in ("Keyword", "String", "Comment", "Number", "Name."):
        if kind in token:
            return f"code {kind.rstrip('.').lower()}"
    return "code"


def marks_in(text: str, own: str) -> list[tuple[int, int, str]]:
    """Where in *text*, one line, something stands that is more than words: from, to, role; in order, none over another."""
    found = [(mark.start(), mark.end(), _role(mark)) for mark in _MARKED.finditer(text)]
    code = [mark for mark in found if mark[2] == "code"]
    means_us = [(mark.start, mark.end, "mentioned") for mark in find_mentions(text, {fold(own), *EVERYBODY})]
    means_us = [mark for mark in means_us if not _overlaps(mark, code)]
    return sorted([*means_us, *(mark for mark in found if not _overlaps(mark, means_us))])


def _overlaps(mark: tuple[int, int, str], others: Sequence[tuple[int, int, str]]) -> bool:
    return any(mark[0] < end and start < mark[1] for start, end, _ in others)


def _role(found: re.Match[str]) -> str:
    kind = found.lastgroup or ""
    if kind == "link":
        return f"link {found[0]}"
    return f"reference {found[0][1:]}" if kind == "reference" else kind


def links_in(text: str) -> list[str]:
    """The links in *text*, in order."""
    return [found["link"] for found in _MARKED.finditer(text) if found["link"]]


def has_word(text: str, words: Sequence[str]) -> bool:
    """Whether *text* has one of *words* as a whole word, however it is written."""
    folded = fold.__wrapped__(text)
    return any(re.search(rf"(?<!\w){re.escape(fold(word))}(?!\w)", folded) for word in words)
