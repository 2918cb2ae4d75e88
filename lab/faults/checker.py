"""The checker: what must not be in a history. Pure functions over `Evidence`, no I/O.

One function an anomaly, all in the table `CHECKS`. They don't overlap: one fault in an otherwise good
history is found as exactly one kind (the tests inject each). After Jepsen's checkers for queues and
total order, and the rules of total-order and view-synchronous multicast (Défago, Schiper and Urbán,
2004; Chockler, Keidar and Vitenberg, 2001).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lab.faults.anomalies import Anomaly, Finding
from lab.faults.confirmation_checks import (
    backwards_confirmations,
    confirmations_ahead_of_delivery,
    confirmations_from_non_members,
    confirmations_lost_over_a_restart,
)
from lab.faults.evidence import Dispute, Evidence, RoomEvidence
from lab.faults.history import SYSTEM, History, Replica
from lab.faults.order_checks import real_time_disorder, sender_disorder
from pyrochat.values.message import CHAT


@dataclass(frozen=True, slots=True)
class Check:
    """A kind of anomaly. rule: what holds where there is none."""

    kind: str
    rule: str
    find: Callable[[Evidence], Iterator[Finding]]


def check(history: History) -> list[Anomaly]:
    """Every anomaly in *history*, in the order of `CHECKS`; an empty list where all is well."""
    evidence = Evidence(history)
    return [
        Anomaly(check.kind, finding.room, finding.description, finding.ids)
        for check in CHECKS
        for finding in check.find(evidence)
    ]


# -- what was acknowledged, and what there is --------------------------------------------------------------


def lost_messages(evidence: Evidence) -> Iterator[Finding]:
    """Acknowledged, and not in the log as those have it who were waited for (the disk is one of them)."""
    for room in evidence.rooms:
        if not room.settled:
            continue
        settled_end = max(replica.last for replica in room.settled)
        for sent in room.sent.values():
            if not sent.ids or sent.text in room.disputed_texts or evidence.is_elsewhere(sent.text, room):
                continue
            named = min(sent.ids)
            if sent.text in room.places:
                is_lost = min(room.places[sent.text]) > settled_end
            else:
                is_lost = named > settled_end or named in room.log or named in room.disputed_ids
            if is_lost:
                there = room.log.get(named) if sent.text not in room.places else None
                instead = f"where {there} is" if there else f"the log ends at #{settled_end}"
                yield Finding(room.room, f"{sent.text!r} was acknowledged as #{named}, {instead}", (named,))


def doubled_messages(evidence: Evidence) -> Iterator[Finding]:
    """One message, told by its text or its key, under two ids (that an answer named counts)."""
    for room in evidence.rooms:
        by_key: dict[tuple[str, str], set[int]] = {}
        for id, content in room.log.items():
            if content.key is not None and content.kind == CHAT:  # of a "joined" it is the member's own
                by_key.setdefault((content.sender, content.key), set()).add(id)
        told = set()
        for text, places in room.places.items():
            sent = room.sent.get(text)
            named = {id for id in sent.ids if id not in room.disputed_ids} if sent else set()
            ids = tuple(sorted({*places, *named}))
            if len(ids) > 1:
                told.update(places)
                yield Finding(room.room, f"{text!r} is there as {_numbers(ids)}", ids)
        for (sender, key), keyed in by_key.items():
            if len(keyed) > 1 and not keyed <= told:
                ids = tuple(sorted(keyed))
                yield Finding(room.room, f"{sender}'s key {key!r} is there as {_numbers(ids)}", ids)


def messages_nobody_sent(evidence: Evidence) -> Iterator[Finding]:
    """A chat message whose text nobody has sent anywhere."""
    for room in evidence.rooms:
        for text, places in room.places.items():
            if not evidence.rooms_of(text):
                yield Finding(room.room, f"nobody sent {text!r}", tuple(places))


def failed_messages(evidence: Evidence) -> Iterator[Finding]:
    """A message whose every send was told to have definitely failed."""
    for room in evidence.rooms:
        for text, places in room.places.items():
            sent = room.sent.get(text)
            if sent is not None and sent.failed:
                yield Finding(room.room, f"{text!r} is there, and its send failed", tuple(places))


def forged_senders(evidence: Evidence) -> Iterator[Finding]:
    """A message under another name than that of the client that sent it."""
    for room in evidence.rooms:
        for text, places in room.places.items():
            sent = room.sent.get(text)
            forged = tuple(id for id in places if sent is not None and room.log[id].sender not in sent.members)
            if forged and sent is not None:
                yield Finding(room.room, f"{room.log[forged[0]]} was sent by {', '.join(sent.members)}", forged)


def strays(evidence: Evidence) -> Iterator[Finding]:
    """A message that was sent to another room, or bears another room's name."""
    for room in evidence.rooms:
        for text, places in room.places.items():
            elsewhere = evidence.rooms_of(text)
            if elsewhere and room.room not in elsewhere:
                yield Finding(room.room, f"{text!r} was sent to {', '.join(elsewhere)}", tuple(places))
        for replica in room.replicas:
            for id, label in replica.strays:
                yield Finding(room.room, f"{replica.client} got #{id} as a message of room {label!r}", (id,))


# -- replicas, and how they came about ---------------------------------------------------------------------


def _disputes(evidence: Evidence) -> Iterator[tuple[RoomEvidence, Dispute, bool]]:
    for room in evidence.rooms:
        for dispute in room.disputes:
            over_restart = dispute.is_over_restart and all(evidence.restarted_between(*gap) for gap in dispute.gaps())
            yield room, dispute, over_restart


def different_replicas(evidence: Evidence) -> Iterator[Finding]:
    """Two replicas that differ at one id, while one server ran."""
    for room, dispute, over_restart in _disputes(evidence):
        if not over_restart and not dispute.is_about_membership:
            yield Finding(room.room, f"#{dispute.id}: {dispute}", (dispute.id,))


def reused_ids(evidence: Evidence) -> Iterator[Finding]:
    """An id that stood for one message before a restart of the server, and stands for another after it."""
    for room, dispute, over_restart in _disputes(evidence):
        if over_restart:
            yield Finding(room.room, f"#{dispute.id}: {dispute}", (dispute.id,))


def different_views(evidence: Evidence) -> Iterator[Finding]:
    """A join or leave that replicas see at different places between the messages."""
    for room, dispute, over_restart in _disputes(evidence):
        if not over_restart and dispute.is_about_membership:
            yield Finding(room.room, f"#{dispute.id}: {dispute}", (dispute.id,))


def impossible_views(evidence: Evidence) -> Iterator[Finding]:
    """A join of somebody who is in the view, or a leave of somebody who is not."""
    for room in evidence.rooms:
        if any(dispute.is_about_membership for dispute in room.disputes):
            continue
        present: set[str] = set()
        for id in room.ids:
            content = room.log[id]
            if content.kind != SYSTEM:
                continue
            joins = content.text.endswith(" joined")
            if joins == (content.sender in present):
                yield Finding(room.room, f"#{id}: {content}, who is {'' if joins else 'not '}in the view", (id,))
            (present.add if joins else present.discard)(content.sender)


def _jumps(replica: Replica) -> Iterator[tuple[int, int, bool]]:
    """Where *replica* was not shown the next id: ``(from, to, whether this is its join's boundary)``."""
    last = 0
    for id in replica.ids:
        if id != last + 1:
            boundary = last <= replica.tail < id if id > last else last >= replica.tail >= id
            yield last, id, boundary or last == 0
        last = id


def disorderly_deliveries(evidence: Evidence) -> Iterator[Finding]:
    """A delivery out of order, again, or with a gap before it."""
    for room in evidence.rooms:
        for replica in room.replicas:
            for last, id, boundary in _jumps(replica):
                if not boundary:
                    yield Finding(room.room, f"{replica.client} got #{id} after #{last}", (last, id))


def torn_joins(evidence: Evidence) -> Iterator[Finding]:
    """A newcomer whose history and live stream overlap, or miss something between them."""
    for room in evidence.rooms:
        for replica in room.replicas:
            for last, id, boundary in _jumps(replica):
                if boundary:
                    what = f"{replica.client}, joined at #{replica.tail}, got #{id} after #{last}"
                    yield Finding(room.room, what, (last, id))


def replicas_behind(evidence: Evidence) -> Iterator[Finding]:
    """A replica that has not reached the log's end, though it was waited for."""
    for room in evidence.rooms:
        end = max((replica.end or 0 for replica in room.settled), default=0)
        for replica in room.settled:
            if replica.last < min(end, room.end):
                yield Finding(room.room, f"{replica.client} ended at #{replica.last}, the log at #{end}", (end,))


def _numbers(ids: tuple[int, ...]) -> str:
    return " and ".join(f"#{id}" for id in ids)


CHECKS: tuple[Check, ...] = (
    Check("lost", "an acknowledged message is in every replica", lost_messages),
    Check("twice", "a message, however often its send was repeated, has one id", doubled_messages),
    Check("never sent", "every chat message was sent by somebody", messages_nobody_sent),
    Check("failed but there", "a send that definitely failed leaves no message", failed_messages),
    Check("forged sender", "a message bears its sender's name", forged_senders),
    Check("wrong room", "a message is in the room to which it was sent", strays),
    Check("replicas differ", "an id stands for the same message in every replica", different_replicas),
    Check("id used again", "an id stands for the same message after a restart as before", reused_ids),
    Check("views differ", "everybody sees joins and leaves at the same places in the log", different_views),
    Check("impossible view", "who joins was not in the view, who leaves was", impossible_views),
    Check("out of order", "deliveries come as 1, 2, 3 … without gap or repetition", disorderly_deliveries),
    Check("torn join", "a newcomer's history and live stream meet, and don't overlap", torn_joins),
    Check("left behind", "in the end every replica reaches the log's end", replicas_behind),
    Check("sender's order", "one sender's messages keep the order in which it sent them", sender_disorder),
    Check("real-time order", "a message acknowledged before another was begun comes before it", real_time_disorder),
    Check("confirmed by a stranger", "only members at a message, its sender excepted, confirm it",
          confirmations_from_non_members),
    Check("confirmed too early", "what was not delivered is not confirmed, what was not shown is not read",
          confirmations_ahead_of_delivery),
    Check("confirmation taken back", "who has confirmed a message stays among those who have",
          backwards_confirmations),
    Check("confirmation lost", "a confirmation outlives a restart of the server", confirmations_lost_over_a_restart),
)  # fmt: skip
