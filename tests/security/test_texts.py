"""What strangers write, as the clients print it in real processes: nothing obeyed, nothing hidden, one line each."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import pytest

import pyrochat
from pyrochat import Server
from pyrochat.pyro.naming import NameServer
from pyrochat.trust.keys import Key
from pyrochat.values.errors import NameTaken
from pyrochat.values.visible import visible
from pyrochat.values.wire_errors import wire_text
from tests.security.support import Impostor, honest_answer
from tests.support import QUICK, bare
from tests.system.support import Machine, Process

LONGEST = "x" * 16_384
HOSTILE = {
    "clear the screen": ("\x1b[2J\x1b[Hgone", "␛[2J␛[Hgone"),
    "set the title": ("\x1b]0;pwned\a", "␛]0;pwned␇"),
    "write the clipboard": ("\x1b]52;c;cm0gLXJm\x1b\\", "␛]52;c;cm0gLXJm␛\\"),
    "C1 controls": ("\x9b31mred\x9c", "\\u009b31mred\\u009c"),
    "overwrite the line": ("me\r#1 00:00:00 Ana: forged", "me␍#1 00:00:00 Ana: forged"),
    "backspaces": ("safe\b\b\b\bevil", "safe␈␈␈␈evil"),
    "a second line": ("one\n#9 12:00:00 Ana: forged", "one⏎#9 12:00:00 Ana: forged"),
    "separators": ("a\u2028b\u2029c\x85d\x0be\x0cf", "a⏎b⏎c⏎d␋e␌f"),
    "rich markup": ("[bold red]loud[/] [link=http://x]y[/link] [/nothing]", None),
    "styles of prompt_toolkit": ("<ansired>x</ansired> %s {0} \\u0041", None),
    "an override": ("invoice\u202efdp.exe", "invoice\\u202efdp.exe"),
    "isolates": ("\u2066a\u2067b\u2068c\u2069", "\\u2066a\\u2067b\\u2068c\\u2069"),
    "zero width": ("pay\u200bpal\u2060\ufeff\u00ad", "pay\\u200bpal\\u2060\\ufeff\\u00ad"),
    "tags": ("hi\U000e0041\U000e0042", "hi\\U000e0041\\U000e0042"),
    "nul and delete": ("\0\x7f", "␀␡"),
    "the longest word": (LONGEST, None),
    "the longest escapes": ("\x1b" * 16_384, "␛" * 16_384),
    "the widest": ("𝕏" * 4_096, None),
}


@pytest.fixture
def room(machine: Machine) -> Iterator[Server]:
    with pyrochat.host("lobby", data=machine.folder / "data", nameserver=False, timing=QUICK) as server:
        yield server


def all_printed(process: Process) -> str:
    return "\n".join([*process.lines, *process.errors])


def check_harmless(printed: str) -> None:
    """Nothing in *printed* that a terminal would obey, or that would not be seen."""
    hidden = {f"U+{ord(c):04X}" for c in printed if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")}
    assert hidden == set()


def test_the_clients_print_hostile_texts_as_what_they_are(machine: Machine, room: Server) -> None:
    with bare(room, "Mallory", "msgpack") as mallory:
        for text, _ in HOSTILE.values():
            mallory.post(text)
    count = len(HOSTILE)
    plain = machine.start("pyrochat-client", "Ana", "--at", room.at)
    json = machine.start("pyrochat-client", "Igor", "--at", room.at, "--json")
    plain.wait_line("* Ana joined")
    json.wait_line("Igor joined")
    plain.write("/history 100", "/quit")
    json.write("/history 100", "/quit")
    assert (plain.wait(), json.wait()) == (0, 0)
    shown = [text if stand_in is None else stand_in for text, stand_in in HOSTILE.values()]
    assert plain.bodies[:count] == [f"Mallory: {text}" for text in shown]
    listed = [line for line in plain.lines if line.startswith("#")]
    assert len(listed) == len(plain.messages), "a line that looks like a message and is none"
    check_harmless(all_printed(plain))
    assert all(line.isascii() and line.isprintable() for line in json.lines)
    messages = [found for found in json.objects if found["type"] == "message"]
    assert [found["text"] for found in messages[:count]] == [text for text, _ in HOSTILE.values()]


def test_what_is_hidden_in_texts_live_is_seen_too(machine: Machine, room: Server) -> None:
    ana = machine.client("Ana", "--at", room.at)
    with bare(room, "Mallory") as mallory:
        mallory.post("\x1b[2Jlive\u202e")
        assert ana.wait_line("live").endswith("Mallory: ␛[2Jlive\\u202e")


def test_typed_bytes_that_are_no_text_are_refused_and_harmless(machine: Machine, room: Server) -> None:
    ana = machine.client("Ana", "--at", room.at)
    ana.write("\udcff\udc9b2J", "fine")
    ana.wait_line("Ana: fine")
    assert ana.finish() == 1
    assert any("not valid Unicode" in line for line in ana.complaints)
    check_harmless(all_printed(ana))


HIDING = {
    "variation selectors that smuggle bytes": "a" + "".join(chr(0xE0100 + byte) for byte in b"hidden"),
    "a variation selector on a letter": "a\ufe0f",
    "a joiner of graphemes": "pay\u034fpal",
    "a Hangul filler": "pay\u3164pal",
    "half-width and jamo fillers": "\uffa0\u115f\u1160",
    "Khmer's inherent vowels": "pay\u17b4\u17b5pal",
    "Mongolian selectors": "pay\u180bpal",
}


@pytest.mark.parametrize("text", HIDING.values(), ids=list(HIDING))
def test_letters_and_marks_that_show_as_nothing_are_seen(text: str) -> None:
    shown = visible(text)
    assert shown != text, "this has invisible characters"
    assert shown.isascii()


@pytest.mark.parametrize("text", ["❤️", "☎︎", "1️⃣", "👩‍❤️‍👨", "葛󠄀", "한국어", "Zoë"])
def test_what_belongs_to_a_script_stays(text: str) -> None:
    assert visible(text) == text


# -- what servers say ----------------------------------------------------------------------------------------------


ESCAPE = "\x1b]0;pwned\a\x1b[2J\u202e\x9b1m"


def test_what_a_hostile_server_says_is_harmless_too(machine: Machine) -> None:
    def refuse(*_: object) -> None:
        raise NameTaken(ESCAPE)

    answer = honest_answer(Key.made())
    nowhere = Impostor(answer, rooms=[f"r{ESCAPE}"])
    refusing = Impostor(answer, prove=refuse)
    older = Impostor(lambda greeting: {"version": ESCAPE})
    with nowhere, refusing, older:
        started = [machine.start("pyrochat-client", "Ana", "--at", each.at) for each in (nowhere, refusing, older)]
        for process in started:
            assert process.finish() == 1, str(process)
            assert len(process.errors) == 1
        assert "name-taken" in wire_text(NameTaken(ESCAPE))
        printed = "\n".join(map(all_printed, started))
    check_harmless(printed)


def test_what_a_name_server_says_is_harmless_too(machine: Machine) -> None:
    machine.nameserver()
    NameServer(("localhost", machine.nameserver_port)).register({f"pyrochat.r{ESCAPE}": "PYRO:x@localhost:1"})
    client = machine.run("pyrochat-client", "Ana")
    assert client.wait() == 1
    assert "knows no room 'lobby'" in all_printed(client)
    check_harmless(all_printed(client))


def test_what_is_typed_on_the_command_line_is_harmless_too(machine: Machine) -> None:
    """A line that somebody was talked into pasting."""
    started = [
        machine.start("pyrochat-client", f"Ana{ESCAPE}"),
        machine.start("pyrochat-client", "Ana", "--at", f"h{ESCAPE}"),
        machine.start("pyrochat-client", "Ana", "--fingerprint", f"f{ESCAPE}"),
    ]
    for process in started:
        assert process.finish() in (1, 2), str(process)
        assert len(process.errors) == 1
        check_harmless(all_printed(process))
