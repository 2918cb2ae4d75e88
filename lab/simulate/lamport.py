"""A totally ordered room: the sites with their clocks and disks, and what must not happen."""

from lab.simulate.simulation import Anomaly, Simulation
from pyrochat.core.graph.closed_log import ClosedLog
from pyrochat.core.graph.event import Event
from pyrochat.core.graph.lamport import View
from pyrochat.core.graph.member import Member
from pyrochat.core.graph.messages import Closed, Committed, Entry, Message, Record, Said, Text

ROOM = b"room" * 8
SUSPECT_AFTER = 120.0
MARKS_AFTER = 2.0
ANOMALIES = {
    "orders differ": "two sites show another text, or view, under the same number",
    "retracted": "a site shows less, or something else, than it has shown, also after a restart",
    "twice": "a text has two numbers",
    "no quorum has it": "a text gets a number that is not on the disks of a quorum of its view",
    "lost": "what a site had written down, and never lost, has no number in the end",
    "not in its author's order": "of two texts of one site, the later has the lower number",
    "before what its author had seen": "a text stands before one that its author's site had shown, or had, with or without a number",
    "views not consecutive": "the views in the log are not 1, 2, 3, …",
    "no progress": "all is well, a quorum of the newest view is there, and texts get no numbers",
}


class Disk:
    """What a site has written down: the closed log, and since then its outbox and the records.

    held: the keys of all texts that were ever written down, other than as a wish.
    """

    def __init__(self, held: set[str]) -> None:
        self.held = held
        self.log: list[Entry] = []
        self.outbox: list[Text] = []
        self.records: list[Record] = []

    def write(self, records: list[Record]) -> None:
        """All of it, or nothing."""
        for record in records:
            if isinstance(record, Closed):
                self.log[record.start :] = record.entries
                self.outbox, self.records = list(record.outbox), []
                self.held.update(entry.key for entry in record.entries if isinstance(entry, Text))
            else:
                self.records.append(record)
                if isinstance(record, Event):
                    self.held.add(Text.unpack(record.body).key)


class LamportRun(Simulation):
    """One run. The order that is shown first is the one that all others are held to."""

    member_class = Member

    def __init__(self, seed: int) -> None:
        super().__init__(seed, (2, 3, 4, 5, 6, 7))
        self.order: list[Entry] = []
        self.required: dict[str, str] = {}  # the key of a text that is on disk: whose
        self.seen: dict[str, int] = {}  # its key: how much its author's site had shown
        self.pending: dict[str, tuple[str, ...]] = {}  # and what it had without a number
        self._gone: set[str] = set()
        self._held: dict[str, set[str]] = {}  # of each site that ever was
        self._view = View(1, tuple(self.names))  # of what gets its number next
        self._shown: dict[str, int] = {}  # how much of the order a site has shown
        self._checked: dict[str, int] = {}  # how much of it is closed
        self._heard_at: dict[str, dict[str, float]] = {}
        self._due: set[str] = set()  # whose marks are to go out
        self._numbers: dict[str, int] = {}
        self.disks: dict[str, Disk] = {}
        self.members: dict[str, Member] = {}
        first = View(1, tuple(self.names))
        for name in self.names:
            self.create(name, first)

    def create(self, name: str, *log: Entry) -> None:
        self.disks[name] = Disk(self._held.setdefault(name, set()))
        self.disks[name].log = list(log)
        self._shown[name] = self._checked[name] = 0
        self.start(name)

    def start(self, name: str) -> None:
        disk = self.disks[name]
        member = self.member_class(name, ROOM, ClosedLog(disk.log), disk.outbox, disk.records, asks_first=True)
        self.members[name] = member
        self._heard_at[name] = {}
        self.look(name)
        member.flush()
        self._finish(name)

    def forget(self, name: str) -> None:
        self.members.pop(name, None)

    def lose_tail(self, name: str, successor: str) -> bool:
        """Records since the last view began; or there is a backup of the closed log, and nothing else. One in a run: of more
        than one, a view may be left without a quorum."""
        newest = max((disk.log[-1] for disk in self.disks.values() if disk.log), key=lambda view: view[0])
        assert isinstance(newest, View)
        if self._gone or not newest.is_quorum(site for site in newest.members if site != name):
            return False
        old = self.disks.pop(name)
        self.create(successor)
        left = self.disks[successor]
        if old.log and self.draw.random() < 0.3:
            starts = [place for place, entry in enumerate(old.log) if isinstance(entry, View)]
            left.log = old.log[: self.draw.choice(starts) + 1]
        else:
            left.log, left.outbox = old.log, old.outbox
            left.records = old.records[: self.draw.randrange(len(old.records) + 1)]
        wishes = [*old.outbox, *(record.text for record in old.records if isinstance(record, Said))]
        kept = {text.key for text in left.outbox} | {said.text.key for said in left.records if isinstance(said, Said)}
        for text in wishes:
            if text.key not in kept:
                self.required.pop(text.key, None)
        if successor == name:
            self._shown[name] = min(self._shown[name], len(left.log))
            self._checked[name] = min(self._checked[name], len(left.log))
        else:
            self._gone.add(name)
            ghost = Member(name, ROOM, ClosedLog(left.log), left.outbox, left.records)
            left.outbox, left.records = ghost.log.new([*ghost.carried(), *ghost.outbox.values()]), []
        return True

    # -- what sites do --------------------------------------------------------------------------------

    def _finish(self, name: str, is_due: bool = True) -> None:
        """The end of an input: first the disk, then the eyes of people, then the network."""
        member = self.members[name]
        records, messages = member.take()
        is_written, likelihood = self.fate(name, bool(records))
        if is_written:
            self.disks[name].write(records)
            for record in records:
                if isinstance(record, Said):
                    self.required[record.text.key] = name
        if likelihood == 1 and any(isinstance(record, (Closed, Committed)) for record in records):
            self.look(name)
        for other, number, message in messages:
            if likelihood == 1 or self.draw.random() < likelihood:
                self.network.send(name, other, (number, message))
        if is_due and likelihood == 1 and name not in self._due:
            self._due.add(name)
            self.network.at(MARKS_AFTER, self._pass_on_marks, name)

    def say(self, name: str) -> None:
        member = self.members[name]
        key = f"{name}-{self.texts}"
        self.seen[key] = self._shown[name]
        events = (Text.unpack(event.body).key for event in member.ordering.events.values())
        self.pending[key] = tuple(key for key in events if key not in self._numbers)
        member.say(Text(key, b""))
        self._finish(name)

    def tick(self, name: str) -> None:
        heard, now = self._heard_at[name], self.network.now
        member = self.members[name]
        others = [other for other in member.view.members if other != name]
        suspected = [other for other in others if now - heard.setdefault(other, now) > SUSPECT_AFTER]
        member.tick(suspected, self.draw.random() < 0.25, [other for other in self.names if other != name])
        self._finish(name)

    def hear(self, name: str, sender: str, message: tuple[int, Message]) -> None:
        self._heard_at[name][sender] = self.network.now
        self.members[name].receive(sender, *message)
        self._finish(name)

    def _pass_on_marks(self, name: str) -> None:
        self._due.discard(name)
        if name in self.members and name in self.names:
            self.members[name].pass_on_marks()
            self._finish(name, is_due=False)

    # -- checks ---------------------------------------------------------------------------------------

    def look(self, name: str) -> None:
        """What the site shows now: nothing else than all others, and nothing else than before."""
        member = self.members[name]
        log, numbered, order = member.log.entries, member.open.numbered, self.order
        length = len(log) + len(numbered)
        if length < self._shown[name]:
            raise Anomaly("retracted", f"{name} shows {length} entries, and has shown {self._shown[name]}")
        start = self._checked[name] if self._checked[name] < len(log) else self._shown[name]
        for place in range(start, length):
            entry = log[place] if place < len(log) else numbered[place - len(log)]
            if place < len(order) and order[place] != entry:
                kind = "retracted" if place < self._shown[name] else "orders differ"
                raise Anomaly(kind, f"{name} shows {entry} as {place}, which was {order[place]}")
            if place == len(order):
                self._append(entry)
        self._shown[name], self._checked[name] = length, len(log)

    def _append(self, entry: Entry) -> None:
        if isinstance(entry, View):
            self.views += 1
            self._view = entry
        else:
            holders = [name for name in self._view.members if entry.key in self._held.get(name, ())]
            if not self._view.is_quorum(holders):
                raise Anomaly("no quorum has it", f"{entry.key}: {holders} of {self._view}")
            if entry.key in self._numbers:
                raise Anomaly("twice", entry.key)
            self._numbers[entry.key] = len(self.order)
        self.order.append(entry)

    def settle(self) -> None:
        for _ in range(180):
            self.network.run(100)
            if self._is_settled():
                break
        else:
            newest = max((member.view for member in self.members.values()), key=lambda view: view.number)
            self.is_stuck = not newest.is_quorum(name for name in newest.members if name not in self._gone)
            if not self.is_stuck:
                raise Anomaly("no progress", f"{newest}, without {sorted(self._gone)}")
        self.check_order()

    def _is_settled(self) -> bool:
        members = [self.members[name] for name in self.names]
        return all(
            member.is_member
            and self._shown[member.me] == len(self.order)
            and all(key in self._numbers for key in member.outbox)
            for member in members
        )

    def check_order(self) -> None:
        """What was shown is in order."""
        numbers = self._numbers
        if not self.is_stuck and (lost := [key for key in self.required if key not in numbers]):
            raise Anomaly("lost", ", ".join(lost))
        last: dict[str, int] = {}
        for key in self.seen:
            place, author = numbers.get(key), key.partition("-")[0]
            if place is None:
                continue
            if place < last.get(author, 0):
                raise Anomaly("not in its author's order", key)
            last[author] = place
            if place < self.seen[key]:
                raise Anomaly("before what its author had seen", key)
            if later := [other for other in self.pending[key] if numbers.get(other, place) > place]:
                raise Anomaly("before what its author had seen", f"{key} before {later[0]}")
        views = [entry.number for entry in self.order if isinstance(entry, View)]
        if views != list(range(1, len(views) + 1)):
            raise Anomaly("views not consecutive", str(views))
