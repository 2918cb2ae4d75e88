"""Telling the user of a mention: the command runs as it was given, and the message is nothing but data to it."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path

import pytest

from pyrochat.terminal.mentions import Notifier
from pyrochat.values.errors import InvalidArgument
from tests.support import chat_message, eventually

HOSTILE = "$(touch gone) `touch gone`; touch gone & | > gone '\" \\ \n\t\x1b[2J %s 日本語 {} *"


def noting(file: Path, what: str = '"$PYROCHAT_MESSAGE_TEXT"') -> str:
    """A command that writes *what* to *file*, whole or not at all."""
    new = shlex.quote(f"{file}.new")
    return shlex.join(["sh", "-c", f"printf '%s|' {what} > {new} && mv {new} {shlex.quote(str(file))}"])


def test_the_message_is_in_the_environment(tmp_path: Path) -> None:
    fields = " ".join(f'"$PYROCHAT_MESSAGE_{field}"' for field in ("ROOM", "SENDER", "TEXT", "ID"))
    Notifier(noting(tmp_path / "told", fields)).tell(chat_message(7, "hi @Ana", "Zoë"))
    eventually((tmp_path / "told").exists)
    assert (tmp_path / "told").read_text() == "lobby|Zoë|hi @Ana|7|"


def test_a_text_is_no_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Notifier(noting(tmp_path / "told")).tell(chat_message(1, HOSTILE, HOSTILE))
    eventually((tmp_path / "told").exists)
    assert (tmp_path / "told").read_text() == HOSTILE + "|"
    assert [file.name for file in tmp_path.iterdir()] == ["told"]


def test_arguments_are_split_as_a_shell_does_and_nothing_is_expanded(tmp_path: Path) -> None:
    script = tmp_path / "a script"
    script.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > {tmp_path}/new && mv {tmp_path}/new {tmp_path}/told\n')
    script.chmod(0o700)
    Notifier(f"{shlex.quote(str(script))} 'two words' $HOME * $PYROCHAT_MESSAGE_TEXT").tell(chat_message(1, HOSTILE))
    eventually((tmp_path / "told").exists)
    assert (tmp_path / "told").read_text() == "two words|$HOME|*|$PYROCHAT_MESSAGE_TEXT|"


def test_what_no_environment_can_hold_is_left_out(tmp_path: Path) -> None:
    Notifier(noting(tmp_path / "told")).tell(chat_message(1, "a\0b" + "x" * 16_000))
    eventually((tmp_path / "told").exists)
    assert (tmp_path / "told").read_text() == "ab" + "x" * 16_000 + "|"


@pytest.mark.parametrize("command", ["/no/such/program", "/", "'nul\0byte'"])
def test_a_command_that_can_not_run_is_reported(command: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "pyrochat"):
        Notifier(command).tell(chat_message(1))
        eventually(lambda: caplog.records)
    assert "the notify command failed" in caplog.records[0].getMessage()


def test_a_command_that_hangs_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "pyrochat"):
        Notifier("sleep 60", seconds=0.1).tell(chat_message(1))
        eventually(lambda: caplog.records)
    assert "timed out" in caplog.records[0].getMessage()


@pytest.mark.parametrize("command", ["", "   ", "'open", "a \\"])
def test_what_is_no_command_is_refused(command: str) -> None:
    with pytest.raises(InvalidArgument, match="notify command"):
        Notifier(command)
