"""Members of a totally ordered room, and what is under way between them: delivered, or lost, as the test likes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pyrochat.core.graph.closed_log import ClosedLog
from pyrochat.core.graph.effects import Envelope
from pyrochat.core.graph.lamport import View
from pyrochat.core.graph.member import Member
from pyrochat.core.graph.messages import Closed, Message, Record, Text

ROOM = b"room" * 8


class Group:
    """All that was ever written down is in `disks`; what *alter* makes None of is lost."""

    def __init__(self, names: str, member_class: type[Member] = Member) -> None:
        self.member_class = member_class
        self.asks_first = False  # who starts from now on
        self.view = View(1, tuple(names))
        self.members: dict[str, Member] = {}
        self.disks: dict[str, list[Record]] = {}
        self.alter: Callable[[str, str, Message], Message | None] = lambda sender, site, message: message
        self._under_way: list[tuple[str, Envelope]] = []
        for name in names:
            self.disks[name] = []
            self.start(name)

    def start(self, name: str, log: Iterable[View] | None = None) -> Member:
        """From its disk."""
        entries = [self.view] if log is None else list(log)
        closed, outbox, records = ClosedLog(entries), (), []
        for record in self.disks.setdefault(name, []):
            if isinstance(record, Closed):
                closed.extend(record.entries)
                outbox, records = record.outbox, []
            else:
                records.append(record)
        member = self.members[name] = self.member_class(
            name, ROOM, closed, outbox, records, asks_first=self.asks_first
        )  # fmt: skip
        return member

    def stop(self, name: str) -> None:
        del self.members[name]

    def run(self, ticks: int = 1, suspected: str = "", turns: bool = True) -> None:
        """All that is under way arrives, and what follows; then all tick and pass on their marks, so often."""
        self._deliver()
        for _ in range(ticks):
            for name, member in list(self.members.items()):
                member.tick(set(suspected) - {name}, turns, [other for other in self.members if other != name])
                self._deliver()
            for member in self.members.values():
                member.pass_on_marks()
            self._deliver()

    def say(self, name: str, key: str) -> None:
        """It is under way."""
        self.members[name].say(Text(key, key.encode()))
        self._gather()

    def log(self, name: str) -> list[str]:
        """The keys of the texts that it shows, and the views' members."""
        member = self.members[name]
        entries = [*member.log.entries, *member.open.numbered]
        return [entry.key if isinstance(entry, Text) else "".join(entry.members) for entry in entries]

    def _gather(self) -> None:
        for name, member in self.members.items():
            records, messages = member.take()
            self.disks[name] += records
            self._under_way += [(name, message) for message in messages]

    def _deliver(self) -> None:
        self._gather()
        while self._under_way:
            sender, (site, number, message) = self._under_way.pop(0)
            altered = self.alter(sender, site, message)
            if altered is not None and site in self.members:
                self.members[site].receive(sender, number, altered)
            self._gather()
