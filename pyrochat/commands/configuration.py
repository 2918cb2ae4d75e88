"""What a user has written down: ``config.toml`` in the configuration folder, behind the command line and the environment.

Its keys are the options' names with underscores. Whatever is wrong in it is one line that names the file, the
key and what would be right.
"""

import difflib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from pyrochat.folders import config_file
from pyrochat.terminal.settings import DEFAULT_TIME_FORMAT, Settings, checked_key, checked_time_format
from pyrochat.trust.certificates import checked_fingerprint
from pyrochat.trust.files import read_small
from pyrochat.values.addresses import parse_places
from pyrochat.values.errors import InvalidArgument, InvalidInput, InvalidRoomName
from pyrochat.values.protocol import DEFAULT_PORT
from pyrochat.values.rules import checked_name, checked_place, fold
from pyrochat.values.sizes import parse_size
from pyrochat.values.visible import visible

ThemeOption = Annotated[str | None, typer.Option(help="The colours of the interactive screen.")]
NotifyCommandOption = Annotated[
    str | None, typer.Option(metavar="COMMAND", help="What to run for a message that concerns you.")
]
TimeFormatOption = Annotated[str, typer.Option(metavar="FORMAT", help="How times are shown, as strftime takes it.")]
KeyOption = Annotated[
    list[str] | None,
    typer.Option(metavar="ACTION=KEY", help="Another key for an action; may be given more than once."),
]

_KEYS = "keys"
_ROOMS = "rooms"

Check = Callable[[str], object]


def _anything(text: str) -> None:
    """Any text will do."""


_TEXTS: dict[str, Check] = {
    "name": checked_name,
    "at": lambda text: parse_places(text, None, DEFAULT_PORT),
    "theme": _anything,
    "notify_command": _anything,
    "time_format": checked_time_format,
    "fingerprint": checked_fingerprint,
    **dict.fromkeys(("room_bytes", "peer_bytes", "disk_reserve"), lambda text: parse_size(text, "it")),
}
_SWITCHES = ("plain", "json", "quiet")
_COUNTS = ("history",)
_PATHS = ("data", "password_file", "tls_ca", "tls_cert", "tls_key")
_LISTS = ("room", _ROOMS)
_ALL = sorted([*_TEXTS, *_SWITCHES, *_COUNTS, *_PATHS, *_LISTS, _KEYS])


def configured() -> dict[str, object]:
    """What the file says, by the names of the commands' parameters; nothing where there is no file.

    Raises InvalidArgument.
    """
    file = config_file()
    found: dict[str, object] = {}
    for key, value in _read(file).items():
        try:
            found["room" if key == _ROOMS else key] = _checked(key, value, file.parent)
        except InvalidInput as error:
            raise InvalidArgument(f"{file}: {error}") from None
    return found


def _read(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(read_small(file).decode("utf-8-sig"))  # some editors begin UTF-8 with a mark
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InvalidArgument(f"can't read {file} ({error.strerror or error}): see to it, or delete it") from None
    except UnicodeDecodeError:
        raise InvalidArgument(f"{file} is not in UTF-8: save it so, or delete it") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidArgument(f"{file} is not TOML: {error}") from None


def _checked(key: str, value: object, folder: Path) -> object:
    """The value for a parameter. Raises InvalidInput, whose text names *key*."""
    if key in ("password", "ask_password"):
        raise InvalidArgument('password: it must not stand here in clear; write password_file = "FILE"')
    if key in _TEXTS:
        text = _text(key, value)
        _named(key, lambda: _TEXTS[key](text))
        return text
    if key in _SWITCHES:
        if not isinstance(value, bool):
            raise _wrong(key, "true or false", value)
        return value
    if key in _COUNTS:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise _wrong(key, "a number, 0 or more", value)
        return value
    if key in _PATHS:
        return str(folder / Path(_text(key, value)).expanduser())
    if key in _LISTS:
        rooms = [value] if isinstance(value, str) else value
        if not isinstance(rooms, list) or not rooms or not all(isinstance(room, str) for room in rooms):
            raise _wrong(key, 'a list of names, as ["lobby", "coffee"]', value)
        return _named(key, lambda: checked_rooms(rooms))
    if key == _KEYS:
        return _named(key, lambda: _checked_keys(value))
    likely = difflib.get_close_matches(key, _ALL, 1)
    hint = f"did you mean {likely[0]}?" if likely else f"there are {', '.join(_ALL)}"
    raise InvalidArgument(f"there is no key {visible(key)!r}; {hint}")


def _text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(key, "text in quotes", value)
    return value


def _wrong(key: str, right: str, value: object) -> InvalidArgument:
    return InvalidArgument(f"{key} has to be {right}, not {visible(str(value))[:60]!r}")


def _named(key: str, check: Callable[[], object]) -> object:
    try:
        return check()
    except InvalidInput as error:
        raise InvalidArgument(f"{key}: {error}") from None


def _checked_keys(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise InvalidArgument('write a table: [keys], then lines as quit = "ctrl+q"')
    keys: dict[str, str] = {}
    for action, key in value.items():
        if not isinstance(key, str):
            raise _wrong(visible(action), 'a key in quotes, as "ctrl+q"', key)
        keys |= [checked_key(action, key)]
    return keys


def checked_rooms(rooms: Sequence[str]) -> list[str]:
    """*rooms* in their normal form; raises InvalidRoomName, also where one is named twice."""
    names = [checked_place(room) for room in rooms]
    if len({fold(name) for name in names}) < len(names):
        raise InvalidRoomName("the same room is named twice")
    return names


def settings_of(
    context: typer.Context,
    theme: str | None,
    notify_command: str | None,
    time_format: str = DEFAULT_TIME_FORMAT,
    key: Sequence[str] | None = None,
) -> Settings:
    """The settings that the options of a command make, with the file's keys where none is given for an action."""
    keys: dict[str, str] = dict((context.default_map or {}).get(_KEYS, {}))
    for pair in key or ():
        action, separator, pressed = pair.partition("=")
        if not separator:
            raise InvalidArgument(f"--key takes ACTION=KEY, as quit=ctrl+q, not {visible(pair)!r}")
        keys |= [checked_key(action, pressed)]
    return Settings(theme, notify_command, checked_time_format(time_format), keys)
