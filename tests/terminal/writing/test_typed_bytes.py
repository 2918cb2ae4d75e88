"""What a terminal sends becomes keys: odd bytes and late answers are no keys, and nothing is lost of what is typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual._xterm_parser import XTermParser

from pyrochat.terminal.writing.typed_bytes import TypedBytes


def typed(*reads: bytes) -> str:
    """What *reads*, one after the other, stand for."""
    feed = TypedBytes().feed
    return "".join(map(feed, reads))


def keys(*reads: bytes) -> list[str]:
    found = XTermParser().feed(typed(*reads))
    return [event.key for event in found if isinstance(event, events.Key)]


def test_what_is_not_utf_8_shows_as_what_it_is() -> None:
    assert typed(b"caf\xe9 ol\xc3\xa1") == "caf\ufffd olá"
    assert typed("olá".encode()[:3], "olá".encode()[3:]) == "olá"
    assert TypedBytes().feed(b"\xc3", final=True) == "\ufffd"


@pytest.mark.parametrize(
    "answer",
    [
        b"\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\", b"\x1b]10;rgb:ff/ff/ff\x07", b"\x1b]52;c;b2zDoQ==\x07", b"\x1bP>|xterm(390)\x1b\\",
        b"\x1bP1$r0m\x1b\\", b"\x1b_Gi=31;OK\x1b\\", b"\x1b[?62;22c", b"\x1b[>41;354;0c", b"\x1b[0n", b"\x1b[?0u", b"\x1b[8;24;80t",
    ],
)  # fmt: skip
def test_late_answers_of_the_terminal_type_nothing(answer: bytes) -> None:
    assert keys(b"a" + answer + b"b") == ["a", "b"]
    if answer[1:2] in b"]P_":
        for cut in range(3, len(answer)):
            assert typed(b"a" + answer[:cut], answer[cut:] + b"b")[:1] == "a"
            assert typed(b"a" + answer[:cut], answer[cut:] + b"b").endswith("b")


def test_alt_with_enter_or_a_digit_is_a_key_of_its_own() -> None:
    assert keys(b"\x1b\r") == keys(b"\x1b\n") == keys(b"\x1b[27;3;13~") == ["alt+enter"]
    assert keys(b"\x1b1") == ["alt+1"]
    assert keys(b"\x1b9x") == ["alt+9", "x"]
    assert keys(b"\x1b[27;5;46~") == ["ctrl+full_stop"]
    assert keys(b"\x1b[A\x1b[1;5A") == ["up", "ctrl+up"]


def test_what_is_pasted_stays_as_it_is() -> None:
    text = "\x1b1 \x1b]11;x\x07 \x1b[?62c caf\ufffd"
    assert typed(b"\x1b[200~" + text.encode()[:9], text.encode()[9:] + b"\x1b[201~\x1b1") == (
        f"\x1b[200~{text}\x1b[201~\x1b[49;3u"
    )


def test_a_string_that_never_ends_swallows_no_more_than_its_bound() -> None:
    feed = TypedBytes().feed
    assert feed(b"\x1b]0;" + b"x" * 70_000) == ""
    assert feed(b"typed") == "typed"


@given(st.lists(st.binary(max_size=20), max_size=10))
def test_any_bytes_become_text(reads: list[bytes]) -> None:
    assert typed(*reads).isascii() or typed(*reads).encode()


@given(st.text(st.characters(exclude_characters="\x1b", exclude_categories=["Cs"]), max_size=50), st.integers(0, 200))
def test_what_has_no_escapes_comes_as_it_was_typed(text: str, cut: int) -> None:
    data = text.encode()
    assert typed(data[:cut], data[cut:]) == text
