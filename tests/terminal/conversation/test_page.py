"""The page: what stands on the screen, whatever was there before."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pyrochat.terminal.conversation.layout import Look
from pyrochat.terminal.conversation.page import Page, Past
from pyrochat.terminal.conversation.progress import ReadProgress
from pyrochat.terminal.conversation.transcript import Transcript
from pyrochat.values.message import Message
from tests.support import chat_message
from tests.terminal.conversation.support import conversation, shown, text_of

A_DAY = date(2024, 1, 1)  # later than the messages


class Talk:
    """A page, and what is behind it."""

    def __init__(self, kinds: str = "", width: int = 40, height: int = 50) -> None:
        self.transcript = Transcript()
        self.progress = ReadProgress("Own")
        self.today = A_DAY
        self.page = Page(self.transcript, self.progress, "own", Look(width, "Own"), lambda: self.today)
        self.page.view.height = height
        self.extend(kinds)

    def extend(self, kinds: str) -> None:
        self.take(conversation(kinds, self.transcript.end))

    def take(self, messages: list[Message]) -> None:
        self.transcript.extend(messages)
        self.progress.follow(messages)

    def below_the_day(self) -> list[str]:
        """What is shown, without the line that names the first day."""
        day, *rest = shown(self.page)
        assert "2023" in day
        return rest


STEPS = st.lists(
    st.tuples(st.just("extend"), st.text("jloa", max_size=4))
    | st.tuples(st.just("outgoing"), st.lists(st.sampled_from(["one", "two", "three " * 9]), max_size=3))
    | st.tuples(
        st.just("unnumbered"),
        st.lists(st.builds(chat_message, st.just(0), st.sampled_from(["one", "two"])), max_size=2),
    )
    | st.tuples(st.just("new_after"), st.none() | st.integers(0, 20))
    | st.tuples(st.just("look"), st.builds(Look, st.sampled_from([30, 60]), st.just("Own"), with_ids=st.booleans()))
    | st.tuples(st.just("today"), st.sampled_from([date(2023, 11, 14), date(2023, 11, 15), A_DAY]))
    | st.tuples(st.just("marks"), st.integers(0, 20)),
    max_size=15,
)


@given(STEPS)
def test_a_page_is_what_it_would_be_if_it_were_made_now(steps: list[tuple[str, object]]) -> None:
    """Nothing that is kept to save work outlives what it was made of."""
    talk, kinds = Talk(), ""
    for name, value in steps:
        if name == "extend":
            assert isinstance(value, str)
            talk.extend(value)
            kinds += value
        elif name == "today":
            assert isinstance(value, date)
            talk.today = value
        elif name == "marks":
            assert isinstance(value, int)
            talk.progress.update({"Ana": (value, value // 2)})
        else:
            setattr(talk.page, name, value)
        fresh = Talk(kinds)
        fresh.today, fresh.progress = talk.today, talk.progress
        fresh.page = Page(fresh.transcript, talk.progress, "Own", talk.page.look, lambda: talk.today)
        fresh.page.view.height = 50
        fresh.page.unnumbered = talk.page.unnumbered
        fresh.page.outgoing, fresh.page.new_after = talk.page.outgoing, talk.page.new_after
        assert talk.page.rows() == fresh.page.rows()


def test_texts_on_their_way_stand_below_and_have_no_time_yet() -> None:
    talk = Talk("ja", width=60)
    talk.page.outgoing = ["first", "second"]
    last = talk.page.rows()[-2:]
    assert [text_of(row.line).split() for row in last] == [["Own", "first", "…"], ["Own", "second", "…"]]
    assert [(row.id, {span.role for span in row.line[:-1]}) for row in last] == [(0, {"outgoing"})] * 2
    assert text_of(last[0].line).index("first") == text_of(talk.page.rows()[-3].line).index("text 2")


def test_texts_on_their_way_move_down_when_something_comes_in_between() -> None:
    talk = Talk("j")
    talk.page.outgoing = ["first", "second"]
    talk.page.rows()
    talk.extend("a")
    talk.page.outgoing = ["first", "second"]
    assert [line.rstrip(" …") for line in shown(talk.page)[-3:]] == ["Ana: text 2", "Own: first", "Own: second"]


def test_others_texts_without_a_number_stand_below_and_above_ones_own_that_are_on_their_way() -> None:
    talk = Talk("ja", width=60)
    talk.page.outgoing = ["mine"]
    talk.page.unnumbered = [chat_message(0, "theirs", "Igor")]
    last = talk.page.rows()[-2:]
    assert [text_of(row.line).split() for row in last] == [["Igor", "theirs"], ["Own", "mine", "…"]]
    assert [(row.id, {span.role for span in row.line}) for row in last] == [
        (0, {"outgoing"}),
        (0, {"outgoing", "state"}),
    ]
    talk.extend("a")
    talk.page.unnumbered = []
    assert [line.split() for line in shown(talk.page)[-2:]][-1] == ["Own", "mine", "…"]
    assert "theirs" not in "".join(shown(talk.page))


def test_ones_own_messages_say_how_far_they_have_come() -> None:
    talk = Talk("jooaoo")
    talk.progress.update({"ana": (5, 2)})
    ends = [text_of(row.line).rpartition(" ")[2] for row in talk.page.rows()]
    assert ends[2:] == ["●", "✓✓", "4", "✓✓", "✓"]


def test_a_line_says_where_the_new_begins() -> None:
    talk = Talk("aoaa")
    talk.page.new_after = 2
    assert talk.below_the_day()[2] == "── new ".ljust(40, "─")
    talk.page.new_after = None
    assert not any("new" in line for line in shown(talk.page))


def test_the_new_begins_behind_a_run_of_joins_in_which_reading_stopped() -> None:
    talk = Talk("ajj")
    talk.page.new_after = 2
    talk.extend("jaa")
    lines = talk.below_the_day()
    assert [line.split()[-1] for line in lines[:2]] == ["1", "joined"]
    assert lines[2].startswith("── new ─")
    assert sum(line.startswith("── new") for line in lines) == 1


def test_days_are_separated_and_called_anew_at_midnight() -> None:
    talk = Talk()
    noon = chat_message(1, "hi", "Ana")
    next_day = chat_message(2, "ho", "Ana")._replace(time_us=noon.time_us + 86_400_000_000)
    talk.take([noon, next_day])
    day = noon.time.astimezone().date()
    talk.today = day + timedelta(days=1)
    lines = shown(talk.page)
    assert [line[3:].split(",")[0] for line in (lines[0], lines[2])] == ["Yesterday", "Today"]
    talk.today += timedelta(days=1)
    lines = shown(talk.page)
    assert [line[3:].split(",")[0] for line in (lines[0], lines[2])] == [f"{day:%A}", "Yesterday"]


def test_it_is_known_how_many_messages_have_come_below() -> None:
    talk = Talk("a" * 10 + "j" + "a" * 10, height=3)
    talk.page.rows()
    assert talk.page.come_below() == 0
    talk.page.view.scroll(-7)
    talk.page.rows()
    assert talk.page.come_below() == 0
    talk.extend("aja")
    talk.page.rows()
    assert talk.page.come_below() == 2
    talk.extend("o")
    talk.page.view.scroll(-7)
    talk.page.rows()
    assert talk.page.come_below() == 3
    talk.page.view.show_end()
    talk.page.rows()
    assert talk.page.come_below() == 0


def test_a_page_that_grows_to_the_end_has_nothing_below_it() -> None:
    talk = Talk("a" * 20, height=3)
    talk.page.rows()
    talk.page.view.scroll(-7)
    talk.extend("a")
    talk.page.rows()
    assert talk.page.come_below() == 1
    talk.page.view.height = 30
    assert talk.page.rows()[-1].id == 21
    assert talk.page.come_below() == 0


def test_a_page_without_messages_is_empty() -> None:
    talk = Talk()
    assert talk.page.rows() == []
    assert talk.page.come_below() == 0
    talk.page.outgoing = ["hi"]
    assert [line.split()[:2] for line in shown(talk.page)] == [["Own:", "hi"]]


def test_the_page_holds_still_while_others_write() -> None:
    talk = Talk("a" * 30, height=5)
    talk.page.view.scroll(-12)
    before = talk.page.rows()
    talk.extend("ajjal")
    assert talk.page.rows() == before
    talk.page.view.show_end()
    assert shown(talk.page)[-1] == "· Ana left"


def test_another_width_keeps_the_place() -> None:
    talk = Talk(height=4)
    talk.take([chat_message(id, "word " * 12, "Ana") for id in range(1, 40)])
    talk.page.view.show(20)
    first = talk.page.rows()[0].entry
    talk.page.look = Look(120, "Own")
    assert talk.page.rows()[0].entry == first


def test_little_is_laid_out_of_a_long_conversation() -> None:
    talk, asked = Talk("oa" * 20_000, height=40), set[int]()

    class Asked(Transcript):
        def entry(self, index: int) -> list[Message]:
            asked.add(index)
            return super().entry(index)

    transcript = Asked()
    transcript.extend([talk.transcript.message(id) for id in range(1, talk.transcript.end + 1)])
    page = Page(transcript, talk.progress, "Own", Look(80, "Own"))
    page.view.height = 40
    page.rows()
    page.view.show(10_000)
    page.rows()
    page.rows()
    assert len(asked) < 200


def test_found_27b_a_log_that_the_room_had_before_stays_above_a_line() -> None:
    """Nothing that acts on messages acts on it: its rows have no ids, and no state."""
    old, talk = Talk("ao"), Talk("")
    talk.page.past = Past("another log", [old.transcript])
    talk.extend("oa")
    rows = talk.page.rows()
    lines = [text_of(row.line) for row in rows]
    [at] = [at for at, line in enumerate(lines) if "another log" in line]
    assert [row.id for row in rows[:at]] == [0] * at
    assert lines[1:at] == [text_of(row.line).rstrip(" ✓") for row in old.page.rows()[1:]]
    assert [row.id for row in rows[at + 2 :]] == [1, 2]
    assert [row.entry for row in rows if row.is_last] == [-2, -1, 0, 1]
    talk.page.outgoing = ["on its way"]
    assert "on its way" in text_of(talk.page.rows()[-1].line)


def test_found_27b_a_page_with_an_older_log_is_scrolled_by_the_entries_of_this_one() -> None:
    old, talk = Talk("a" * 30), Talk("", height=6)
    talk.page.past = Past("another log", [old.transcript])
    talk.extend("a" * 30)
    talk.page.show(10)
    assert talk.page.rows()[2].id == 11
    talk.page.bring(25)
    assert 26 in [row.id for row in talk.page.rows()]
    talk.page.view.show_start()
    assert {row.id for row in talk.page.rows()} == {0}
    talk.page.view.show_end()
    assert talk.page.rows()[-1].id == 30


def test_found_27b_a_log_that_only_somebody_knew_before_is_named_above_this_one() -> None:
    talk = Talk("")
    talk.page.past = Past("another log than you knew")
    talk.extend("a")
    assert "another log than you knew" in shown(talk.page)[0]
    assert [row.entry for row in talk.page.rows()] == [0, 0, 0]
