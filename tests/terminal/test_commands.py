"""What can be typed: which line is a text, which a command, and what the commands answer."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from pyrochat import Chat, InvalidArgument, UnknownMessage
from pyrochat.terminal.commands import COMMANDS, ChatCommand, answer, parse
from pyrochat.terminal.lines import JsonLines, PlainLines

Join = Callable[..., Chat]


def told(line: str, chat: Chat) -> list[str]:
    """The answer to *line*."""
    command = parse(line)
    assert isinstance(command, ChatCommand)
    return answer(command, chat, PlainLines())


@pytest.mark.parametrize(
    "line", ["hello", "", " /who", "a /who", "http://localhost", "#12", "-- history", "/usr/bin/python3 is missing"]
)
def test_what_does_not_begin_with_a_slash_is_a_text(line: str) -> None:
    assert parse(line) == line


@pytest.mark.parametrize(
    ("line", "text"), [("//etc/hosts", "/etc/hosts"), ("//", "/"), ("///", "//"), ("//who", "/who")]
)
def test_two_slashes_send_one(line: str, text: str) -> None:
    assert parse(line) == text


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("/who", ChatCommand("who", "")),
        ("/history", ChatCommand("history", "")),
        ("/history 5", ChatCommand("history", "5")),
        ("/history   5  ", ChatCommand("history", "5")),
        ("/confirmations #12", ChatCommand("confirmations", "#12")),
        ("/quit", ChatCommand("quit", "")),
    ],
)
def test_a_slash_begins_a_command(line: str, command: ChatCommand) -> None:
    assert parse(line) == command


@pytest.mark.parametrize("line", ["/nothing", "/", "/ who", "/WHO", "/whoami", "/who\x1b[2J", "/etchosts"])
def test_an_unknown_command_is_said(line: str) -> None:
    if line == "/ who":
        assert parse(line) == ChatCommand("who", "")  # a space too many is forgiven
        return
    with pytest.raises(InvalidArgument, match="there is no command") as refused:
        parse(line)
    assert "//" in str(refused.value), "it says how to send it all the same"
    assert str(refused.value).isprintable()


def test_every_command_of_the_help_is_known_and_answers(joined: Join) -> None:
    chat = joined("Ana")
    arguments = {"/search": "Ana", "/current": "1"}
    usages = [usage.split()[0] for usage, _ in COMMANDS]
    not_here = (
        "/quit",
        "//text",
        "/export",
        "/msg",
        "/create",
        "/invite",
        "/remove",
    )  # others do them, or they take more
    for usage in usages:
        if usage not in (*not_here, "/reply", "/edit", "/redact", "/react", "/unreact", "/me"):
            assert told(f"{usage} {arguments.get(usage, '')}", chat)
    with pytest.raises(InvalidArgument, match="takes a file"):
        told("/export", chat)
    assert {"/history", "/search", "/confirmations", "/who", "/help", "/quit"} <= set(usages)


def test_history_answers_with_the_last_n(joined: Join) -> None:
    chat = joined("Ana")
    chat.send_many([f"text {number}" for number in range(30)])
    assert len(told("/history", chat)) == 20 + 2
    assert [line.rpartition(": ")[2] for line in told("/history 2", chat)[1:-1]] == ["text 28", "text 29"]
    assert len(told("/history 999999", chat)) == 31 + 2
    assert told("/history 0", chat)[0] == "-- history: 0 messages"


def test_search_answers_with_the_newest_first(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    ana.send_many(["red car", "blue car", "red bus"])
    igor.send("a red car too")
    assert [line.split(": ")[-1] for line in told("/search red car", ana)[1:-1]] == ["a red car too", "red car"]
    assert [line.split(": ")[-1] for line in told('/search "red car" from:Ana', ana)[1:-1]] == ["red car"]
    assert told("/search green", ana) == ["-- search: 0 messages", "-- end of search"]
    for nothing in ("/search", "/search  ", "/search !"):
        with pytest.raises(InvalidArgument, match="give a word"):
            told(nothing, ana)


def test_confirmations_answers_for_a_message_or_for_ones_own_last(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    mine = ana.send("mine")
    theirs = igor.send("theirs")
    igor.mark_read(theirs.id)
    assert "read by Igor" in told(f"/confirmations {mine.id}", ana)[0]
    assert told("/confirmations", ana)[0].startswith(f"-- confirmations of #{mine.id}:")
    assert told(f"/confirmations #{theirs.id}", ana)[0].startswith(f"-- confirmations of #{theirs.id}:")


def test_confirmations_of_who_has_sent_nothing_are_of_the_last_message(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    message = ana.send("hello")
    igor.wait_for(message.id, 20)
    assert told("/confirmations", igor)[0].startswith(f"-- confirmations of #{message.id}:")


def test_who_answers_with_the_members(joined: Join) -> None:
    joined("Ana")
    zoe = joined("Zoë")
    zoe.send("hi")
    assert told("/who", zoe) == ["-- 2 members: Ana, Zoë"]


@pytest.mark.parametrize("line", ["/history x", "/history -1", "/history 1.5", "/history ²", "/confirmations 1 2"])
def test_a_wrong_number_is_said(joined: Join, line: str) -> None:
    with pytest.raises(InvalidArgument, match="takes a number"):
        told(line, joined("Ana"))


def test_a_message_that_is_not_there_is_said(joined: Join) -> None:
    with pytest.raises(UnknownMessage):
        told("/confirmations 999", joined("Ana"))


def test_answers_follow_the_lines_that_are_wanted(joined: Join) -> None:
    chat = joined("Ana")
    [line] = answer(ChatCommand("who", ""), chat, JsonLines())
    assert json.loads(line) == {"type": "members", "members": ["Ana"]}
