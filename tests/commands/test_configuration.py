"""The user's file: what it may say, what is said where it is wrong, and what goes before it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from pyrochat import InvalidArgument, InvalidRoomName
from pyrochat.commands.client import rooms_to_show
from pyrochat.commands.configuration import (
    KeyOption,
    NotifyCommandOption,
    ThemeOption,
    TimeFormatOption,
    configured,
    settings_of,
)
from pyrochat.commands.shell import make_app
from pyrochat.terminal.settings import DEFAULT_TIME_FORMAT, Settings, checked_time_format

Write = Callable[[str], Path]

EVERYTHING = f"""
name = "Erick"
rooms = ["lobby", "coffee"]
at = "chat.example.org:5680"
plain = false
json = false
quiet = true
history = 20
theme = "nord"
notify_command = "notify-send PyroChat"
time_format = "%H:%M"
fingerprint = "{"ab" * 32}"
data = "/srv/chat"
room_bytes = "1GiB"
peer_bytes = "500M"
disk_reserve = "2 GB"
password_file = "secret.txt"
tls_ca = "~/ca.pem"
tls_cert = "../own.pem"
tls_key = "own.key"

[keys]
quit = "ctrl+q"
next_room = "f2"
"""


@pytest.fixture
def write(config_dir: Path) -> Write:
    """Writes the user's file."""

    def write(text: str) -> Path:
        config_dir.mkdir(exist_ok=True)
        file = config_dir / "config.toml"
        file.write_text(text)
        return file

    return write


def looks(
    context: typer.Context,
    theme: ThemeOption = None,
    notify_command: NotifyCommandOption = None,
    time_format: TimeFormatOption = DEFAULT_TIME_FORMAT,
    key: KeyOption = None,
) -> Settings:
    """A command that only has the settings of the interactive client."""
    return settings_of(context, theme, notify_command, time_format, key)


def settings(*arguments: str) -> Settings:
    """The settings that *arguments* make, with the environment and the user's file as they are."""
    made = make_app(looks)(list(arguments), standalone_mode=False, default_map=configured())
    assert isinstance(made, Settings)
    return made


# -- what it may say ---------------------------------------------------------------------------------------------


def test_no_file_says_nothing(config_dir: Path) -> None:
    assert configured() == {}
    config_dir.mkdir()
    assert configured() == {}
    assert settings() == Settings()


def test_everything_that_can_be_said(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/erick")
    folder = write(EVERYTHING).parent
    assert configured() == {
        "name": "Erick",
        "room": ["lobby", "coffee"],
        "at": "chat.example.org:5680",
        "plain": False,
        "json": False,
        "quiet": True,
        "history": 20,
        "theme": "nord",
        "notify_command": "notify-send PyroChat",
        "time_format": "%H:%M",
        "fingerprint": "ab" * 32,
        "data": "/srv/chat",
        "room_bytes": "1GiB",
        "peer_bytes": "500M",
        "disk_reserve": "2 GB",
        "password_file": str(folder / "secret.txt"),
        "tls_ca": "/home/erick/ca.pem",
        "tls_cert": str(folder / "../own.pem"),
        "tls_key": str(folder / "own.key"),
        "keys": {"quit": "ctrl+q", "next_room": "f2"},
    }


@pytest.mark.parametrize("said", ['room = "coffee"', 'rooms = "coffee"', 'room = ["coffee"]'])
def test_one_room_needs_no_list(write: Write, said: str) -> None:
    write(said)
    assert configured() == {"room": ["coffee"]}


# -- what is said where it is wrong -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("theme = ", "is not TOML: Invalid value (at end of document)"),
        ("theme = nord", "is not TOML: "),
        ("[keys", "is not TOML: "),
        ("x = " + "[" * 100_000, "is not TOML: "),
        ('theem = "nord"', "there is no key 'theem'; did you mean theme?"),
        ("wholly_unknown = 1", "there is no key 'wholly_unknown'; there are at, data, disk_reserve, fingerprint, history, json, "),
        ('"\x7f" = 1'.replace("\x7f", "\\u001b[2J"), "there is no key '␛[2J'"),
        ('password = "sesame"', 'password: it must not stand here in clear; write password_file = "FILE"'),
        ("ask_password = true", "password: it must not stand here in clear"),
        ("theme = 5", "theme has to be text in quotes, not '5'"),
        ('theme = ""', "theme has to be text in quotes"),
        ("name = true", "name has to be text in quotes, not 'True'"),
        ('name = "two words"', "name: the name has the character U+0020"),
        ('plain = "yes"', "plain has to be true or false, not 'yes'"),
        ('history = "all"', "history has to be a number, 0 or more, not 'all'"),
        ("history = -1", "history has to be a number, 0 or more, not '-1'"),
        ("no_join = true", "there is no key 'no_join'"),
        ("json = 1", "json has to be true or false, not '1'"),
        ("room = 5", 'room has to be a list of names, as ["lobby", "coffee"], not \'5\''),
        ("rooms = []", "rooms has to be a list of names"),
        ('rooms = ["lobby", 5]', "rooms has to be a list of names"),
        ('rooms = ["two words"]', "rooms: the room name has the character U+0020"),
        ('rooms = ["lobby", "LOBBY"]', "rooms: the same room is named twice"),
        ('at = "host:port"', "at: 'host:port' is no address: write it as host:port"),
        ('room_bytes = "lots"', "room_bytes: it has to be a size, as 10GiB, 512M or a number of bytes, not 'lots'"),
        ('fingerprint = "abc"', "fingerprint: a fingerprint has 64 hexadecimal digits"),
        ("password_file = 5", "password_file has to be text in quotes"),
        ('time_format = "%Q"', f"time_format: a time format is one of strftime, as {DEFAULT_TIME_FORMAT}, not '%Q'"),
        ('keys = "ctrl+q"', 'keys: write a table: [keys], then lines as quit = "ctrl+q"'),
        ("[keys]\nquit = 5", "keys: quit has to be a key in quotes, as \"ctrl+q\", not '5'"),
        ('[keys]\nquit = ""', "keys: a key is written like ctrl+q or f2, not ''"),
        ('[keys]\nquit = "ctrl q"', "keys: a key is written like ctrl+q or f2, not 'ctrl q'"),
        ('[keys]\n"Quit!" = "f2"', "keys: an action has a name of small letters, not 'Quit!'"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_line_that_names_the_file(write: Write, said: str, complaint: str) -> None:
    file = write(said)
    with pytest.raises(InvalidArgument) as refused:
        configured()
    line = str(refused.value)
    assert line.startswith(str(file))
    assert complaint in line
    assert line.isprintable()
    assert len(line) < 500


def test_a_file_that_cannot_be_read_is_said(config_dir: Path) -> None:
    config_dir.mkdir()
    file = config_dir / "config.toml"
    file.write_bytes(b'theme = "\xff"')
    with pytest.raises(InvalidArgument, match="is not in UTF-8"):
        configured()
    file.unlink()
    file.mkdir()
    with pytest.raises(InvalidArgument, match=f"can't read {re.escape(str(file))}"):
        configured()


@pytest.mark.parametrize("text", ["%H:%M", "%d.%m. %H:%M", "%-I:%M %p", "at %H o'clock", "%%", "%c"])
def test_a_time_format_is_strftimes(text: str) -> None:
    assert checked_time_format(text) == text


@pytest.mark.parametrize("text", ["", " ", "%", "%H:%", "%Q", "%n", "%H\n%M", "\x1b[2J", "%H" * 21, "%5H", "\u202e%H"])
def test_any_other_time_format_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="strftime"):
        checked_time_format(text)


# -- what goes before it ------------------------------------------------------------------------------------------------


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings() == Settings(None, None, DEFAULT_TIME_FORMAT, {})
    write('theme = "file"\nnotify_command = "file"\ntime_format = "%H"')
    assert settings() == Settings("file", "file", "%H", {})
    monkeypatch.setenv("PYROCHAT_THEME", "environment")
    monkeypatch.setenv("PYROCHAT_TIME_FORMAT", "%M")
    assert settings() == Settings("environment", "file", "%M", {})
    assert settings("--theme", "line", "--notify-command", "line") == Settings("line", "line", "%M", {})


def test_a_key_that_is_given_goes_before_the_files_and_the_others_stay(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write('[keys]\nquit = "ctrl+q"\nhelp = "f1"')
    assert settings().keys == {"quit": "ctrl+q", "help": "f1"}
    assert settings("--key", "quit=f10", "--key", "find=ctrl+f").keys == {
        "quit": "f10", "help": "f1", "find": "ctrl+f",
    }  # fmt: skip
    monkeypatch.setenv("PYROCHAT_KEY", "quit=f9 help==")
    assert settings().keys == {"quit": "f9", "help": "="}


@pytest.mark.parametrize("pair", ["quit", "", "=f2", "quit=", "Quit=f2", "quit=ctrl q", "quit=\x1b"])
def test_a_key_that_is_none_is_refused(pair: str) -> None:
    with pytest.raises(InvalidArgument, match=r"ACTION=KEY|small letters|like ctrl\+q"):
        settings("--key", pair)


def test_a_time_format_on_the_command_line_is_checked_too() -> None:
    with pytest.raises(InvalidArgument, match="strftime"):
        settings("--time-format", "%Q")


# -- rooms ----------------------------------------------------------------------------------------------------------------


def test_without_a_room_it_is_the_lobby() -> None:
    assert rooms_to_show(None, plain=True, json=False) == ["lobby"]
    assert rooms_to_show([], plain=False, json=True) == ["lobby"]


@pytest.mark.parametrize(("plain", "json", "how"), [(True, False, "--plain"), (False, True, "--json"),
                                                    (False, False, "a pipe")])  # fmt: skip
def test_lines_show_one_room(plain: bool, json: bool, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        with pytest.raises(InvalidArgument, match=f"^{how} shows one room: start one client for each$"):
            rooms_to_show(["lobby", "coffee"], plain=plain, json=json)


def test_a_room_is_named_once() -> None:
    with pytest.raises(InvalidRoomName, match="named twice"):
        rooms_to_show(["lobby", "Lobby"], plain=True, json=False)
