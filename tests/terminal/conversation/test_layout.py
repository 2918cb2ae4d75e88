"""From texts of strangers to lines: none too wide, nothing lost, nothing that a terminal would obey."""

from __future__ import annotations

import unicodedata
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from pyrochat.terminal.conversation.layout import (
    NAME_COLOURS,
    Look,
    colour_of,
    day_label,
    lay_out,
    name_cells,
    separator,
    with_state,
)
from pyrochat.terminal.conversation.markup import Line, Span
from pyrochat.values.mentions import find_mentions, mentions
from pyrochat.values.message import SYSTEM
from pyrochat.values.rules import MAX_TEXT_BYTES, checked_name
from pyrochat.values.visible import visible
from tests.support import chat_message, joined_message, left_message
from tests.terminal.conversation.support import conversation, hostile_texts, roles, text_of

LOOKS = st.builds(
    Look,
    st.integers(10, 200),
    st.sampled_from(["Ana", "Own"]),
    st.sampled_from(["%H:%M", "%A, %d %B %Y %H:%M:%S", "%c %c %c"]),
    st.booleans(),
    st.integers(4, 12),
)
NAMES = st.sampled_from(["Ana", "Own", "W" * 32, "日" * 32, "हिन्दी", "e\u0301", "\x1b[2J\n\u202e"]) | hostile_texts(
    2
).filter(bool)
IDS = st.sampled_from([1, 999, 1_234_567, 1 << 45])
UNSHOWN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
LONGEST = {
    "without a space": "x" * MAX_TEXT_BYTES,
    "wide": "日" * (MAX_TEXT_BYTES // 3),
    "escapes": "\x1b" * MAX_TEXT_BYTES,
    "bidi": "\u202e" * (MAX_TEXT_BYTES // 3),
    "tabs": "\t" * MAX_TEXT_BYTES,
    "lines": "\r\n" * (MAX_TEXT_BYTES // 2),
    "spaces": " " * MAX_TEXT_BYTES,
    "accents": "e" + "\u0301" * (MAX_TEXT_BYTES // 2 - 1),
    "families": "👨\u200d👩\u200d👧" * (MAX_TEXT_BYTES // 18),
    "mentions": "@a " * (MAX_TEXT_BYTES // 3),
    "dots behind a link": "http://" + "." * (MAX_TEXT_BYTES - 7),
}


def cells(line: Line) -> int:
    return max(cell_len(text_of(line)), sum(cell_len(span.text) for span in line))


def body(lines: list[Line]) -> str:
    """The text alone, without the head of the first line and the indent of the others."""
    head = next(at for at, span in enumerate(lines[0]) if span.role.startswith("name"))
    return "".join([text_of(lines[0][head + 2 :]), *(text_of(line[1:]) for line in lines[1:])])


def without_spaces(text: str) -> str:
    return "".join(text.split())


def check(text: str, look: Look, sender: str = "Ana", id: int = 7) -> None:
    lines = lay_out([chat_message(id, text, sender)], look)
    assert max(cells(line) for line in [*lines[:-1], with_state(lines[-1], "✓✓", look.width)]) <= look.width
    expected = (
        "(deleted)"
        if not text
        else "".join(visible(part) for part in text.replace("\r\n", "\n").replace("\t", " ").split("\n"))
    )
    assert without_spaces(body(lines)) == without_spaces(expected)
    everything = "".join(map(text_of, lines))
    assert {c for c in everything if unicodedata.category(c) in UNSHOWN} <= {"\u200c", "\u200d"}


@given(hostile_texts(), LOOKS, NAMES, IDS)
@example("x", Look(10, "Ana", with_ids=True), "Erick", 999)
@example("日", Look(10, "Ana", with_ids=True), "日本", 1)
@example("#1\ufe0f\u20e3 @a1\ufe0f\u20e3", Look(10, "Ana"), "Ana", 1)
def test_no_line_is_too_wide_and_nothing_is_lost_or_obeyed(text: str, look: Look, sender: str, id: int) -> None:
    check(text, look, sender, id)


@pytest.mark.parametrize("width", [10, 49, 50, 200])
@pytest.mark.parametrize("text", LONGEST.values(), ids=LONGEST)
def test_the_longest_texts_fit_too(text: str, width: int) -> None:
    check(text, Look(width, "Ana"))


@given(st.lists(st.tuples(NAMES, st.booleans()), min_size=1, max_size=20), LOOKS, IDS)
def test_no_line_of_joins_and_leaves_is_too_wide(changes: list[tuple[str, bool]], look: Look, id: int) -> None:
    run = [(joined_message if joins else left_message)(id + at, name) for at, (name, joins) in enumerate(changes)]
    for line in lay_out(run, look):
        assert cells(line) <= look.width
        assert {c for c in text_of(line) if unicodedata.category(c) in UNSHOWN} <= {"\u200c", "\u200d"}


@given(st.integers(10, 200), st.dates(), st.integers(0, 2))
def test_a_separator_is_as_wide_as_the_page(width: int, day: date, days: int) -> None:
    today = date.fromordinal(min(day.toordinal() + days, date.max.toordinal()))
    assert cells(separator(day_label(day, today), width, "day")) == width


# -- what stands where -------------------------------------------------------------------------------------------


def test_a_message_has_its_time_and_name_and_goes_on_below_itself() -> None:
    message = chat_message(12, "one two three four five six seven eight nine ten", "Ana")
    clock = f"{message.time.astimezone():%H:%M}"
    assert [text_of(line) for line in lay_out([message], Look(50, "Own"))] == [
        f"{clock} Ana   one two three four five six seven ",
        f"{' ' * 12}eight nine ten",
    ]
    assert [text_of(line) for line in lay_out([message], Look(30, "Own", with_ids=True))] == [
        "#12 Ana: one two three four",
        "  five six seven eight nine",
        "  ten",
    ]


def test_newlines_of_a_text_are_kept_and_tabs_have_width() -> None:
    lines = lay_out([chat_message(1, "a\r\n\tb\n\nc", "Ana")], Look(30, "Own"))
    assert [text_of(line) for line in lines] == ["Ana: a", "      b", "  ", "  c"]


def test_a_long_name_is_cut_and_its_text_is_not() -> None:
    [line] = lay_out([chat_message(1, "hi", "Bartholomew-the-Third")], Look(80, "Own", name_cells=12))
    assert text_of(line).split()[1:] == ["Bartholomew…", "hi"]
    [name, text] = lay_out([chat_message(1, "a text", "Bartholomew-the-Third")], Look(20, "Own"))
    assert [text_of(name), text_of(text)] == ["Bartholomew-th…: ", "  a text"]


def test_a_time_that_takes_all_the_room_is_left_out() -> None:
    look = Look(50, "Own", "%A, %d %B %Y %H:%M:%S %Z")
    assert text_of(lay_out([chat_message(1, "hi", "Ana")], look)[0]) == "Ana   hi"
    assert "2023" in text_of(lay_out([chat_message(1, "hi", "Ana")], Look(120, "Own", look.time_format))[0])


def test_links_mentions_and_references_are_marked() -> None:
    text = "see https://a.org/x_(y), @Own @Igor: #12, a#13 e@f. (http://b.org)"
    assert roles(lay_out([chat_message(1, text, "Ana")], Look(200, "own")))[2:] == [
        ("https://a.org/x_(y", "link https://a.org/x_(y"),
        ("@Own", "mentioned"),
        ("@Igor", "mention"),
        ("#12", "reference 12"),
        ("@f", "mention"),
        ("http://b.org", "link http://b.org"),
    ]


def test_a_link_over_several_lines_is_one_link() -> None:
    link = "https://example.org/" + "abcdefghij" * 8
    lines = lay_out([chat_message(1, f"see {link} there", "Ana")], Look(30, "Own"))
    pieces = [span for line in lines for span in line if span.role == f"link {link}"]
    assert len(pieces) > 3
    assert "".join(span.text for span in pieces) == link


def test_a_link_that_hides_something_leads_where_it_seems_to() -> None:
    [line] = lay_out([chat_message(1, "https://a.org/\u202egro.b", "Ana")], Look(200, "Own"))
    assert Span("https://a.org/\\u202egro.b", "link https://a.org/\\u202egro.b") in line


def test_the_column_of_names_grows_with_the_names_up_to_a_bound() -> None:
    look = name_cells(Look(80, "Own"), ["Ana", "Zo\u200bë"])
    assert look.name_cells == 9  # what has no width is shown
    assert name_cells(look, ["Ana"]) == name_cells(look, []) == look
    assert name_cells(look, ["日" * 32]).name_cells == 12
    lines = [text_of(lay_out([chat_message(1, "hi", name)], look)[0]) for name in ("Ana", "Zo\u200bë", "Bartholomew")]
    assert {cell_len(line.partition("hi")[0]) for line in lines} == {6 + 9 + 2}


def test_ones_own_name_says_so_and_the_state_is_at_the_right_end() -> None:
    [line] = lay_out([chat_message(1, "hi", "OWN")], Look(60, "Own"))
    assert line[1] == Span("OWN", f"name{colour_of('own')} own")
    shown = with_state(line, "✓", 60)
    assert text_of(shown).endswith("hi" + " " * 45 + "✓")
    assert cells(shown) == 60


# -- joins and leaves ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ("+Ana", "Ana joined"),
        ("-Ana", "Ana left"),
        ("+Ana +Igor", "Ana, Igor joined"),
        ("+Ana -Igor", "Ana joined · Igor left"),
        ("+Ana -Ana", "Ana joined and left"),
        ("-Ana +Ana", "Ana left and joined"),
        ("+Ana -Ana +Ana", "Ana joined"),
        ("-Ana +Ana -Ana", "Ana left"),
        ("+Ana -Ana +Ana -Ana", "Ana joined and left"),
        ("+a +b +c +d +e +f +g +h", "a, b, c, d, e, f and 2 more joined"),
    ],
)
def test_a_run_says_who_has_come_and_who_has_gone(changes: str, told: str) -> None:
    run = [
        (joined_message if change[0] == "+" else left_message)(id, change[1:])
        for id, change in enumerate(changes.split(), 1)
    ]
    assert [text_of(line) for line in lay_out(run, Look(45, "Own"))] == [f"· {told}"]


def test_what_the_room_says_otherwise_is_shown_as_it_is() -> None:
    message = joined_message(1, "Ana")._replace(text="the room has moved\x1b", kind=SYSTEM, change=None)
    assert text_of(lay_out([message], Look(40, "Own"))[0]) == "· the room has moved␛"


def test_a_long_run_goes_on_below_itself() -> None:
    run = [joined_message(id, f"member-{id}") for id in range(1, 7)]
    lines = [text_of(line) for line in lay_out(run, Look(30, "Own"))]
    assert lines == ["· member-1, member-2, ", "  member-3, member-4, ", "  member-5, member-6 joined"]


# -- names and days ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "is_one"),
    [
        ("@Ana", "ana", True),
        ("hi @ANA!", "Ana", True),
        ("@Ana: hi", "Ana", True),
        ("(@Ana)", "Ana", True),
        ("@Ana.", "Ana", True),
        ("你好@Ana,再见", "Ana", True),
        ("@Ana-Maria", "Ana", False),
        ("@Anabel", "Ana", False),
        ("Ana", "Ana", False),
        ("@ Ana", "Ana", False),
        ("@", "Ana", False),
        ("@Jose\u0301 and @Zoë", "José", True),
        ("@Jose\u0301", "Jose", False),
        ("नमस्ते @हिन्दी!", "हिन्दी", True),
        ("@STRASSE", "straße", True),
        ("@J.R.-Ewing", "j.r.-ewing", True),
        ("https://a.org/@Ana", "Ana", False),
        ("see https://a.org/ @Ana", "Ana", True),
        ("me@ana.example", "Ana", False),
        ("@Erickさん、会議", "Erick", True),
        ("@张三你好", "张三", True),
        ("@สมชายครับ", "สมชาย", True),
        ("＠Erick", "Erick", True),
        ("@Ｅｒｉｃｋ", "Erick", True),
        ("@Erick.Then", "Erick", True),
        ("@Erick-2", "Erick", False),
        ("@Erick_", "Erick", False),
        ("@" * 5000 + "Erick", "Erick", False),
    ],
)
def test_a_name_is_mentioned_as_a_whole(text: str, name: str, is_one: bool) -> None:
    assert checked_name(name)
    assert mentions(text, name) is is_one


def test_the_longest_name_that_is_known_is_meant() -> None:
    known = {"erick", "erick.then"}
    assert not mentions("@Erick.Then", "Erick", known)
    assert mentions("@Erick.Then", "Erick.Then", known)
    assert mentions("@Erick.", "Erick", known)
    assert [(m.start, m.end, m.member) for m in find_mentions("a @Erick, @张三你好", {"erick", "张三"})] == [
        (2, 8, "erick"), (10, 13, "张三"),
    ]  # fmt: skip


@given(st.text(max_size=10))
def test_a_name_has_one_colour_in_every_spelling(name: str) -> None:
    assert 0 <= colour_of(name) < NAME_COLOURS
    assert colour_of(name) == colour_of(unicodedata.normalize("NFD", name))
    assert colour_of("Zoë") == colour_of("ZOË")


def test_names_have_different_colours() -> None:
    assert {colour_of(f"member-{number}") for number in range(200)} == set(range(NAME_COLOURS))


def test_days_are_called_as_people_call_them() -> None:
    today = date(2024, 5, 2)
    assert day_label(today, today) == "Today, Thursday, 2 May 2024"
    assert day_label(date(2024, 5, 1), today) == "Yesterday, Wednesday, 1 May 2024"
    assert day_label(date(2024, 4, 30), today) == "Tuesday, 30 April 2024"
    assert day_label(date(2024, 5, 3), today) == "Friday, 3 May 2024"


def test_each_entry_is_laid_out_by_itself() -> None:
    look = Look(60, "Own")
    messages = conversation("jao")
    assert [len(lay_out([message], look)) for message in messages] == [1, 1, 1]


def test_found_14_odd_messages_are_laid_out() -> None:
    look = Look(100, "Ana", "%Y-%m-%d %H:%M:%S %c", with_ids=True)
    for time_us in (-(1 << 63), (1 << 63) - 1):
        assert "hi" in text_of(lay_out([chat_message(1)._replace(time_us=time_us)], look)[0])
    lines = lay_out([chat_message(1, "hidden")._replace(kind="poll")], look)
    shown = " ".join(text_of(line) for line in lines)
    assert "the kind 'poll'" in shown
    assert "hidden" not in shown
