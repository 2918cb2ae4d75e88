"""The history in a file: text for people, JSON lines for programs, HTML to be read and sent on.

The file's ending says which. Whatever a message holds shows as what it is (`values.visible`); in HTML all of
it is escaped, and nothing in the page runs, loads or sends anything.
"""

import contextlib
import hashlib
import html
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from pyrochat.terminal.lines import JsonLines, plain_line
from pyrochat.trust.files import open_private, put_in_place
from pyrochat.values.errors import InvalidArgument, Unavailable
from pyrochat.values.message import SYSTEM, Message
from pyrochat.values.rules import fold
from pyrochat.values.visible import visible

_DATE_AND_CLOCK = "%Y-%m-%d %H:%M:%S"
_LINK = re.compile(
    r"https?://(?:[^\W_]|\[)[^\s<>\"'`\\]*", re.IGNORECASE
)  # no backslash: what is hidden shows as \u202e
_SENTENCE_ENDS = ".,;:!?…)]}*_"
_PAIRS = {")": "(", "]": "[", "}": "{"}

_HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{ --ground: #ffffff; --text: #1b1f24; --faint: #626b76; --line: #d9dee4; --link: #0a58ca; --light: 28%; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ground: #15181c; --text: #e4e7eb; --faint: #98a2ae; --line: #323942; --link: #82b1ff; --light: 72%; }}
}}
body {{
  max-width: 50rem; margin: 2rem auto; padding: 0 1rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif;
}}
h1 {{ font-size: 1.4rem; margin: 0; }}
h2 {{ font-size: 1rem; margin: 2rem 0 .5rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }}
p {{ margin: .25rem 0; overflow-wrap: anywhere; }}
p span {{ white-space: pre-wrap; }}
a {{ color: var(--link); }}
.id, time, .about, .system {{ color: var(--faint); font-size: .85rem; }}
.id {{ text-decoration: none; }}
bdi {{ font-weight: 600; color: hsl(var(--hue) 70% var(--light)); }}
</style>
</head>
<body>
<h1>{room}</h1>
<p class="about">{about}</p>
"""
_FOOT = "</body>\n</html>\n"


def export(messages: Sequence[Message], path: Path, *, overwrite: bool = False) -> Path:
    """Write *messages* to *path*, whole or not at all, readable by its owner only; returns where.

    ``.txt``: a line each, with local date and time. ``.jsonl``: an object each, as the client's ``--json``.
    ``.html``: one page. ``~`` is the home folder. Raises InvalidArgument for any other ending, and where the
    file is there already (*overwrite* replaces it); Unavailable where it can't be written.
    """
    make = _MAKERS.get(path.suffix.lower())
    if make is None:
        raise InvalidArgument(f"the file's ending says what it becomes: {', '.join(ENDINGS)}, not {path.name!r}")
    try:
        path = path.expanduser()
        if not overwrite and path.exists():
            raise _is_there(path)
        _write(path, make(messages), overwrite)
    except OSError as error:
        raise Unavailable(f"can't write {path} ({error.strerror or error}): choose another file") from None
    except (RuntimeError, ValueError) as error:  # no such home; a zero byte
        if isinstance(error, InvalidArgument):
            raise
        raise InvalidArgument(f"{str(path)!r} can't be a file ({error}): choose another") from None
    return path


def _is_there(path: Path) -> InvalidArgument:
    return InvalidArgument(f"{path} is there already: choose another file, or delete it (a program: overwrite=True)")


def _write(path: Path, parts: Iterable[str], overwrite: bool) -> None:
    if overwrite:
        path = Path(os.path.realpath(path))  # what a link leads to is replaced, and the link stays
    fresh = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(open_private(fresh), "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            os.replace(fresh, path)
        else:
            put_in_place(fresh, path)
    except FileExistsError:
        raise _is_there(path) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()


def _text(messages: Iterable[Message]) -> Iterator[str]:
    return (f"{plain_line(message, _DATE_AND_CLOCK)}\n" for message in messages)


def _json_lines(messages: Iterable[Message]) -> Iterator[str]:
    lines = JsonLines()
    return (f"{lines.message(message)}\n" for message in messages)


# -- HTML ------------------------------------------------------------------------------------------------------


def _html(messages: Sequence[Message]) -> Iterator[str]:
    room = _escaped(messages[0].room) if messages else "An empty room"
    count = f"{len(messages):,} message{'s' * (len(messages) != 1)}"
    yield _HEAD.format(title=f"{room}: {count}", room=room, about=f"{count}; times are those of who exported them")
    day = ""
    for message in messages:
        time = message.time.astimezone()
        if (today := f"{time:%A, %d %B %Y}") != day:
            day = today
            yield f"<h2>{day}</h2>\n"
        place = f'<a class="id" href="#m{message.id}">#{message.id}</a>'
        clock = f'<time datetime="{time.isoformat(timespec="seconds")}">{time:%H:%M:%S}</time>'
        if message.kind == SYSTEM or message.is_remark:
            body = f'<span class="system">{html.escape(message.told(visible).removeprefix("* "))}</span>'
        else:
            body = f'{_name(message.sender)} {_answers(message)}<span dir="auto">{_body(message.body)}</span>'
        yield f'<p id="m{message.id}">{place} {clock} {body}</p>\n'
    yield _FOOT


def _answers(message: Message) -> str:
    return "" if message.about is None else f'to <a href="#m{message.about}">#{message.about}</a>: '


def _escaped(text: str) -> str:
    return html.escape(visible(text))


@lru_cache(maxsize=4096)
def _name(name: str) -> str:
    digest = hashlib.sha256(fold(name).encode(errors="replace")).digest()
    return f'<bdi style="--hue: {int.from_bytes(digest[:2]) % 360}">{_escaped(name)}</bdi>'


def _body(text: str) -> str:
    return "<br>".join(_linked(visible(line)) for line in text.replace("\r\n", "\n").split("\n"))


def _linked(line: str) -> str:
    """*line*, escaped, with its addresses as links."""
    parts: list[str] = []
    end = 0
    for found in _LINK.finditer(line):
        address = _without_sentence(found[0])
        parts += html.escape(line[end : found.start()]), _link(html.escape(address))
        end = found.start() + len(address)
    return "".join(parts) + html.escape(line[end:])


def _link(address: str) -> str:
    return f'<a href="{address}" rel="noopener noreferrer">{address}</a>'


def _without_sentence(address: str) -> str:
    """*address* without the punctuation of the sentence that it stands in; brackets that it opens stay."""
    while address[-1] in _SENTENCE_ENDS:
        opening = _PAIRS.get(address[-1])
        if opening is not None and address.count(opening) >= address.count(address[-1]):
            break
        address = address[:-1]
    return address


_MAKERS: dict[str, Callable[[Sequence[Message]], Iterator[str]]] = {
    ".txt": _text, ".jsonl": _json_lines, ".html": _html,
}  # fmt: skip
ENDINGS = tuple(_MAKERS)
