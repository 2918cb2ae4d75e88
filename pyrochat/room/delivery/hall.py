"""A hall: what the multicaster keeps for one room, and what its sessions get next.

Who is at the same place in the log and in the marks gets the same bytes, made once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from pyrochat.core.cursors import MARKS_IN_A_DELIVERY, WINDOW_BYTES, marks_interval_seconds
from pyrochat.pyro.wire import WireMark, stretch_frame
from pyrochat.room.delivery.audience import Audience, Outlet

__all__ = ["Hall", "Stretch"]

_MOST_STRETCHES_BYTES = 8 * 1024 * 1024
_BYTES_BESIDE = 1024  # of a stretch, and of the place that it is kept for


class Stretch(NamedTuple):
    """What follows one place in the log and in the marks, as a delivery that asks for an answer, or does not.

    unasking: None where it is too long to go out so. upto, marks_upto: the place that it ends at.
    """

    asking: bytes
    unasking: bytes | None
    upto: int
    marks_upto: int


class Hall:
    """One room, for the multicaster's thread; others only set `grown`.

    marks_interval: so long marks are gathered, by the number of members.
    """

    def __init__(self, audience: Audience, marks_interval: Callable[[int], float] = marks_interval_seconds) -> None:
        self.audience = audience
        self._marks_interval = marks_interval
        self.outlets: dict[str, Outlet] = {}  # by session id, like the next two
        self.ready: dict[str, Outlet] = {}
        self.unasked: dict[str, tuple[Outlet, float]] = {}  # have what no answer will confirm, since then; oldest first
        self.grown = False
        self.rests_until = 0.0  # it has failed: until then nothing is tried
        self.interval = marks_interval(audience.member_count())  # so long marks are gathered
        self.tail = audience.end()  # of the log, as far as it was seen to grow
        self.marks_told = 0  # up to this version, marks may be told now
        self._tail_at = 0.0
        self._marks_told_at = 0.0
        self._stretches: dict[tuple[object, ...], Stretch] = {}  # what follows a place, as long as nothing is new
        self._stretches_bytes = 0

    def look(self, now: float) -> bool:
        """See what is new; returns whether there is anything to deliver.

        New marks may be told with messages while some keep coming, else in deliveries of their own.
        """
        grown, self.grown = self.grown, False  # first: what grows from now on sets it again
        self.interval = self._marks_interval(self.audience.member_count())
        end, version = self.audience.end(), self.audience.marks_version()
        rides = end > self.tail
        since = self._marks_told_at if rides else max(self._marks_told_at, self._tail_at)
        if version > self.marks_told and now >= since + self.interval:
            self.marks_told, self._marks_told_at = version, now
            grown = True
        if rides:
            self.tail, self._tail_at = end, now
            grown = True
        if grown:
            self._forget_stretches()
        return grown

    def _forget_stretches(self) -> None:
        self._stretches.clear()
        self._stretches_bytes = 0

    def rests(self, now: float) -> bool:
        """Whether nothing is tried here at the moment."""
        return now < self.rests_until

    def next_due(self) -> float:
        """When there is something to do here, even if nothing comes."""
        due = math.inf
        if self.audience.marks_version() > self.marks_told:
            due = max(self._marks_told_at, self._tail_at) + self.interval
        for _, since in self.unasked.values():
            due = min(due, since + self.interval)
            break
        return max(due, self.rests_until)

    def stretch_for(self, outlet: Outlet) -> Stretch | None:
        """What follows the outlet's cursor; None while it is read from disk: the room says when it has come."""
        cursor, link = outlet.cursor, outlet.link
        place = (link.object_id, link.serializer_id, outlet.oneway, cursor.sent, cursor.marks_position)
        stretch = self._stretches.get(place)
        if stretch is None:
            messages = self.audience.after(cursor.sent)
            if messages is None:
                return None
            if self._stretches_bytes > _MOST_STRETCHES_BYTES:
                self._forget_stretches()
            stretch = self._stretches[place] = self.stretch_of(messages, outlet)
            self._stretches_bytes += len(stretch.asking) + len(stretch.unasking or b"") + _BYTES_BESIDE
        return stretch

    def stretch_of(self, messages: list[bytes], outlet: Outlet) -> Stretch:
        """*messages*, which follow the outlet's cursor, and the marks that do."""
        cursor, link = outlet.cursor, outlet.link
        marks: list[WireMark] = []
        marks_upto = cursor.marks_position
        if marks_upto < self.marks_told:
            marks, marks_upto = self.audience.marks_since(marks_upto, MARKS_IN_A_DELIVERY)
        asking = stretch_frame(link.object_id, messages, marks, link.serializer_id)
        unasking = None
        if outlet.oneway and len(asking) <= WINDOW_BYTES:
            unasking = stretch_frame(link.object_id, messages, marks, link.serializer_id, asks=False)
        return Stretch(asking, unasking, cursor.sent + len(messages), marks_upto)
