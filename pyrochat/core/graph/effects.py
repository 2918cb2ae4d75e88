"""What follows from an input of a member: what to write down, and what to send when that is done."""

from collections.abc import Iterable

from pyrochat.core.graph.causal import Receipt
from pyrochat.core.graph.messages import Message, Record

Envelope = tuple[str, int, Message]
"""To whom, the sender's view, what."""


class Effects:
    """Gathers. number: of the view that messages are said in. odd: what sites have handed over that was not as it should be.
    has_lost_tail: see `Member`."""

    def __init__(self, me: str) -> None:
        self.number = 0
        self._me = me
        self._records: list[Record] = []
        self._outgoing: list[Envelope] = []
        self.odd: list[tuple[str, Receipt]] = []
        self.has_lost_tail = False

    def record(self, record: Record) -> None:
        """To be written down."""
        self._records.append(record)

    def send(self, site: str, message: Message) -> None:
        """To be sent when all is written down."""
        self._outgoing.append((site, self.number, message))

    def cast(self, sites: Iterable[str], message: Message) -> None:
        """To be sent to all of *sites* but oneself."""
        for site in sites:
            if site != self._me:
                self.send(site, message)

    def take(self) -> tuple[list[Record], list[Envelope]]:
        """All of it, once."""
        taken = self._records, self._outgoing
        self._records, self._outgoing = [], []
        return taken
