"""What was sent before comes back, and what is being written is not lost by looking for it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyrochat.terminal.writing.typed import MOST_TYPED, TypedText

STEPS = st.lists(st.sampled_from(["older", "newer"]) | st.sampled_from(["a", "b", "c"]), max_size=40)


@given(st.lists(st.sampled_from("abc"), max_size=5), STEPS)
def test_it_is_a_walk_through_a_list(before: list[str], steps: list[str]) -> None:
    typed, texts = TypedText(before), list(before)
    at, written = len(texts), ""
    for number, step in enumerate(steps):
        if step == "older":
            now = f"being written {number}" if at == len(texts) else "looked at"
            written = now if at == len(texts) and texts else written
            assert typed.older(now) == (texts[at - 1] if at > 0 else None)
            at = max(at - 1, 0)
        elif step == "newer":
            expected = None if at == len(texts) else [*texts, written][at + 1]
            assert typed.newer() == expected
            at = min(at + 1, len(texts))
        else:
            typed.add(step)
            texts += [step] if texts[-1:] != [step] else []
            at = len(texts)
        assert typed.texts == texts


def test_what_is_being_written_is_there_again_behind_the_newest() -> None:
    typed = TypedText(["one", "two"])
    assert [typed.older("half"), typed.older("two"), typed.older("one")] == ["two", "one", None]
    assert [typed.newer(), typed.newer(), typed.newer()] == ["two", "half", None]


def test_the_oldest_are_forgotten() -> None:
    typed = TypedText(map(str, range(MOST_TYPED + 5)))
    assert (len(typed.texts), typed.texts[0]) == (MOST_TYPED, "5")
    typed.add("new")
    assert (len(typed.texts), typed.texts[0], typed.older("")) == (MOST_TYPED, "6", "new")


def test_the_same_text_twice_in_a_row_is_kept_once() -> None:
    typed = TypedText()
    for text in ("a", "a", "b", "a"):
        typed.add(text)
    assert typed.texts == ["a", "b", "a"]
