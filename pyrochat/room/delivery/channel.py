"""A channel: what the multicaster keeps for one room.

Who is at the same place in the log and in the marks gets the same bytes, made once.
"""

from collections.abc import Callable

from pyrochat.core.cursors import MARKS_IN_A_DELIVERY, WINDOW_BYTES
from pyrochat.core.delivery import Group, Stretch
from pyrochat.pyro.wire import WireMark, stretch_frame
from pyrochat.room.delivery.audience import Audience, Outlet

_MOST_STRETCHES_BYTES = 8 * 1024 * 1024
_BYTES_BESIDE = 1024  # of a stretch, and of the place that it is kept for


class Channel:
    """One room, for the multicaster's thread; others only set `grown`. marks_interval: see `Group`."""

    def __init__(self, audience: Audience, marks_interval: Callable[[int], float]) -> None:
        self.audience = audience
        self.group: Group[Outlet] = Group(
            audience.timing, audience.end(), audience.member_count(), marks_interval, audience.seal
        )
        self.grown = False
        self.rests_until = 0.0  # it has failed: until then nothing is tried
        self._stretches: dict[tuple[object, ...], Stretch] = {}  # what follows a place, as long as nothing is new
        self._stretches_bytes = 0

    def look(self, now: float) -> bool:
        """See what is new; returns whether there is anything to deliver."""
        grown, self.grown = self.grown, False  # first: what grows from now on sets it again
        audience = self.audience
        news = self.group.look(audience.end(), audience.marks_version(), audience.member_count(), now)
        if grown or news:
            self._forget_stretches()
        return grown or news

    def next_due(self) -> float:
        """When there is something to do here, even if nothing comes."""
        return max(self.group.next_due(self.audience.marks_version()), self.rests_until)

    def stretch_for(self, outlet: Outlet, beat: bool) -> Stretch | None:
        """What follows the outlet's cursor; None while it is read from disk: the room says when it has come.

        beat: nothing but marks, meanwhile.
        """
        cursor, link = outlet.cursor, outlet.link
        place = (link.object_id, link.serializer_id, outlet.oneway, cursor.sent, cursor.marks_position)
        stretch = self._stretches.get(place)
        if stretch is None:
            messages = self.audience.after(cursor.sent)
            if messages is None:
                return self._stretch_of([], outlet) if beat else None
            if self._stretches_bytes > _MOST_STRETCHES_BYTES:
                self._forget_stretches()
            stretch = self._stretches[place] = self._stretch_of(messages, outlet)
            self._stretches_bytes += len(stretch.asking) + len(stretch.unasking or b"") + _BYTES_BESIDE
        return stretch

    def _forget_stretches(self) -> None:
        self._stretches.clear()
        self._stretches_bytes = 0

    def _stretch_of(self, messages: list[bytes], outlet: Outlet) -> Stretch:
        """*messages*, which follow the outlet's cursor, and the marks that do."""
        cursor, link = outlet.cursor, outlet.link
        marks: list[WireMark] = []
        marks_upto = cursor.marks_position
        if marks_upto < self.group.marks_told:
            marks, marks_upto = self.audience.marks_since(marks_upto, MARKS_IN_A_DELIVERY)
        asking = stretch_frame(link.object_id, messages, marks, link.serializer_id)
        unasking = None
        if outlet.oneway and len(asking) <= WINDOW_BYTES:
            unasking = stretch_frame(link.object_id, messages, marks, link.serializer_id, asks=False)
        return Stretch(asking, unasking, cursor.sent + len(messages), marks_upto)
