"""Who reads a stream of a totally ordered room, and what."""

from collections.abc import Callable, Mapping

from pyrochat.core.graph.messages import Text
from pyrochat.core.graph.texts import Spoken, together, unpacked_text
from pyrochat.orders.replicated.stream import Arrival, Event, Opened, Silence


def sequenced(number: int, text: Text, found: Mapping[str, Spoken]) -> Arrival:
    """*text*, which is the one with this *number* in its stream. found: what is there beside it."""
    time_us, data = unpacked_text(text.body)
    return Arrival(number, time_us, together(data, found))


class Reader:
    """Calls *event* with what comes in a stream after text *after*. first: the data of its first text, once that is here."""

    def __init__(self, after: int, event: Callable[[Event], None]) -> None:
        self.event = event
        self.first: bytes | None = None
        self._next = after + 1
        self._trouble: str | None = None
        self._is_opened = False

    def said(self, trouble: str | None, last: int | None) -> None:
        """What keeps the site from going on. last: see `Opened`."""
        self._trouble = trouble
        if not self._open(last):
            self.event(Silence(trouble or "nothing of the room is here yet"))

    def take(self, arrival: Arrival, last: int | None) -> None:
        """A text has its place."""
        if arrival.sequence == 1:
            self.first = arrival.data
        if not self._is_opened:
            self._open(last)
        if arrival.sequence >= self._next:
            self._next = arrival.sequence + 1
            self.event(arrival)

    def _open(self, last: int | None) -> bool:
        if self.first is None:
            return False
        self._is_opened = True
        self.event(Opened(last, self.first, self._trouble))
        return True
