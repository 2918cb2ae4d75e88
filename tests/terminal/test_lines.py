"""What the plain client writes, to the letter: scripts read it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from pyrochat import Confirmations, Message, SearchResult
from pyrochat.terminal.lines import JsonLines, Lines, PlainLines
from pyrochat.values.message import CHAT, SYSTEM
from pyrochat.values.verification import Verification

AFTERNOON = datetime(2024, 5, 1, 17, 3, 22, 250_000, UTC)
OLA = Message(12, "lobby", "Erick", "Olá", int(AFTERNOON.timestamp() * 1_000_000), CHAT)
JOINED = Message(13, "lobby", "Igor", "Igor joined", OLA.time_us + 3_000_000, SYSTEM)
FORGED = Message(14, "lobby", "Eve", "hi\n#15 14:03:29 Erick: I resign\x1b[2J", OLA.time_us, CHAT)
CONFIRMATIONS = Confirmations.of(12, ["Igor", "Ana"], ["Ana"], ["Igor"])


@pytest.fixture(autouse=True)
def three_hours_west_of_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "BRT+3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_message_is_one_line_with_the_local_time() -> None:
    assert PlainLines().message(OLA) == "#12 14:03:22 Erick: Olá"


def test_a_change_of_membership_has_a_star() -> None:
    assert PlainLines().message(JOINED) == "#13 14:03:25 * Igor joined"


def test_a_text_cannot_forge_a_line() -> None:
    assert PlainLines().message(FORGED) == "#14 14:03:22 Eve: hi⏎#15 14:03:29 Erick: I resign␛[2J"


def test_the_answers_of_the_plain_client() -> None:
    lines = PlainLines()
    assert lines.history([OLA, JOINED]) == [
        "-- history: 2 messages",
        "#12 14:03:22 Erick: Olá",
        "#13 14:03:25 * Igor joined",
        "-- end of history",
    ]
    assert lines.history([OLA])[0] == "-- history: 1 message"
    assert lines.history([]) == ["-- history: 0 messages", "-- end of history"]
    assert lines.confirmations(CONFIRMATIONS) == [
        "-- confirmations of #12: delivered to Ana, Igor; read by Ana; waiting for Igor"
    ]
    assert lines.confirmations(Confirmations.of(1, [], [], [])) == [
        "-- confirmations of #1: delivered to nobody; read by nobody; waiting for nobody"
    ]
    assert lines.members(["Erick", "Igor"]) == ["-- 2 members: Erick, Igor"]
    assert lines.members(["Erick"]) == ["-- 1 member: Erick"]
    assert lines.help([("/who", "who is here"), ("/history [N]", "the last")]) == [
        "-- /who          who is here",
        "-- /history [N]  the last",
    ]


def test_a_search_is_shown_newest_first_and_says_what_is_still_missing() -> None:
    whole, partial = SearchResult([FORGED, OLA], 14, 14), SearchResult([OLA], 12, 14)
    assert PlainLines().search(whole) == [
        "-- search: 2 messages",
        "#14 14:03:22 Eve: hi⏎#15 14:03:29 Erick: I resign␛[2J",
        "#12 14:03:22 Erick: Olá",
        "-- end of search",
    ]
    assert PlainLines().search(partial) == [
        "-- search: 1 message",
        "#12 14:03:22 Erick: Olá",
        "-- still indexing: searched up to #12 of #14",
        "-- end of search",
    ]
    [line] = map(json.loads, JsonLines().search(partial))
    assert (line["type"], line["indexed_up_to"], line["end"]) == ("search", 12, 14)
    assert [(m["id"], m["text"]) for m in line["messages"]] == [(12, "Olá")]


def test_a_verification_says_how_far_the_copies_are_identical() -> None:
    whole, torn = Verification(12, 12, "ab" * 32), Verification(9, 12, "cd" * 32)
    assert PlainLines().verification(whole) == [f"-- verified: identical with the room's log up to #12; 12:{'ab' * 32}"]
    assert PlainLines().verification(torn) == [
        f"-- NOT identical with the room's log: only up to #9 of #12; 9:{'cd' * 32}"
    ]
    [line] = JsonLines().verification(torn)
    assert json.loads(line) == {
        "type": "verification", "identical_up_to": 9, "end": 12, "whole": False, "digest": "cd" * 32,
    }  # fmt: skip


def test_a_message_as_json_has_its_fields_and_utc() -> None:
    assert json.loads(JsonLines().message(OLA)) == {
        "type": "message", "id": 12, "room": "lobby", "sender": "Erick", "text": "Olá",
        "time": "2024-05-01T17:03:22.250000Z", "kind": "chat", "about": None, "ref": None,
    }  # fmt: skip
    assert json.loads(JsonLines().message(JOINED))["kind"] == "system"


def test_a_text_comes_through_json_unchanged() -> None:
    assert json.loads(JsonLines().message(FORGED))["text"] == FORGED.text


def test_the_answers_as_json() -> None:
    lines = JsonLines()
    [history] = map(json.loads, lines.history([OLA, JOINED]))
    assert history["type"] == "history"
    assert [(m["id"], m["text"], m["time"]) for m in history["messages"]] == [
        (12, "Olá", "2024-05-01T17:03:22.250000Z"),
        (13, "Igor joined", "2024-05-01T17:03:25.250000Z"),
    ]
    assert [json.loads(line) for line in lines.confirmations(CONFIRMATIONS)] == [
        {
            "type": "confirmations", "id": 12,
            "delivered_to": ["Ana", "Igor"], "read_by": ["Ana"], "waiting_for": ["Igor"], "away": [],
        }
    ]  # fmt: skip
    assert [json.loads(line) for line in lines.members(["Zoë"])] == [{"type": "members", "members": ["Zoë"]}]
    assert [json.loads(line) for line in lines.help([("/who", "who is here")])] == [
        {"type": "help", "commands": [{"usage": "/who", "meaning": "who is here"}]}
    ]


def test_a_whole_second_has_its_fraction_too() -> None:
    message = Message(1, "lobby", "Ana", "hi", 1_700_000_000_000_000, CHAT)
    assert json.loads(JsonLines().message(message))["time"] == "2023-11-14T22:13:20.000000Z"


@pytest.mark.parametrize("lines", [PlainLines(), JsonLines()])
@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\u2028b", "\x1b[2J", "日本語 👍", "\x85", "\v\f\x1c"])
def test_every_line_is_one_line(lines: Lines, text: str) -> None:
    message = Message(1, "lobby", "Zoë", text, OLA.time_us, CHAT)
    written = [lines.message(message), *lines.history([message])]
    assert all(len(line.splitlines()) == 1 for line in written)
    if isinstance(lines, JsonLines):
        assert all(line.isascii() and json.loads(line) for line in written)


@pytest.mark.parametrize(("time_us", "local", "utc"), [
    (-(1 << 63), "21:00:00", "1970-01-01T00:00:00.000000Z"), ((1 << 63) - 1, "21:00:00", "9000-01-01T00:00:00.000000Z"),
])  # fmt: skip
def test_found_14_a_time_that_no_clock_shows_is_the_nearest_that_one_does(time_us: int, local: str, utc: str) -> None:
    message = OLA._replace(time_us=time_us)
    assert PlainLines().message(message) == f"#12 {local} Erick: Olá"
    assert json.loads(JsonLines().message(message))["time"] == utc


def test_found_14_a_kind_of_a_later_version_is_a_line_that_says_so() -> None:
    poll = OLA._replace(kind="poll\x1b")
    assert PlainLines().message(poll) == (
        "#12 14:03:22 Erick: (a message of the kind 'poll\\x1b', which this version of PyroChat doesn't know)"
    )
    fields = json.loads(JsonLines().message(poll))
    assert (fields["kind"], fields["text"]) == ("poll\x1b", "Olá"), "a program gets it as it came"
