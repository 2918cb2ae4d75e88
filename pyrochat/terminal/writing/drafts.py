"""What was written and is not in the log yet, kept in a file: the draft, and texts that could not be sent."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import secrets
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from pyrochat.trust.files import write_private
from pyrochat.values.rules import fold

__all__ = ["Draft", "Unsent", "draft_file", "keep", "recall"]

log = logging.getLogger("pyrochat")

_MOST_CHARACTERS = 96  # of a name in a file's name; a name of 32 characters may take 384, and file systems take 255


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
    if len(member) > _MOST_CHARACTERS:
        member = hashlib.sha256(fold(name).encode()).hexdigest()
    return folder / f"{urllib.parse.quote(log_id, safe='')}-{member}.json"


def recall(path: Path) -> Draft:
    """What is kept in *path*; an empty draft where there is nothing, or nothing that can be read."""
    try:
        match json.loads(path.read_text()):
            case {"text": str(text), "unsent": list(unsent), "typed": list(typed)}:
                return Draft(text, tuple(Unsent(str(text), str(key)) for key, text in unsent), tuple(map(str, typed)))
            case _:
                raise ValueError("it is no draft")
    except FileNotFoundError:
        return Draft()
    except (OSError, ValueError, TypeError) as error:
        log.warning("the draft in %s can't be read (%s)", path, error)
        with contextlib.suppress(OSError):
            path.rename(path.with_suffix(f".{secrets.token_hex(4)}.unreadable"))
    return Draft()


def keep(path: Path, draft: Draft) -> None:
    """Write *draft* to *path*, for this user's eyes only. Raises Unavailable."""
    content = {
        "text": draft.text, "unsent": [[unsent.key, unsent.text] for unsent in draft.unsent], "typed": draft.typed,
    }  # fmt: skip
    write_private(path, json.dumps(content).encode())
