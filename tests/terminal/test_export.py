"""The history in a file: three kinds, whole or not at all, never in place of another, whatever is in it."""

from __future__ import annotations

import errno
import json
import os
import re
import time
import tracemalloc
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pyrochat import Chat, InvalidArgument, Message, Unavailable
from pyrochat.terminal.commands import ChatCommand, answer
from pyrochat.terminal.export import ENDINGS, export
from pyrochat.terminal.lines import JsonLines, PlainLines
from tests.support import chat_message, joined_message

Join = Callable[..., Chat]

HOSTILE = [
    "<script>alert(1)</script>",
    "</p></body></html><h1>forged</h1>",
    "<img src=x onerror=alert(1)>",
    "\"'><svg/onload=alert(1)>",
    "&lt;script&gt;",
    "\x1b[2J\x1b]0;owned\x07",
    "abc\u202edef",
    "zero\u200bwidth\u2060joined",
    "javascript:alert(1)",
    'https://example.org/"onmouseover="alert(1)',
    "https://example.org/'><script>alert(1)</script>",
    "https://example.org/\u202egpj.exe",
    "data:text/html,<script>alert(1)</script>",
    "\x00\x7f\u0085\u2028\ufeff",
    "{room} %s {0.__class__}",
]


@pytest.fixture(autouse=True)
def in_lisbon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local times are those of a zone that is known."""
    monkeypatch.setenv("TZ", "Europe/Lisbon")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Page(HTMLParser):
    """What a browser makes of a page: its elements with their attributes, its links, its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    @property
    def links(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == "a" and attributes.get("class") != "id"]


def page_of(tmp_path: Path, *texts: str, sender: str = "Erick") -> Page:
    messages = [chat_message(id, text, sender) for id, text in enumerate(texts, 1)]
    export(messages, tmp_path / "page.html")
    return Page(tmp_path / "page.html")


# -- the three kinds ---------------------------------------------------------------------------------------------


def test_text_has_a_line_for_each_message_with_its_local_date(tmp_path: Path) -> None:
    file = tmp_path / "lobby.txt"
    assert export([joined_message(1, "Erick"), chat_message(2, "olá\nmundo")], file) == file
    assert file.read_text() == "#1 2023-11-14 22:13:20 * Erick joined\n#2 2023-11-14 22:13:20 Erick: olá⏎mundo\n"


def test_json_lines_are_the_json_clients_messages(tmp_path: Path) -> None:
    messages = [joined_message(1, "Erick"), *(chat_message(id, text) for id, text in enumerate(HOSTILE, 2))]
    export(messages, tmp_path / "lobby.jsonl")
    lines = (tmp_path / "lobby.jsonl").read_text().splitlines()
    assert lines == [JsonLines().message(message) for message in messages]
    assert [json.loads(line)["text"] for line in lines[1:]] == HOSTILE


def test_a_page_has_the_messages_under_their_dates(tmp_path: Path) -> None:
    day = 86_400_000_000
    messages = [
        joined_message(1, "Erick"),
        chat_message(2, "two\nlines"),
        chat_message(3)._replace(time_us=20_000 * day),
    ]
    export(messages, tmp_path / "lobby.HTML")
    page = Page(tmp_path / "lobby.HTML")
    assert re.findall("<h2>(.+)</h2>", page.source) == ["Tuesday, 14 November 2023", "Friday, 04 October 2024"]
    assert "two<br>lines" in page.source
    assert "#1 22:13:20 Erick joined" in page.text
    assert "#2 22:13:20 Erick twolines" in page.text
    assert {"script", "iframe", "img", "link", "object"}.isdisjoint(page.tags)
    assert "prefers-color-scheme: dark" in page.source
    assert "url(" not in page.source


def test_an_empty_history_is_an_empty_file_or_page(tmp_path: Path) -> None:
    for ending in ENDINGS:
        export([], tmp_path / f"empty{ending}")
    assert (tmp_path / "empty.txt").read_bytes() == b""
    assert "0 messages" in Page(tmp_path / "empty.html").text


def test_a_name_has_one_colour_however_it_is_spelled(tmp_path: Path) -> None:
    messages = [chat_message(1, sender="Erick"), chat_message(2, sender="ERICK"), chat_message(3, sender="Igor")]
    export(messages, tmp_path / "page.html")
    colours = [attributes["style"] for tag, attributes in Page(tmp_path / "page.html").elements if tag == "bdi"]
    assert colours[0] == colours[1] != colours[2]


# -- what strangers write -----------------------------------------------------------------------------------------


def test_hostile_texts_show_as_what_they_are(tmp_path: Path) -> None:
    harmless = page_of(tmp_path, *("hi" for _ in HOSTILE)).tags
    (tmp_path / "page.html").unlink()
    page = page_of(tmp_path, *HOSTILE)
    assert page.tags - {"br"} == harmless - {"br"}
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert str(attributes.get("href", "#m")).startswith(("#m", "https://example.org/"))
    for shown in ("<script>alert(1)</script>", "&lt;script&gt;", "␛[2J␛]0;owned␇", "abc\\u202edef",
                  "zero\\u200bwidth\\u2060joined", "{room} %s {0.__class__}"):  # fmt: skip
        assert shown in page.text
    assert all(character.isprintable() or character == "\n" for character in page.source)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_and_rooms_show_as_what_they_are(tmp_path: Path, hostile: str) -> None:
    export([Message(1, hostile, hostile, "hi", 0), joined_message(2, hostile)], tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert {"script", "svg", "img"}.isdisjoint(page.tags)
    assert page.text.count("alert(1)") == (4 if "alert(1)" in hostile else 0)
    assert not page.links


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("see https://example.org/a?b=1&c=2.", "https://example.org/a?b=1&c=2"),
        ("https://example.org/?a=1&copy=2", "https://example.org/?a=1&copy=2"),
        ("(https://example.org/a_(b))", "https://example.org/a_(b)"),
        ("HTTP://EXAMPLE.ORG!", "HTTP://EXAMPLE.ORG"),
        ("<https://example.org>", "https://example.org"),
    ],
)
def test_addresses_are_links_without_the_sentence_around_them(tmp_path: Path, text: str, address: str) -> None:
    page = page_of(tmp_path, text)
    assert page.links == [{"href": address, "rel": "noopener noreferrer"}]
    assert text in page.text


@pytest.mark.parametrize("text", ["javascript:alert(1)", "ftp://example.org", "file:///etc/passwd", "mailto:a@b.c", "http://",
                                  "https://...", "//example.org", "data:,x"])  # fmt: skip
def test_nothing_else_is_a_link(tmp_path: Path, text: str) -> None:
    page = page_of(tmp_path, text)
    assert page.links == []
    assert text in page.text


# -- the file ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lobby", "lobby.pdf", "lobby.html.bak", ".html", "lobby.", "html"])
def test_any_other_ending_is_refused_with_those_that_there_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidArgument, match=r"\.txt, \.jsonl, \.html"):
        export([chat_message(1)], tmp_path / name)
    assert not list(tmp_path.glob("lobby*"))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_is_there_stays_unless_told_otherwise(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"diary{ending}"
    file.write_text("dear diary")
    with pytest.raises(InvalidArgument, match=r"is there already.*overwrite=True"):
        export([chat_message(1)], file)
    assert file.read_text() == "dear diary"
    export([chat_message(1)], file, overwrite=True)
    assert "dear diary" not in file.read_text()
    assert [path.name for path in tmp_path.glob(".*.part")] == []


def test_a_file_that_comes_meanwhile_stays_too(tmp_path: Path) -> None:
    file = tmp_path / "diary.txt"

    class Slow(list[Message]):
        def __iter__(self) -> Iterator[Message]:
            file.write_text("dear diary")
            return super().__iter__()

    with pytest.raises(InvalidArgument, match="is there already"):
        export(Slow([chat_message(1)]), file)
    assert file.read_text() == "dear diary"
    assert list(tmp_path.glob(".*.part")) == []


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        export([chat_message(1)], tmp_path / "lobby.txt")
    finally:
        os.umask(before)
    assert (tmp_path / "lobby.txt").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    (tmp_path / "old.txt").write_text("old")
    for file in ("new.txt", "old.txt"):
        with pytest.raises(Unavailable, match="No space left on device"):
            export([chat_message(1)], tmp_path / file, overwrite=True)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["old.txt"]
    assert (tmp_path / "old.txt").read_text() == "old"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("missing/lobby.txt", Unavailable), ("x" * 300 + ".txt", Unavailable), ("zero\0byte.txt", InvalidArgument),
     ("~nobody-has-this-name/lobby.txt", InvalidArgument), ("/dev/full/lobby.txt", Unavailable)],
)  # fmt: skip
def test_what_cannot_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: type[Exception]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind) as refused:
        export([chat_message(1)], Path(name))
    assert "\n" not in str(refused.value)
    assert "choose another" in str(refused.value)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_large_history_is_streamed(tmp_path: Path, ending: str) -> None:
    messages = [chat_message(id, f"text {id}") for id in range(1, 20_001)]
    file = tmp_path / f"large{ending}"
    tracemalloc.start()
    try:
        export(messages, file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert file.stat().st_size > 800_000
    assert peak < 300_000


# -- the command ----------------------------------------------------------------------------------------------------


def test_the_command_writes_the_history_and_says_so(
    joined: Join, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    ana = joined("Ana")
    ana.send("olá")
    assert answer(ChatCommand("export", "~/lobby.txt"), ana, PlainLines()) == [
        f"-- 2 messages written to {tmp_path}/lobby.txt"
    ]
    assert (tmp_path / "lobby.txt").read_text().endswith("Ana: olá\n")
    file = tmp_path / "a lobby.html"
    [line] = answer(ChatCommand("export", str(file)), ana, JsonLines())
    assert json.loads(line) == {"type": "export", "file": str(file), "messages": 2}
    with pytest.raises(InvalidArgument, match="is there already"):
        answer(ChatCommand("export", str(file)), ana, PlainLines())


@pytest.mark.parametrize("ending", ENDINGS)
def test_found_14_odd_messages_are_exported(tmp_path: Path, ending: str) -> None:
    odd = [
        chat_message(1)._replace(time_us=-(1 << 63)), chat_message(2)._replace(time_us=(1 << 63) - 1),
        chat_message(3, "hidden")._replace(kind="poll"),
    ]  # fmt: skip
    content = export(odd, tmp_path / f"odd{ending}").read_text()
    assert "1970" in content
    assert "9000" in content
    assert "poll" in content
    assert ("hidden" in content) == (ending == ".jsonl")
