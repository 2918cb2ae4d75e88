"""What a history says about each room, arranged for the checks. Pure: no I/O, no clock.

The arrangement keeps the checks from answering for each other. Where replicas disagree about an id, that
id is *disputed*, and what is said there counts for no other check. Everything else is the *log*: what
all replicas that have an id agree on.
"""

import itertools
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lab.faults.events import FAILED, OK
from lab.faults.history import CHAT, SYSTEM, Answer, Content, History, Replica, Send


@dataclass(slots=True)
class Sent:
    """All attempts to send one text. acked: when the first OK ended; ids: what the OKs named."""

    text: str
    room: str
    members: set[str]
    begun: int
    acked: int | None = None
    ids: set[int] = field(default_factory=set)
    failed: bool = True  # every attempt has definitely failed

    def add(self, send: Send) -> None:
        """One more attempt."""
        self.members.add(send.member)
        self.begun = min(self.begun, send.begun)
        self.failed = self.failed and send.outcome == FAILED
        if send.outcome == OK and send.id is not None and send.ended is not None:
            self.ids.add(send.id)
            self.acked = send.ended if self.acked is None else min(self.acked, send.ended)


@dataclass(frozen=True, slots=True)
class Dispute:
    """Replicas disagree about *id*. sights: each content with when and by whom it was seen there."""

    id: int
    sights: dict[Content, list[tuple[int, str]]]

    @property
    def is_over_restart(self) -> bool:
        """Whether time separates the contents: each was seen for the last time before the next was seen first."""
        return all(last < first for last, first in self.gaps())

    def gaps(self) -> list[tuple[int, int]]:
        """For each content but the last: when it was seen last, and when the next one was seen first."""
        spans = sorted((min(at), max(at)) for at in ([t for t, _ in seen] for seen in self.sights.values()))
        return [(earlier[1], later[0]) for earlier, later in itertools.pairwise(spans)]

    @property
    def is_about_membership(self) -> bool:
        """Whether a change of membership is among the contents."""
        return any(content.kind == SYSTEM for content in self.sights)

    def __str__(self) -> str:
        return "; ".join(f"{seen[0][1]} has {content}" for content, seen in self.sights.items())


class RoomEvidence:
    """One room."""

    def __init__(
        self, room: str, replicas: Sequence[Replica], sends: Iterable[Send], answers: Sequence[Answer]
    ) -> None:
        self.room = room
        self.replicas = replicas
        self.answers = answers
        self.sent: dict[str, Sent] = {}
        for send in sends:
            sent = self.sent.get(send.text)
            if sent is None:
                sent = self.sent[send.text] = Sent(send.text, room, set(), send.begun)
            sent.add(send)
        self.log: dict[int, Content] = {}
        self.disputes: list[Dispute] = []
        self._compare_replicas()
        self.disputed_texts = {content.text for dispute in self.disputes for content in dispute.sights}
        self.disputed_ids = {dispute.id for dispute in self.disputes}
        self.ids = sorted(self.log)
        self.end = max((self.ids[-1] if self.ids else 0), max(self.disputed_ids, default=0))
        self.settled = [replica for replica in replicas if replica.complete]
        self.places: dict[str, list[int]] = {}  # of chat texts in the log
        for id in self.ids:
            if self.log[id].kind == CHAT:
                self.places.setdefault(self.log[id].text, []).append(id)
        self.stays = self._read_stays()

    def _compare_replicas(self) -> None:
        first: dict[int, Content] = {}
        disputed: set[int] = set()
        for replica in self.replicas:
            for id, content in zip(replica.ids, replica.contents, strict=True):
                known = first.setdefault(id, content)
                if known is not content and known != content:
                    disputed.add(id)
        self.log = {id: content for id, content in first.items() if id not in disputed}
        sights: dict[int, dict[Content, list[tuple[int, str]]]] = {id: {} for id in sorted(disputed)}
        for replica in self.replicas if disputed else ():
            for id, content, at in zip(replica.ids, replica.contents, replica.times, strict=True):
                if id in disputed:
                    sights[id].setdefault(content, []).append((at, replica.client))
        self.disputes = [Dispute(id, seen) for id, seen in sights.items()]

    def _read_stays(self) -> dict[str, tuple[list[int], list[int]]]:
        """Each member's join ids and leave ids; of a disputed id, what most replicas have counts."""
        stays: dict[str, tuple[list[int], list[int]]] = {}
        present: set[str] = set()
        most = {
            d.id: Counter({c: len(seen) for c, seen in d.sights.items()}).most_common(1)[0][0] for d in self.disputes
        }
        for id in sorted([*self.ids, *most]):
            content = self.log.get(id) or most[id]
            if content.kind != SYSTEM:
                continue
            joins, leaves = stays.setdefault(content.sender, ([], []))
            if content.text.endswith(" joined") and content.sender not in present:
                present.add(content.sender)
                joins.append(id)
            elif content.text.endswith(" left") and content.sender in present:
                present.discard(content.sender)
                leaves.append(id)
        return stays

    def was_member(self, name: str, id: int) -> bool:
        """Whether *name* had joined for the first time at or before message *id*."""
        joins, _ = self.stays.get(name, ([], []))
        return bisect_right(joins, id) > 0

    def content_at(self, id: int) -> Content | None:
        """What the log has at *id*; None where it is disputed or nobody has it."""
        return self.log.get(id)


class Evidence:
    """All rooms of a history, and what is common to them."""

    def __init__(self, history: History) -> None:
        self.history = history
        names = {r.room for r in history.replicas} | {s.room for s in history.sends}
        replicas: dict[str, list[Replica]] = {name: [] for name in names}
        sends: dict[str, list[Send]] = {name: [] for name in names}
        answers: dict[str, list[Answer]] = {name: [] for name in names}
        for replica in history.replicas:
            replicas[replica.room].append(replica)
        for send in history.sends:
            sends[send.room].append(send)
        for answer in history.answers:
            answers[answer.room].append(answer)
        self.rooms = [RoomEvidence(name, replicas[name], sends[name], answers[name]) for name in sorted(names)]

    def restarted_between(self, earlier: int, later: int) -> bool:
        """Whether the server was started anew between two times."""
        starts = self.history.server_starts
        return bisect_right(starts, later) > bisect_right(starts, earlier)

    def rooms_of(self, text: str) -> list[str]:
        """The rooms to which *text* was sent."""
        return [room.room for room in self.rooms if text in room.sent]

    def is_elsewhere(self, text: str, room: RoomEvidence) -> bool:
        """Whether another room's log has *text*."""
        return any(text in other.places for other in self.rooms if other is not room)
