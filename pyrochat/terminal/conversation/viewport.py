"""The part of a conversation that is on the screen.

It is held by an entry and a line in it, and never by a distance from the beginning: nothing is laid out but what is
shown, so a conversation of a million messages scrolls like one of a hundred, in any width.
"""

from collections.abc import Callable
from typing import NamedTuple


class Anchor(NamedTuple):
    """A line on the screen: which entry's, and which of its lines."""

    entry: int
    line: int


class Viewport:
    """height_of: how many lines an entry has now. count: how many entries there are now.

    While it is `pinned`, it shows the end, and goes along with what comes; else the page holds still.
    """

    def __init__(self, height_of: Callable[[int], int], count: Callable[[], int]) -> None:
        self._height_of = height_of
        self._count = count
        self.height = 1  # lines on the screen
        self.pinned = True
        self._top = Anchor(0, 0)

    @property
    def top(self) -> Anchor:
        """The line at the top of the screen."""
        return self._top

    def hold(self, entry: int, line: int) -> None:
        """That is the line at the top: entries have another height than before."""
        self._top = Anchor(entry, line)

    def places(self) -> list[Anchor]:
        """The lines to be shown, from the top; fewer than `height` where there are no more."""
        self.pinned = self.pinned or self._reaches_end()
        if self.pinned:
            self._top = self._moved(Anchor(self._count(), 0), -self.height)
        found: list[Anchor] = []
        entry, line = self._held(self._top)
        while entry < self._count() and len(found) < self.height:
            lines = self._height_of(entry)
            found += [Anchor(entry, at) for at in range(line, min(lines, line + self.height - len(found)))]
            entry, line = entry + 1, 0
        return found

    def scroll(self, lines: int) -> None:
        """Up by a negative number of lines, down by a positive one."""
        self.places()
        self._top = self._moved(self._top, lines)
        self.pinned = self._reaches_end()

    def page(self, pages: int) -> None:
        """By whole pages, less one line that stays in sight."""
        self.scroll(pages * max(1, self.height - 1))

    def show_end(self) -> None:
        """Show the end, and what comes."""
        self.pinned = True

    def show_start(self) -> None:
        """Show the beginning."""
        self.show(0)

    def show(self, entry: int) -> None:
        """Show *entry*, with a third of the page above it."""
        self._top = self._moved(Anchor(min(entry, max(0, self._count() - 1)), 0), -(self.height // 3))
        self.pinned = self._reaches_end()

    def begin_with(self, entry: int) -> None:
        """Show *entry* at the top."""
        self._top = self._held(Anchor(entry, 0))
        self.pinned = self._reaches_end()

    def bring(self, entry: int) -> None:
        """Show *entry*, and move no further than that takes."""
        shown = [place.entry for place in self.places()]
        if not shown or not shown[0] < entry < shown[-1]:
            self.show(entry)

    def _held(self, place: Anchor) -> Anchor:
        """*place*, or the nearest that there is: entries change their height with the width."""
        if place.entry >= self._count():
            return Anchor(self._count(), 0)
        return Anchor(place.entry, min(place.line, self._height_of(place.entry) - 1))

    def _moved(self, place: Anchor, lines: int) -> Anchor:
        entry, line = self._held(place)
        line += lines
        while line < 0:
            if entry == 0:
                return Anchor(0, 0)
            entry -= 1
            line += self._height_of(entry)
        while entry < self._count() and line >= self._height_of(entry):
            line -= self._height_of(entry)
            entry += 1
        return Anchor(entry, line)

    def _reaches_end(self) -> bool:
        entry, line = self._held(self._top)
        left = -line
        while entry < self._count():
            left += self._height_of(entry)
            if left > self.height:
                return False
            entry += 1
        return True
