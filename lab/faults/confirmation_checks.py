"""Are the confirmations true, and do they stay? Pure functions; see `checker`.

What a recording client has been shown is in its file before its handler returns, and only then does it
count as read. So "read" can be held against the files at any moment, "delivered" only when the client
has ended in an orderly way: it may have been killed between the delivery and the record.
"""

from collections.abc import Iterator

from lab.faults.anomalies import Finding
from lab.faults.evidence import Evidence, RoomEvidence
from lab.faults.history import Answer, Replica


def confirmations_from_non_members(evidence: Evidence) -> Iterator[Finding]:
    """Somebody is named who was no member at the message, or who has sent it."""
    for room in evidence.rooms:
        for answer in room.answers:
            content = room.content_at(answer.id)
            if content is None:
                continue
            named = answer.delivered_to | answer.read_by | answer.waiting_for
            for name in sorted(named):
                if name == content.sender or not room.was_member(name, answer.id):
                    why = "has sent it" if name == content.sender else "was no member then"
                    yield Finding(room.room, f"#{answer.id} is said to concern {name}, who {why}", (answer.id,))


def confirmations_ahead_of_delivery(evidence: Evidence) -> Iterator[Finding]:
    """Read without being delivered; read before it was shown; delivered to one who never got it."""
    for room in evidence.rooms:
        of_member: dict[str, list[Replica]] = {}
        for replica in room.replicas:
            of_member.setdefault(replica.member, []).append(replica)
        for answer in room.answers:
            for name in sorted(answer.read_by | answer.delivered_to):
                if room.was_member(name, answer.id):
                    what = _too_early(answer, name, of_member.get(name, []))
                    if what:
                        yield Finding(room.room, f"#{answer.id} {what}, says the room", (answer.id,))


def _too_early(answer: Answer, name: str, replicas: list[Replica]) -> str:
    if name in answer.read_by and name not in answer.delivered_to:
        return f"was read by {name}, and not delivered to it"
    if not replicas:
        return ""  # nobody has recorded for this member
    if name in answer.read_by:
        shown = [at for replica in replicas if (at := replica.time_of(answer.id)) is not None]
        if not shown or min(shown) > answer.at:
            return f"was read by {name}, to whom it had not been shown"
    elif all(replica.end is not None and replica.end < answer.id for replica in replicas):
        return f"was delivered to {name}, who never got it"
    return ""


def backwards_confirmations(evidence: Evidence) -> Iterator[Finding]:
    """Somebody confirmed, and then has not, while one server ran."""
    yield from (finding for finding, over_restart in _taken_back(evidence) if not over_restart)


def confirmations_lost_over_a_restart(evidence: Evidence) -> Iterator[Finding]:
    """The same, and the server was started anew in between."""
    yield from (finding for finding, over_restart in _taken_back(evidence) if over_restart)


def _taken_back(evidence: Evidence) -> Iterator[tuple[Finding, bool]]:
    for room in evidence.rooms:
        by_id: dict[int, list[Answer]] = {}
        for answer in room.answers:
            by_id.setdefault(answer.id, []).append(answer)
        for id, answers in by_id.items():
            yield from _taken_back_of(evidence, room, id, answers)
    yield from _marks_taken_back(evidence)


def _taken_back_of(
    evidence: Evidence, room: RoomEvidence, id: int, answers: list[Answer]
) -> Iterator[tuple[Finding, bool]]:
    """Over all answers on one message: who is in one has to be in each that was asked for after it came."""
    came = sorted(answers, key=lambda answer: answer.at)
    seen: dict[tuple[str, str], int] = {}  # (name, what): when an answer that says so came last
    told: set[tuple[str, str]] = set()
    next_came = 0
    for answer in sorted(answers, key=lambda answer: answer.asked):
        while next_came < len(came) and came[next_came].at < answer.asked:
            earlier = came[next_came]
            seen.update(((name, "delivered"), earlier.at) for name in earlier.delivered_to | earlier.read_by)
            seen.update(((name, "read"), earlier.at) for name in earlier.read_by)
            next_came += 1
        now = {(name, "delivered") for name in answer.delivered_to | answer.read_by}
        now |= {(name, "read") for name in answer.read_by}
        missing = dict(sorted(seen.keys() - now - told, key=lambda m: m[1] == "delivered"))
        told |= seen.keys() - now
        for name, what in sorted(missing.items()):
            finding = Finding(room.room, f"#{id} was {what} for {name}, and then it was not", (id,))
            yield finding, evidence.restarted_between(seen[name, what], answer.at)


def _marks_taken_back(evidence: Evidence) -> Iterator[tuple[Finding, bool]]:
    """Over what each client was told of the marks: they only grow."""
    highest: dict[tuple[str, str], tuple[int, int, int]] = {}  # (client, name): delivered, read, when seen last
    for sight in sorted(evidence.history.marks, key=lambda sight: sight.at):
        for name, (delivered, read) in sight.marks.items():
            before = highest.get((sight.client, name), (0, 0, 0))
            if delivered < before[0] or read < before[1]:
                what = f"{name}'s marks went from {before[:2]} to {(delivered, read)} at {sight.client}"
                finding = Finding(sight.room, what, (max(before[:2]),))
                yield finding, evidence.restarted_between(before[2], sight.at)
            highest[sight.client, name] = (delivered, read, sight.at)
