"""How far one client has read: where its read mark may go, and what holds it back.

The mark says "everything up to here has been shown". A message that was not shown, because a handler raised on it or
it could not be written, holds the mark back for good; only somebody who takes the word of a person for it (`advance`)
moves it on.
"""

from collections.abc import Callable


class ReadMark:
    """mark: everything up to this id has been shown, or needs not be. It only grows. Not synchronized."""

    __slots__ = ("_count", "_failed", "_handlers", "mark")

    def __init__(self) -> None:
        self.mark = 0
        self._handlers: dict[
            int, tuple[int, int]
        ] = {}  # for each: the id after which it began, and where it has got to
        self._count = 0
        self._failed: tuple[int, int] | None = None  # the first and the last id that was not shown, behind the mark

    def add_handler(self, after: int) -> int:
        """Something is shown all messages after id *after*; returns its number, for `returned` and `failed`."""
        self._count += 1
        self._handlers[self._count] = (after, after)
        return self._count

    def remove_handler(self, handler: int) -> bool:
        """It is shown nothing more, and holds nothing back; True where that moves the mark: the others had got further."""
        del self._handlers[handler]
        return bool(self._handlers) and self._move_to_slowest()

    def returned(self, handler: int, id: int) -> bool:
        """*handler* is done with everything up to *id*; True where that moves the mark.

        With several, all of them have to be, save those that began later.
        """
        if handler not in self._handlers:  # removed while it was being shown this
            return self.shown(id)
        self._handlers[handler] = (self._handlers[handler][0], id)
        return self._move_to_slowest()

    def _move_to_slowest(self) -> bool:
        everybody = min(upto for _, upto in self._handlers.values())
        return any(after < everybody for after, _ in self._handlers.values()) and self._move(everybody)

    def failed(self, handler: int, id: int) -> bool:
        """The same, but message *id* was not shown: the mark stops before it. What was read already stays read."""
        if id > self.mark:
            first, last = self._failed or (id, id)
            self._failed = (min(first, id), max(last, id))
        return self.returned(handler, id)

    def shown(self, id: int) -> bool:
        """Message *id* was shown to somebody else than handlers, which hold it back; True where that moves the mark."""
        return self._move(min([id, *(upto for _, upto in self._handlers.values())]))

    def advance(self, id: int) -> bool:
        """Somebody says that everything up to *id* is read, whatever has failed there; True where that moves the mark.

        Where more has failed behind *id*, the mark stays at it: which of that was shown is not remembered.
        """
        if self._failed and id >= self._failed[0]:
            self._failed = (id + 1, self._failed[1]) if id < self._failed[1] else None
        return self._move(id)

    def pass_over(self, end: int, is_free: Callable[[int], bool]) -> None:
        """Move on over messages that need not be shown, as far as *end*. is_free: whether a message is such a one."""
        while self.mark < end and is_free(self.mark + 1) and self._move(self.mark + 1):
            pass

    def _move(self, id: int) -> bool:
        if self._failed:
            id = min(id, self._failed[0] - 1)
        if id <= self.mark:
            return False
        self.mark = id
        return True
