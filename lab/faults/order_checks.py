"""Is the order of the log one that the senders can have seen? Pure functions; see `checker`.

A send is an interval from its beginning to its acknowledgement. Whose interval ends before another's
begins has to come first in the log; what overlaps may come in any order (linearizability of appends:
Herlihy and Wing, 1990). One sender's own messages are told apart from those of different senders, so
that each disorder is of one kind.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lab.faults.anomalies import Finding
from lab.faults.evidence import Evidence, RoomEvidence


@dataclass(frozen=True, slots=True)
class _Place:
    """A message in the log. acked: None where its fate was unknown to its sender."""

    id: int
    sender: str
    begun: int
    acked: int | None


def _places(room: RoomEvidence) -> list[_Place]:
    """The messages whose place is certain, in the log's order."""
    places = []
    for text, ids in room.places.items():
        sent = room.sent.get(text)
        sender = room.log[ids[0]].sender
        if sent is not None and len(ids) == 1 and sent.ids <= set(ids) and sender in sent.members and not sent.failed:
            places.append(_Place(ids[0], sender, sent.begun, sent.acked))
    return sorted(places, key=lambda place: place.id)


def sender_disorder(evidence: Evidence) -> Iterator[Finding]:
    """A sender's message that comes after one that it began only when this was acknowledged."""
    for room in evidence.rooms:
        earliest: dict[str, _Place] = {}  # of what comes later in the log, each sender's first acknowledged
        for place in reversed(_places(room)):
            other = earliest.get(place.sender)
            if other is not None and other.acked is not None and other.acked < place.begun:
                yield _disorder(room, place, other)
            if place.acked is not None and (other is None or other.acked is None or place.acked < other.acked):
                earliest[place.sender] = place


def real_time_disorder(evidence: Evidence) -> Iterator[Finding]:
    """The same between two senders."""
    for room in evidence.rooms:
        # Of what comes later in the log, the first acknowledged, and the first of any other sender.
        first: _Place | None = None
        second: _Place | None = None
        for place in reversed(_places(room)):
            other = first if first is not None and first.sender != place.sender else second
            if other is not None and other.acked is not None and other.acked < place.begun:
                yield _disorder(room, place, other)
            if place.acked is None:
                continue
            if first is None or first.acked is None or place.acked < first.acked:
                if first is not None and first.sender != place.sender:
                    second = first
                first = place
            elif place.sender != first.sender and (
                second is None or second.acked is None or place.acked < second.acked
            ):
                second = place


def _disorder(room: RoomEvidence, place: _Place, other: _Place) -> Finding:
    begun, acked = place.begun, other.acked or 0
    return Finding(
        room.room,
        f"#{other.id} of {other.sender} was acknowledged {(begun - acked) / 1e6:.3f} ms before "
        f"#{place.id} of {place.sender} was begun",
        (place.id, other.id),
    )
