"""Following a stream: what it says is applied, in its order, and once; and whether it is the stream that the log has followed."""

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from pyrochat.core.commands import Entry, entry_from_wire
from pyrochat.core.order import Applied, Follower
from pyrochat.core.room import Outcome
from pyrochat.orders.replicated.entries import END, Fields, Origin, number, place, read
from pyrochat.orders.replicated.stream import Arrival
from pyrochat.threads import Defects
from pyrochat.values.errors import LogLost, LogUncertain, LogUnreadable

log = logging.getLogger(__name__)

MAX_APPLIED = 500  # entries in one commit
_COMPARED = 20  # entries that were applied before, at the start


class Following:
    """Not synchronized: the order's thread calls. follow: reads the stream from behind a sequence. from_wire: of a command. gone: see `Stream`.

    copying: a copy of the log is coming in the stream, and what is published meanwhile counts for nothing. is_compared: this log
    is what others have had when it was applied last; until that is known nothing may be published from here: they would take
    what differs here for a fault of theirs.
    """

    def __init__(
        self, follower: Follower, follow: Callable[[int], None], from_wire: Callable[[Sequence[Any]], Any], gone: str
    ) -> None:
        self._follower = follower
        self._follow = follow
        self._from_wire = from_wire
        self._gone = gone
        self._defects = Defects(log)
        self._ready: deque[Arrival] = deque()  # has come, and is not applied
        self._generation = place(follower.entry)[0]
        self.copying = follower.copying
        self.is_compared = False
        self._compared_at = 0

    @property
    def is_ready(self) -> bool:
        """Whether there is something to apply."""
        return bool(self._ready)

    @property
    def is_full(self) -> bool:
        """Whether there is enough for one commit."""
        return len(self._ready) >= MAX_APPLIED

    def begin(self) -> None:
        """Read on from where the log is."""
        self._ready.clear()
        generation, sequence = place(self._follower.entry)
        if generation != self._generation:
            sequence = 0
        self._follow(max(0, sequence - _COMPARED) if not self.is_compared else sequence)
        self._compared_at = sequence
        self.is_compared = self.is_compared or sequence == 0

    def drop(self) -> None:
        """Forget what has come."""
        self._ready.clear()

    def arrived(self, arrival: Arrival) -> None:
        """What is next."""
        self._ready.append(arrival)

    def opened(self, last: int | None, first: bytes | None) -> str | None:
        """The stream is read, from the place on that was asked for; returns what keeps it from being followed.

        Raises LogProblem where this log can't follow it.
        """
        generation, sequence = place(self._follower.entry)
        if first is None:
            return self._gone
        origin = read(first)
        if not isinstance(origin, Origin) or origin.generation < generation:
            raise LogUnreadable("its stream is not the one that this log has followed")
        was_known, self._generation = origin.generation == self._generation, origin.generation
        if origin.generation > generation:  # it was made anew
            if not was_known and generation > 0:
                self._ready.clear()
                self.is_compared = True  # with the copy
                self._follow(0)
        elif last is not None and last < sequence:
            raise LogLost(
                f"its stream ends at {last}, this server has had {sequence}: its operator makes it anew, from the server that "
                "has most (pyrochat-server rebuild)"
            )
        return None

    def apply(self) -> tuple[list[Entry], Applied]:
        """Apply what is ready, up to the next that is no entry; or that one. Returns the entries, and what came of them.

        Raises LogProblem where it can't go on, LogUnavailable where nothing can be written now.
        """
        self._compare()
        entries: list[Entry] = []
        for arrival in self._ready:
            numbered = number(self._generation, arrival.sequence)
            content = read(arrival.data)
            if isinstance(content, Fields):
                entries.append(self._entry(content, numbered, arrival.time_us))
            elif entries:
                break
            else:
                if isinstance(content, Origin):
                    self._follower.adopt(numbered, content.identity, content.about)
                    self.copying = bool(content.about)
                else:
                    self._follower.paste(numbered, content.kind, content.rows)
                    self.copying = self.copying and content.kind != END
                self._ready.popleft()
                return [], Applied([])
        for _ in entries:
            self._ready.popleft()
        return entries, self._guarded(entries)

    def _compare(self) -> None:
        """Pass over what was applied here before; the first time, see that this log is what it has made elsewhere."""
        while self._ready and (numbered := number(self._generation, self._ready[0].sequence)) <= self._follower.entry:
            arrival = self._ready.popleft()
            content = read(arrival.data)
            if isinstance(content, Fields) and not self.is_compared and not self.copying:
                self._follower.compare(self._entry(content, numbered, arrival.time_us))
            self.is_compared = self.is_compared or arrival.sequence >= self._compared_at

    def pending(self, arrivals: Sequence[Arrival]) -> list[Entry]:
        """The entries in *arrivals*, which have no place yet; what can't be read is passed over: its place comes, and with it the error."""
        found = []
        for arrival in arrivals:
            with contextlib.suppress(LogUnreadable):
                content = read(arrival.data)
                if isinstance(content, Fields):
                    found.append(entry_from_wire(content.fields, self._from_wire)._replace(time_us=arrival.time_us))
        return found

    def _entry(self, content: Fields, numbered: int, time_us: int) -> Entry:
        if self.copying:
            return Entry(numbered, time_us, ())
        return entry_from_wire(content.fields, self._from_wire)._replace(number=numbered, time_us=time_us)

    def _guarded(self, entries: Sequence[Entry]) -> Applied:
        """Apply *entries*. One over which the follower stumbles does nothing, here as elsewhere; should it do something
        elsewhere, the logs differ, and that is seen."""
        try:
            return self._follower.apply(entries)
        except BaseException as error:
            if len(entries) > 1:
                return self._one_by_one(entries)
            self._defects.tell("applying an entry", error)
        unknown = LogUncertain(
            "internal error: whether this was stored is unknown (the server's log says why); ask again with the same key"
        )
        [entry] = entries
        return Applied([[unknown] * len(entry.commands)], self._follower.apply([entry._replace(commands=())]).error)

    def _one_by_one(self, entries: Sequence[Entry]) -> Applied:
        outcomes: list[list[Outcome]] = []
        for entry in entries:
            applied = self._guarded([entry])
            outcomes += applied.outcomes
            if applied.error is not None:
                rest: list[list[Outcome]] = [[applied.error] * len(e.commands) for e in entries[len(outcomes) :]]
                return Applied(outcomes + rest, applied.error)
        return Applied(outcomes)
