"""What was written and is not in the log yet, kept in a file: the draft, and texts that could not be sent."""

import contextlib
import hashlib
import json
import logging
import secrets
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pyrochat.trust.files import read_json, write_new, write_private
from pyrochat.values.errors import Unavailable
from pyrochat.values.rules import MAX_TEXT_BYTES, fold

log = logging.getLogger("pyrochat")

MOST_CHARACTERS = (
    65_536  # in the composer, four texts' worth: each key takes 60 ms there, with ten times as much half a second
)
_MOST_BYTES = 64 * 1024 * 1024  # of the file: 200 texts that were sent before may take a third of it
_MOST_NAME_CHARACTERS = (
    96  # of a name in a file's name; a name of 32 characters may take 384, and file systems take 255
)


@dataclass(frozen=True, slots=True)
class Unsent:
    """A text on its way. key: whatever happens, the room takes the text once under it."""

    text: str
    key: str = field(default_factory=lambda: f"{time.time_ns() // 1_000_000:011x}s{secrets.token_hex(8)}")


@dataclass(frozen=True, slots=True)
class Draft:
    """text: in the composer. unsent: in order. typed: what was sent before."""

    text: str = ""
    unsent: tuple[Unsent, ...] = ()
    typed: tuple[str, ...] = ()


def draft_file(folder: Path, log_id: str, name: str) -> Path:
    """Where the draft of *name* for the room with the log *log_id* is: a room that begins anew is another one."""
    member = urllib.parse.quote(fold(name), safe="")
    if len(member) > _MOST_NAME_CHARACTERS:
        member = hashlib.sha256(fold(name).encode()).hexdigest()
    return folder / f"{urllib.parse.quote(log_id, safe='')}-{member}.json"


def recall(path: Path, tell: Callable[[str], object] = log.warning) -> Draft:
    """What is kept in *path*; an empty draft where there is nothing, or nothing that can be read.

    What is too long for the composer, or for a message, is put into a file beside. tell: called with a sentence for
    whatever is not in the draft.
    """
    try:
        match read_json(path, _MOST_BYTES):
            case {"text": str(text), "unsent": list(unsent), "typed": list(typed)}:
                pairs = [Unsent(str(text), str(key)) for key, text in unsent]
                return _bounded(path, text, pairs, [str(text) for text in typed], tell)
            case _:
                raise ValueError("it is no draft")
    except FileNotFoundError:
        return Draft()
    except (OSError, ValueError, TypeError, RecursionError, Unavailable) as error:
        aside = path.with_suffix(f".{secrets.token_hex(4)}.unreadable")
        with contextlib.suppress(OSError):
            path.rename(aside)
        tell(f"the draft in {path} can't be read ({getattr(error, 'strerror', None) or error}): it is kept as {aside}")
    return Draft()


def _bounded(path: Path, text: str, unsent: list[Unsent], typed: list[str], tell: Callable[[str], object]) -> Draft:
    """The draft, without what would freeze the screen: that goes into a text file beside *path*. Raises Unavailable."""
    too_long = [each.text for each in unsent if len(each.text) > MAX_TEXT_BYTES]
    if len(text) > MOST_CHARACTERS:
        too_long.append(text)
        text = ""
    draft = Draft(
        text,
        tuple(each for each in unsent if len(each.text) <= MAX_TEXT_BYTES),
        tuple(each for each in typed if len(each) <= MAX_TEXT_BYTES),
    )
    if too_long:
        beside = path.with_suffix(f".{secrets.token_hex(4)}.txt")
        write_new(beside, "\n\n".join(too_long).encode(errors="backslashreplace"))
        keep(path, draft)
        tell(
            f"what was written has {sum(map(len, too_long)):,} characters, too many to be sent: it is kept in {beside}"
        )
    return draft


def keep(path: Path, draft: Draft) -> None:
    """Write *draft* to *path*, for this user's eyes only. Raises Unavailable."""
    content = {
        "text": draft.text, "unsent": [[unsent.key, unsent.text] for unsent in draft.unsent], "typed": draft.typed,
    }  # fmt: skip
    write_private(path, json.dumps(content).encode())
