"""The streams of a site: what has a place in them, who reads them, and what those are told of the site."""

from collections.abc import Callable

from pyrochat.core.graph.disk import MemberDisk, Row, stream_of
from pyrochat.core.graph.member import Member
from pyrochat.core.graph.messages import Text
from pyrochat.core.graph.texts import commitments
from pyrochat.orders.lamport.streaming import Reader, sequenced
from pyrochat.orders.lamport.waiting import WaitingTexts
from pyrochat.orders.replicated.stream import Arrival, Event, Latest, Pending


class Streams:
    """Not synchronized: all in the site's thread. disk: the site's. placed: called with each text that gets its place."""

    def __init__(self, disk: MemberDisk, placed: Callable[[Text], None]) -> None:
        self._disk, self._placed = disk, placed
        self._readers: dict[str, Reader] = {}
        self._waiting = WaitingTexts()
        self._trouble: str | None = None

    def load(self, member: Member) -> None:
        """What is in memory was built anew from the disk: *member* has it."""
        self._member = member
        self._shown, self._counts = len(self._disk.log), self._disk.counts()
        self.show()

    # -- what the site says --------------------------------------------------------------------------------

    def show(self) -> None:
        """Give the readers what has got its place."""
        log, numbered = self._member.log, self._member.open.numbered
        if self._shown < len(log):
            for entry in self._disk.entries(self._shown):
                self._shown += 1
                if isinstance(entry, Text):
                    self._place(entry)
        for text in numbered[self._shown - len(log) :]:
            self._shown += 1
            self._place(text)

    def _place(self, text: Text) -> None:
        self._placed(text)
        stream = stream_of(text)
        number = self._counts[stream] = self.count(stream) + 1
        if (reader := self._readers.get(stream)) is not None:
            reader.take(self._sequenced(number, text), self._last(stream))

    @property
    def due(self) -> float:
        """When `say_pending` has something to do even where nothing comes."""
        return self._waiting.due

    def say_pending(self, now: float) -> None:
        """Tell the readers of what has no place yet, where that is new."""
        if self._waiting.look(self._member.is_waiting, self._member.waiting, now) is not None:
            for stream, reader in self._readers.items():
                reader.event(self._pending(stream))

    @property
    def trouble(self) -> str | None:
        """What was said last to keep the site from going on; None: nothing does."""
        return self._trouble

    def say(self, trouble: str | None) -> None:
        """This keeps the site from going on."""
        if trouble != self._trouble:
            self._trouble = trouble
            for stream, reader in self._readers.items():
                reader.said(trouble, self._last(stream))

    def tell_all(self, event: Event) -> None:
        """To the readers of all streams."""
        for reader in self._readers.values():
            reader.event(event)

    def tell(self, row: Row) -> None:
        """It stands beside its stream now."""
        if (reader := self._readers.get(row.stream)) is not None:
            reader.event(Latest(row.label, row.data))

    # -- what their readers ask for ------------------------------------------------------------------------

    def follow(self, stream: str, after: int, event: Callable[[Event], None]) -> None:
        """See `Stream`."""
        reader = self._readers[stream] = Reader(after, event)
        reader.first = self.text(stream, 1)
        reader.said(self._trouble, self._last(stream))
        for number, text in self._texts(stream, after):
            reader.take(self._sequenced(number, text), self._last(stream))
        event(self._pending(stream))

    def forget(self, stream: str, event: Callable[[Event], None]) -> None:
        """Call *event* no more."""
        if stream in self._readers and self._readers[stream].event is event:
            del self._readers[stream]

    def count(self, stream: str) -> int:
        """How many texts of *stream* have a place here."""
        return self._counts.get(stream, 0)

    def text(self, stream: str, number: int) -> bytes | None:
        """The data of text *number* of *stream*; None where it is not here."""
        found = next((text for at, text in self._texts(stream, number - 1) if at == number), None)
        return None if found is None else self._sequenced(number, found).data

    def _texts(self, stream: str, after: int) -> list[tuple[int, Text]]:
        closed = list(self._disk.texts(stream, after))
        count = self._disk.counts().get(stream, 0)
        numbered = (text for text in self._member.open.numbered if stream_of(text) == stream)
        return closed + [(number, text) for number, text in enumerate(numbered, count + 1) if number > after]

    def _sequenced(self, number: int, text: Text) -> Arrival:
        return sequenced(number, text, self._disk.found(commitments(text)))

    def _pending(self, stream: str) -> Pending:
        return Pending(tuple(self._sequenced(0, text) for text in self._waiting.said if stream_of(text) == stream))

    def _last(self, stream: str) -> int | None:
        """The number of the last text of *stream*; None where others may have more that was shown here before."""
        return self.count(stream) if self._member.is_member else None
