"""A site of a totally ordered room: what it does with what it hears. Its log: the closed views and the final prefix.

No I/O and no clock: inputs are calls, and what follows from them is what `take` returns. After each input whoever has
the disk and the network writes the records, and only then sends, or shows, anything: what others have relied on is not
forgotten. A restart is the closed log, and the outbox and the records since the last `Closed`.

What misses the cut of a view is carried over into the next by every site that holds it, in causal order; the first
counts (its key tells). Left to its author it would stand after its answers.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

from pyrochat.core.graph.agreement import Proposal
from pyrochat.core.graph.anti_entropy import has_lost_tail, missing, summary
from pyrochat.core.graph.causal import Receipt
from pyrochat.core.graph.closed_log import ClosedLog
from pyrochat.core.graph.effects import Effects, Envelope
from pyrochat.core.graph.event import Event
from pyrochat.core.graph.lamport import View
from pyrochat.core.graph.messages import (
    Closed,
    Committed,
    Entry,
    Events,
    Frozen,
    Join,
    LogPart,
    Marks,
    Message,
    Prepare,
    Record,
    Said,
    Text,
    Tick,
)
from pyrochat.core.graph.open_view import OpenView
from pyrochat.core.graph.view_change import ViewChange


class Member:
    """Not synchronized. outbox: by key, texts that the closed log doesn't have, in the order in which they shall come.

    view: the newest that is known here. sign: makes the signature of an event's id. joining: sites that have asked to
    come in since the last `tick`. most_events: of a view; then its members begin the next one, because all of a view is in memory.
    asks_first: where the disk is of a member, say nothing until a quorum has said what it has: so what the disk has lost
    is known before anything else is said in its place. has_lost_tail: others know events of this site that it doesn't: its disk has lost what it
    had said, and perhaps what it had promised. It takes part in nothing any more; it may come back as another site.
    """

    most_events = 5000

    def __init__(
        self,
        me: str,
        room: bytes,
        log: ClosedLog,
        outbox: Iterable[Text] = (),
        records: Iterable[Record] = (),
        sign: Callable[[bytes], bytes] = lambda id: b"",
        asks_first: bool = False,
    ) -> None:
        self.me, self.room, self.log = me, room, log
        self.outbox = {text.key: text for text in outbox}
        self.joining: set[str] = set()
        self._sign, self._effects = sign, Effects(me)
        self.begin(log.view)
        self._asked = {me}  # who has said in this run what it has
        self._has_asked = not (asks_first and self.is_member)
        for record in records:
            self._restore(record)
        self.open.number()
        self._effects.take()
        self._effects.odd.clear()

    def begin(self, view: View) -> None:
        """*view* is the newest, and all before it is in the closed log."""
        self.view, self._effects.number = view, view.number
        self.open = OpenView(self.me, self.room, view, self.log, self._effects)
        self.ordering = self.open.ordering
        self.change = ViewChange(self.ordering, self._effects, self.open.take_in)

    def _restore(self, record: Record) -> None:
        if isinstance(record, Event):
            self.open.take_in([record], self.me)
        elif isinstance(record, Said):
            self.outbox[record.text.key] = record.text
        elif isinstance(record, Frozen):
            self.change.acceptor.restore(*record)
        elif isinstance(record, Committed):
            self.ordering.advance(record.commit)

    @property
    def is_member(self) -> bool:
        """Whether this site is in the newest view that it knows."""
        return self.me in self.view.members

    @property
    def has_lost_tail(self) -> bool:
        return self._effects.has_lost_tail

    @property
    def _may_speak(self) -> bool:
        """See *asks_first*: all that has a number is with a quorum."""
        self._has_asked = self._has_asked or self.view.is_quorum(self._asked)
        return self._has_asked

    @property
    def is_waiting(self) -> bool:
        """Whether there are texts that have no place yet."""
        is_held_up = self.ordering.is_frozen or not self.is_member
        return self.is_behind or (is_held_up and bool(self.outbox))

    @property
    def is_behind(self) -> bool:
        """Whether something is here whose order is not final."""
        return len(self.ordering.final) < len(self.ordering.events)

    def waiting(self, most: int) -> list[Text]:
        """So many of them: first those that all may have, then those that wait here for the next view."""
        kept = [text for text in self.outbox.values() if not self.open.has(text.key)]
        return [*self.open.waiting(most), *kept][:most]

    # -- inputs ---------------------------------------------------------------------------------------

    def say(self, text: Text) -> None:
        """A text is handed in; again under the same key: nothing."""
        if text.key not in self.outbox and not self.log.has(text.key):
            self.outbox[text.key] = text
            self._effects.record(Said(text))
        self.flush()

    def flush(self) -> None:
        """What waits becomes events of this view, unless that is about to end."""
        if self.is_member and self._may_speak and not self.ordering.is_frozen and not self.has_lost_tail:
            for text in [text for text in self.outbox.values() if not self.open.has(text.key)]:
                event = self.open.make(text)
                self.open.publish(event, self._sign(event.id))

    def tick(
        self, suspected: Collection[str], is_turn: bool, contacts: Collection[str] = (), leaving: Collection[str] = ()
    ) -> None:
        """To be called regularly. suspected: who is silent. contacts: whom to ask to be let in; where members
        are silent, also what there is beside this view. is_turn: now and then, by chance: whose turn it is begins again what
        others, or earlier attempts, have not brought to an end. leaving: who is here and wants to be in no further view."""
        joining, self.joining = self.joining.difference(self.view.members, suspected), set()
        if self.has_lost_tail:
            return
        if self.is_member:
            self.flush()
            tick = Tick(self.ordering.mark(), summary(self.ordering.graph), len(self.log))
            self._effects.cast(self.view.members, tick)
            if suspected:  # this view may be over, and nobody of it here to say so
                others = [site for site in contacts if site not in self.view.members]
                self._effects.cast(others, Join(len(self.log)))
            is_long = len(self.ordering.events) >= self.most_events
            self.change.tick(suspected, joining, is_turn, leaving, is_long)
        else:
            self._effects.cast(contacts, Join(len(self.log)))

    def pass_on_marks(self) -> None:
        """To be called a few ms after anything has come: marks go to the eldest, who passes them on together."""
        if self.is_member and not self.has_lost_tail:
            self.open.pass_on_marks()

    def receive(self, site: str, number: int, message: Message) -> None:
        """*site*, whose view is *number*, says *message*."""
        if self.has_lost_tail:
            return
        if isinstance(message, LogPart):
            self._catch_up(message)
        elif isinstance(message, Join):
            self.joining.add(site)
            if number < self.view.number or site in self.view.members:
                self._give_log(site, message.log_length)
        elif number > self.view.number:
            self._effects.send(site, Join(len(self.log)))
        elif number < self.view.number:
            if isinstance(message, Tick):
                self._give_log(site, message.log_length)
        elif self.is_member and site in self.view.members:
            self._hear(site, message)

    def take(self) -> tuple[list[Record], list[Envelope]]:
        """What to write down, and what to send when it is written; what is for oneself is heard here."""
        records: list[Record] = []
        outgoing: list[Envelope] = []
        while True:
            self.open.number()
            new, messages = self._effects.take()
            records += new
            outgoing += [envelope for envelope in messages if envelope[0] != self.me]
            if own := [envelope for envelope in messages if envelope[0] == self.me]:
                for _, number, message in own:
                    self.receive(self.me, number, message)
            else:
                return records, outgoing

    def odd(self) -> list[tuple[str, Receipt]]:
        """Who has handed over what was refused, or shows that somebody has told two stories; once."""
        taken, self._effects.odd = self._effects.odd, []
        return taken

    # -- what follows ---------------------------------------------------------------------------------

    def _hear(self, site: str, message: Message) -> None:
        if isinstance(message, Tick | Prepare):
            self._asked.add(site)
            self._effects.has_lost_tail |= has_lost_tail(self.ordering.graph, message.summary)
        if self.has_lost_tail:
            return
        if isinstance(message, Events):
            self.open.take_in(message.events, site)
        elif isinstance(message, Marks):
            for mark in message.marks:
                self.ordering.heard(mark)
        elif isinstance(message, Tick):
            self.ordering.heard(message.mark)
            lacking = missing(self.ordering.graph, message.summary)
            if lacking:
                self._effects.send(site, Events(tuple(self.ordering.events[id] for id in lacking)))
        elif (proposal := self.change.hear(site, message)) is not None:
            self._end_view(proposal)

    def _give_log(self, site: str, start: int) -> None:
        self._effects.send(site, LogPart(start, self.log.since(start)))

    def carried(self) -> list[Text]:
        """What is in the view that ends and not in the closed log, in causal order."""
        return self.open.texts()

    def _end_view(self, proposal: Proposal) -> None:
        texts = self.log.new(Text.unpack(event.body) for event in self.ordering.up_to(proposal.cut))
        self._close([*texts, View(self.view.number + 1, proposal.members)])

    def _catch_up(self, part: LogPart) -> None:
        new = part.entries[max(0, len(self.log) - part.start) :]
        if part.start <= len(self.log) and new and isinstance(new[-1], View):
            self._close(new)

    def _close(self, entries: Sequence[Entry]) -> None:
        start = len(self.log)
        self.log.extend(entries)
        self.outbox = {text.key: text for text in self.log.new([*self.carried(), *self.outbox.values()])}
        self._effects.record(Closed(start, tuple(entries), tuple(self.outbox.values())))
        self.begin(self.log.view)
        self.flush()
