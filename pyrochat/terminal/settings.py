"""How a user wants the interactive client to look and behave; where that comes from is for others to know."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pyrochat.values.errors import InvalidArgument
from pyrochat.values.visible import visible

DEFAULT_TIME_FORMAT = "%H:%M"
_MOST_CHARACTERS = 40  # of a time format: it stands beside each message
_DIRECTIVE = re.compile(r"%[-_0^#]?[aAbBcdDeFgGhHIjklmMpPrRsSTuUVwWxXyYzZf%]")  # strftime(3), as far as it is one line
_NAME = re.compile(r"[a-z][a-z0-9_.]*")
_KEY = re.compile(r"[!-~]+")  # printable ASCII, no space


@dataclass(frozen=True, slots=True)
class Settings:
    """theme: its name, None for the default. notify_command: what to run for a message that concerns the user.

    time_format: of strftime. keys: the key for each action that the user has bound anew.
    """

    theme: str | None = None
    notify_command: str | None = None
    time_format: str = DEFAULT_TIME_FORMAT
    keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def checked_time_format(text: str) -> str:
    """*text*, if strftime takes it and makes one short line of it; raises InvalidArgument."""
    rest = _DIRECTIVE.sub("", text)
    if not text.strip() or "%" in rest or not text.isprintable() or len(text) > _MOST_CHARACTERS:
        raise InvalidArgument(f"a time format is one of strftime, as {DEFAULT_TIME_FORMAT}, not {visible(text)!r}")
    return text


def checked_key(action: str, key: str) -> tuple[str, str]:
    """*action* and the *key* for it; raises InvalidArgument where either can't be one."""
    if not _NAME.fullmatch(action):
        raise InvalidArgument(f"an action has a name of small letters, not {visible(action)!r}")
    if not _KEY.fullmatch(key):
        raise InvalidArgument(f"a key is written like ctrl+q or f2, not {visible(key)!r}")
    return action, key
