"""The part that is on the screen, against a model that has all lines in one list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyrochat.terminal.conversation.viewport import Anchor, Viewport

HEIGHTS = st.lists(st.integers(1, 7), max_size=12)
STEPS = st.lists(
    st.tuples(st.just("scroll"), st.integers(-40, 40))
    | st.tuples(st.just("page"), st.integers(-3, 3))
    | st.tuples(st.just("append"), HEIGHTS)
    | st.tuples(st.just("grow"), st.integers(1, 3))
    | st.tuples(st.just("widen"), st.lists(st.integers(1, 7), min_size=60, max_size=60))
    | st.tuples(st.just("resize"), st.integers(1, 20))
    | st.tuples(st.just("show"), st.integers(0, 70))
    | st.tuples(st.sampled_from(["show_end", "show_start"]), st.none()),
    max_size=25,
)


class Flat:
    """What a viewport shows, by a list of all lines."""

    def __init__(self, heights: list[int]) -> None:
        self.heights = heights
        self.height = 1
        self.pinned = True
        self.top = Anchor(0, 0)

    @property
    def lines(self) -> list[Anchor]:
        return [Anchor(entry, line) for entry, height in enumerate(self.heights) for line in range(height)]

    def at(self) -> int:
        """How many lines are above the screen."""
        held = [at for at, place in enumerate(self.lines) if place.entry == self.top.entry and place <= self.top]
        return held[-1] if held else len(self.lines)

    def hold(self, at: int) -> None:
        at = min(max(at, 0), len(self.lines))
        self.pinned = len(self.lines) - at <= self.height
        self.top = [*self.lines, Anchor(len(self.heights), 0)][at]

    def places(self) -> list[Anchor]:
        if self.pinned or len(self.lines) - self.at() <= self.height:
            self.hold(len(self.lines) - self.height)
        return self.lines[self.at() :][: self.height]

    def scroll(self, lines: int) -> None:
        self.places()
        self.hold(self.at() + lines)

    def page(self, pages: int) -> None:
        self.scroll(pages * max(1, self.height - 1))

    def show(self, entry: int) -> None:
        entry = min(entry, len(self.heights) - 1)
        first = next((at for at, place in enumerate(self.lines) if place.entry == entry), 0)
        self.hold(first - self.height // 3)

    def show_start(self) -> None:
        self.show(0)

    def show_end(self) -> None:
        self.pinned = True


@given(HEIGHTS, STEPS)
def test_it_shows_what_a_list_of_all_lines_would(heights: list[int], steps: list[tuple[str, object]]) -> None:
    flat = Flat(list(heights))
    view = Viewport(lambda entry: flat.heights[entry], lambda: len(flat.heights))
    for name, value in steps:
        match name, value:
            case "append", list(more):
                flat.heights += more
            case "grow", int(by) if flat.heights:  # joins are folded into the last entry
                flat.heights[-1] += by
            case "widen", list(others):
                flat.heights = [others[entry % len(others)] for entry in range(len(flat.heights))]
            case "resize", int(height):
                flat.height = view.height = height
            case (("scroll" | "page" | "show"), int(number)):
                getattr(flat, name)(number)
                getattr(view, name)(number)
            case (("show_end" | "show_start"), None):
                getattr(flat, name)()
                getattr(view, name)()
        assert view.places() == flat.places()
        assert view.pinned == flat.pinned
        assert len(view.places()) == min(view.height, len(flat.lines))


def viewport(heights: list[int], height: int) -> Viewport:
    view = Viewport(lambda entry: heights[entry], lambda: len(heights))
    view.height = height
    return view


def test_a_scrolled_up_page_holds_still_and_the_end_goes_along() -> None:
    heights = [3] * 20
    view = viewport(heights, 5)
    view.scroll(-10)
    before = view.places()
    heights += [2, 1]
    assert view.places() == before
    view.show_end()
    assert view.places()[-1] == Anchor(21, 0)
    heights.append(2)
    assert view.places()[-1] == Anchor(22, 1)


def test_scrolling_back_to_the_end_pins_it() -> None:
    heights = [1] * 20
    view = viewport(heights, 5)
    view.scroll(-3)
    assert not view.pinned
    view.scroll(2)
    assert not view.pinned
    view.scroll(1)
    assert view.pinned


def test_a_page_keeps_one_line_in_sight() -> None:
    view = viewport([1] * 50, 10)
    last = view.places()
    view.page(-1)
    assert view.places()[-1] == last[0]
    view.page(1)
    assert view.places() == last


def test_a_page_that_grows_beyond_the_end_is_full() -> None:
    view = viewport([1] * 50, 10)
    view.scroll(-5)
    view.height = 30
    assert view.places() == [Anchor(entry, 0) for entry in range(20, 50)]


def test_what_is_shown_has_a_third_of_the_page_above_it() -> None:
    view = viewport([1] * 100, 9)
    view.show(50)
    assert view.places()[3] == Anchor(50, 0)
    view.show(1)
    assert view.places()[0] == Anchor(0, 0)


def test_bringing_what_is_in_sight_moves_nothing() -> None:
    view = viewport([1] * 100, 9)
    view.show(50)
    before = view.places()
    view.bring(52)
    assert view.places() == before
    view.bring(70)
    assert Anchor(70, 0) in view.places()


def test_nothing_is_laid_out_but_what_is_shown() -> None:
    asked: set[int] = set()

    def height_of(entry: int) -> int:
        asked.add(entry)
        return 2

    view = Viewport(height_of, lambda: 1_000_000)
    view.height = 40
    view.places()
    view.page(-1)
    view.show(500_000)
    view.places()
    view.show_start()
    view.places()
    assert len(asked) < 200
