"""What has really been on the screen, and how far that makes the read mark."""

from collections.abc import Callable


class Seen:
    """mark: everything up to this id has been shown, or need not be.

    is_free: whether a message counts as read without being shown (one's own). A message that was never shown holds the
    mark back, whatever was shown behind it: "read up to #12" has to be true.
    """

    def __init__(self, mark: int, is_free: Callable[[int], bool]) -> None:
        self.mark = mark
        self._is_free = is_free
        self._ahead: list[tuple[int, int]] = []  # shown behind a gap: disjoint, in order

    def show(self, first: int, last: int) -> None:
        """Messages *first* to *last* are on the screen."""
        if last > self.mark:
            self._ahead = _joined([*self._ahead, (max(first, self.mark + 1), last)])

    def show_all(self, end: int) -> None:
        """The user says that everything up to *end* is read."""
        self.show(self.mark + 1, end)

    def settle(self, end: int) -> int:
        """Move the mark as far as it goes, with the log at *end*; returns it."""
        while self.mark < end:
            if self._ahead and self._ahead[0][0] <= self.mark + 1:
                self.mark = max(self.mark, self._ahead.pop(0)[1])
            elif self._is_free(self.mark + 1):
                self.mark += 1
            else:
                break
        return self.mark


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same ids in disjoint ranges, in order."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found
