"""The plain client: lines in, lines out, against a real server in this process."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyrochat import Chat, Server
from pyrochat.terminal.lines import JsonLines, PlainLines
from pyrochat.terminal.plain import PlainClient
from pyrochat.terminal.streams import input_groups
from tests.support import changes, eventually, texts

Join = Callable[..., Chat]


class Terminal:
    """A plain client of *chat*, and what it has written and complained of."""

    def __init__(
        self,
        chat: Chat,
        json: bool = False,
        complained: Callable[[str], object] = lambda line: None,
        start: bool = True,
    ) -> None:
        self.written: list[str] = []
        self.complaints: list[str] = []
        self._complained = complained
        self.client = PlainClient(chat, JsonLines() if json else PlainLines(), self.written.append, self._complain)
        if start:
            self.client.start()

    def _complain(self, line: str) -> None:
        self.complaints.append(line)
        self._complained(line)

    @property
    def bodies(self) -> list[str]:
        """What was written, without ids and times."""
        return [re.sub(r"^#\d+ \d\d:\d\d:\d\d ", "", line) for line in self.written]


def test_the_history_comes_first_and_then_what_is_live(joined: Join) -> None:
    ana = joined("Ana")
    ana.send_many(["one", "two"])
    igor = Terminal(joined("Igor"))
    ana.send("three")
    eventually(lambda: "Ana: three" in igor.bodies)
    assert igor.bodies == ["* Ana joined", "Ana: one", "Ana: two", "* Igor joined", "Ana: three"]
    assert [line.split()[0] for line in igor.written] == ["#1", "#2", "#3", "#4", "#5"]


def test_a_connection_that_is_lost_before_anything_is_shown_is_said(server: Server, joined: Join) -> None:
    shown = Terminal(joined("Ana"), start=False)
    server.close()
    eventually(lambda: any("connection lost" in line for line in shown.complaints))


def test_what_is_typed_is_sent_and_comes_back_in_its_place(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    shown = Terminal(ana)
    assert shown.client.do("hello")
    igor.send("hi")
    shown.client.do("how are you?")
    shown.client.finish()
    assert shown.bodies[2:] == ["Ana: hello", "Igor: hi", "Ana: how are you?"]
    assert not shown.complaints
    assert not shown.client.failed


def test_lines_that_are_typed_together_stay_in_order_with_the_answers_between(joined: Join) -> None:
    shown = Terminal(joined("Ana"))
    assert shown.client.do_all(["a", "b", "/who", "c", "//d", "", "/history 1"])
    shown.client.finish()
    assert shown.bodies == [
        "* Ana joined", "Ana: a", "Ana: b", "-- 1 member: Ana", "Ana: c", "Ana: /d",
        "-- history: 1 message", "Ana: /d", "-- end of history",
    ]  # fmt: skip


def test_what_was_typed_before_is_found(joined: Join) -> None:
    shown = Terminal(joined("Ana"))
    shown.client.do_all(["a red car", "a blue car", "/search red", "/search"])
    shown.client.finish()
    assert shown.bodies[-3:] == ["-- search: 1 message", "Ana: a red car", "-- end of search"]
    assert shown.complaints == ["error: nothing to search for: give a word with a letter or a digit, or from:NAME"]


def test_an_answer_of_several_lines_is_not_torn(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    ana.send_many([f"old {number}" for number in range(50)])
    shown = Terminal(ana)
    for number in range(20):
        igor.send_many([f"new {number} {n}" for n in range(20)])
        shown.client.do("/history 30")
    starts = [n for n, line in enumerate(shown.written) if line == "-- history: 30 messages"]
    assert len(starts) == 20
    for start in starts:
        ids = [int(line.split()[0][1:]) for line in shown.written[start + 1 : start + 31]]
        assert ids == list(range(ids[0], ids[0] + 30))
        assert shown.written[start + 31] == "-- end of history"


def test_an_unknown_command_is_said_and_not_sent(joined: Join) -> None:
    chat = joined("Ana")
    shown = Terminal(chat)
    assert shown.client.do("/hsitory")
    assert len(shown.complaints) == 1
    assert "/hsitory" in shown.complaints[0]
    assert not texts(chat.history())


def test_blank_lines_are_not_sent(joined: Join) -> None:
    chat = joined("Ana")
    shown = Terminal(chat)
    shown.client.do_all(["", "a", ""])
    assert texts(chat.history()) == ["a"]
    assert not shown.complaints


@pytest.mark.parametrize("wrong", ["x" * 16_385, "not UTF-8: \udcff"])
def test_a_text_that_cannot_be_sent_is_said_and_the_others_are_sent(joined: Join, wrong: str) -> None:
    chat = joined("Ana")
    shown = Terminal(chat)
    assert shown.client.do_all(["before", wrong, "after"])
    assert texts(chat.history()) == ["before", "after"]
    assert shown.client.failed
    assert len(shown.complaints) == 1
    assert shown.complaints[0].startswith("error: the text has ")


def test_quit_ends_it_after_what_was_typed_before(joined: Join) -> None:
    chat = joined("Ana")
    shown = Terminal(chat)
    assert not shown.client.do_all(["before", "/quit", "after"])
    shown.client.finish()
    assert texts(chat.history()) == ["before"]
    assert shown.bodies[-1] == "Ana: before"


def test_what_has_been_written_counts_as_read(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    message = ana.send("read this")
    assert ana.confirmations(message.id).waiting_for == {"Igor"}
    shown = Terminal(igor)
    eventually(lambda: ana.confirmations(message.id).read_by == {"Igor"})
    assert "Ana: read this" in shown.bodies


def test_a_lost_connection_is_said_and_so_is_the_way_back(
    host_lobby: Callable[..., Server], server: Server, joined: Join
) -> None:
    chat = joined("Ana")
    shown = Terminal(chat)
    shown.client.do("before")
    port = server.port
    server.close("gone for lunch")
    eventually(lambda: shown.complaints)
    assert shown.complaints == ["connection lost (gone for lunch): trying to come back"]
    again = host_lobby(port=port)
    eventually(lambda: "back in the room" in shown.complaints)
    shown.client.do("after")
    shown.client.finish()
    assert shown.bodies == ["* Ana joined", "Ana: before", "Ana: after"]
    assert changes(chat.history()) == ["Ana joined"]
    chat.leave()
    again.close()


def test_json_lines_come_for_messages_and_answers(joined: Join) -> None:
    shown = Terminal(joined("Ana"), json=True)
    shown.client.do_all(["Olá\x1b", "/who", "/confirmations", "/history 1", "/help"])
    shown.client.finish()
    objects = [json.loads(line) for line in shown.written]
    assert [o["type"] for o in objects] == [
        "message", "message", "members", "confirmations", "history", "help",
    ]  # fmt: skip
    assert objects[1]["text"] == objects[4]["messages"][0]["text"] == "Olá\x1b"


@contextlib.contextmanager
def pipe(*chunks: bytes) -> Iterator[int]:
    """The reading end of a pipe that holds *chunks*."""
    reader, writer = os.pipe()
    try:
        for chunk in chunks:
            os.write(writer, chunk)
        os.close(writer)
        yield reader
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    ("typed", "lines"),
    [
        (b"", []),
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"\n\n", ["", ""]),
        ("Olá\n".encode(), ["Olá"]),
        (b"bad \xff\n", ["bad \udcff"]),
        (b"a\x0bb\x0cc\xe2\x80\xa8d\n", ["a\x0bb\x0cc\u2028d"]),
    ],
)
def test_input_is_split_at_newlines_only(typed: bytes, lines: list[str]) -> None:
    with pipe(typed) as reader:
        assert [line for group in input_groups(reader) for line in group] == lines


def test_a_character_that_arrives_in_two_parts_is_one() -> None:
    first, second = "é".encode()[:1], "é".encode()[1:]
    reader, writer = os.pipe()
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, reader)
        groups = input_groups(reader)
        os.write(writer, b"a\nb" + first)
        assert next(groups) == ["a"]
        os.write(writer, second + b"c\nd")
        assert next(groups) == ["béc"]
        os.close(writer)
        assert list(groups) == [["d"]]


def test_a_great_heap_of_lines_comes_in_groups_that_one_call_takes() -> None:
    with pipe(b"\n" * 60_000) as reader:
        groups = list(input_groups(reader))
    assert sum(map(len, groups)) == 60_000
    assert max(map(len, groups)) <= 1_000


def test_found_27b_a_room_that_is_hosted_anew_goes_on_below_a_line_that_says_so(
    server: Server, joined: Join, host_lobby: Callable[..., Server], tmp_path: Path
) -> None:
    """Given what was said in the old log, then it is not in the new one; what is typed as soon as that is said is."""
    ana = joined("Ana")
    shown = Terminal(ana, complained=lambda line: "---- another log" in line and shown.client.do("after"))
    shown.client.do("before")
    shown.client.finish()
    server.close()
    host_lobby(port=server.port, data=tmp_path / "another")
    eventually(lambda: "Ana: after" in shown.bodies)
    shown.client.do("/verify")
    shown.client.finish()
    assert shown.bodies[:-2] == ["* Ana joined", "Ana: before", "* Ana joined", "Ana: after"]
    assert shown.written[2].startswith("#1 ")
    assert shown.written[-1] == (
        f"-- ANOTHER LOG: this one is {shown.client.chat.log_id}, the one that you knew before {ana.log_id}"
    )
    [said] = [line for line in shown.complaints if "another log" in line]
    assert said.startswith("---- another log: room lobby has another log ")
    assert not shown.client.failed
    assert ana.state == "closed"
    shown.client.chat.leave()


def test_found_20_what_was_taken_and_not_begun_is_told_when_all_is_given_up(joined: Join) -> None:
    """The end may come at any moment: a line is sent, or it is told that it was not."""
    ana = joined("Ana")
    shown = Terminal(ana)
    shown.client.take(["one", "/who", "two"])
    shown.client.give_up(["three"])
    assert shown.client.do_taken()
    assert shown.complaints[-3:] == ["not sent: one", "not sent: two", "not sent: three"]
    assert [message.text for message in ana.history()] == ["Ana joined"]
