"""The view that is not closed yet: its events, their order, and which texts have got a number of it."""

from collections.abc import Sequence
from dataclasses import replace

from pyrochat.core.graph.closed_log import ClosedLog
from pyrochat.core.graph.effects import Effects
from pyrochat.core.graph.event import Event
from pyrochat.core.graph.lamport import Mark, Ordering, View
from pyrochat.core.graph.messages import Committed, Events, Marks, Text


class OpenView:
    """numbered: the final prefix, each text once; it follows the closed log."""

    def __init__(self, me: str, room: bytes, view: View, log: ClosedLog, effects: Effects) -> None:
        self.view, self.ordering = view, Ordering(me, view, room)
        self.numbered: list[Text] = []
        self._me, self._log, self._effects = me, log, effects
        self._keys: set[str] = set()  # of all events
        self._numbered_keys: set[str] = set()
        self._final = 0  # how many final events were looked at
        self._told: dict[str, Mark] = {}  # what was said last of each site

    def take_in(self, events: Sequence[Event], giver: str) -> None:
        """Events have come. Of what this site has said nobody can tell it anything new, unless its disk has lost it."""
        receipt = self.ordering.receive(events, giver)
        if giver != self._me and any(event.site == self._me for event in receipt.delivered):
            self._effects.has_lost_tail = True
        if receipt.refused or receipt.forks:
            self._effects.odd.append((giver, receipt))
        for event in receipt.delivered:
            self._effects.record(event)
            self._keys.add(Text.unpack(event.body).key)

    def has(self, key: str) -> bool:
        """Whether an event of that text is here."""
        return key in self._keys

    def make(self, text: Text) -> Event:
        """The event of *text*, not signed yet."""
        return self.ordering.graph.make(text.pack())

    def publish(self, event: Event, signature: bytes) -> None:
        """An event that was made here is taken in, and goes to all."""
        event = replace(event, signature=signature)
        self.take_in([event], self._me)
        self._effects.cast(self.view.members, Events((event,)))

    def pass_on_marks(self) -> None:
        """One's own goes to the eldest, who passes all that are new on together."""
        is_eldest = self.view.members[0] == self._me
        known = {**(self.ordering.marks if is_eldest else {}), self._me: self.ordering.mark()}
        new = {site: mark for site, mark in known.items() if self._told.get(site) != mark}
        self._told.update(new)
        if new:
            to = self.view.members if is_eldest else self.view.members[:1]
            self._effects.cast(to, Marks(tuple(new.values())))

    def number(self) -> None:
        """What has become final gets its place."""
        final = self.ordering.final
        if self._final == len(final):
            return
        for text in self._log.new(Text.unpack(event.body) for event in final[self._final :]):
            if text.key not in self._numbered_keys:
                self._numbered_keys.add(text.key)
                self.numbered.append(text)
        self._final = len(final)
        self._effects.record(Committed(self.ordering.commit))

    def waiting(self, most: int) -> list[Text]:
        """The texts of so many events whose order is not final, in the order that they would have now."""
        texts = self._log.new(Text.unpack(event.body) for event in self.ordering.unordered(most))
        return [text for text in texts if text.key not in self._numbered_keys]

    def texts(self) -> list[Text]:
        """All that are here and not in the closed log, in causal order."""
        return self._log.new(Text.unpack(event.body) for event in self.ordering.events.values())
