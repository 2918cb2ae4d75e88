"""What this server hands in: it gathers, becomes one entry at a time, and whoever waits is told what came of it, in time.

An entry that nobody has heard of for too long is given up: it may be in the stream all the same, then everybody applies it, or
come late, behind the next one, then nobody does (`core.log.counted`).
"""

import logging
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pyrochat.core.commands import Entry, Post, entry_to_wire
from pyrochat.core.order import Applied, Follower, Submission
from pyrochat.core.room import Outcome
from pyrochat.orders.replicated.entries import MAX_BYTES, Fields, to_bytes
from pyrochat.orders.replicated.stream import NO_MAJORITY, Fate
from pyrochat.threads import Defects
from pyrochat.values.errors import BatchTooLarge, LogUnavailable, LogUncertain, PyroChatError, RoomClosing

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 3.5
"""With `_FEWEST_SECONDS`, and what a busy machine takes, whoever hands something in is told something within 5 s."""

MAX_ENTRY_COMMANDS = 2000
_FULL_BYTES = 1024 * 1024  # nothing is added to an entry that has about so many
_TEXT_BYTES = 48  # that a text has beside itself: key, salt, punctuation
NEVER = float("inf")
_FEWEST_SECONDS = 0.8  # that an entry has, however long its commands have waited
_LATE_SECONDS = 2.0
_AGAIN_SECONDS = 0.05  # until a publish that has failed is tried again


class _Waiting(NamedTuple):
    """A submission, and the time until which its caller has to be told something."""

    until: float
    submission: Submission


Publish = Callable[[bytes, str, Callable[[Fate], None]], None]


class _UnderWay:
    """An entry that is on its way *since* then. asked: publishes that nothing was heard of yet. maybe: another one may have put
    it into the stream."""

    def __init__(self, count: int, group: list[Submission], data: bytes, since: float, until: float) -> None:
        self.count, self.group, self.data, self.since, self.until = count, group, data, since, until
        self.asked, self.maybe = 0, False

    @property
    def may_be_stored(self) -> bool:
        return self.maybe or self.asked > 0


class Outgoing:
    """Not synchronized: the order's thread calls. home: this server's run. publish: see `Stream`. learned: called in the stream's
    thread with what has become of an entry, for `learn`. most: commands of an entry; most_bytes: what is larger is never published.
    to_wire: of a command. is_slow: see `Stream`."""

    def __init__(
        self, home: str, publish: Publish, learned: Callable[[int, Fate], None], patience_seconds: float, most: int,
        to_wire: Callable[[Any], list[object]], most_bytes: int = MAX_BYTES,
        is_slow: str = NO_MAJORITY,
    ) -> None:  # fmt: skip
        self._source = f"{home}/{secrets.token_hex(4)}"
        self._publish = publish
        self._learned = learned
        self._patience = patience_seconds
        self._most = most
        self._most_bytes = most_bytes
        self._to_wire = to_wire
        self._is_slow = is_slow
        self._count = 0
        self._defects = Defects(log)
        self._waiting: deque[_Waiting] = deque()
        self._under_way: _UnderWay | None = None
        self._publish_at = NEVER

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting or self._under_way)

    @property
    def due(self) -> float:
        """When there is something to do next."""
        due = self._publish_at if self._under_way is None else min(self._publish_at, self._under_way.until)
        return min(due, self._waiting[0].until) if self._waiting else due

    def is_late(self, now: float) -> bool:
        """Whether an entry has been under way for so long that nobody seems to take it."""
        return self._under_way is not None and now - self._under_way.since > _LATE_SECONDS

    def hand_in(self, submission: Submission, now: float) -> None:
        """Somebody wants something."""
        self._waiting.append(_Waiting(now + self._patience, submission))

    def publish_due(self, follower: Follower, now: float) -> None:
        """Publish what is due."""
        while self._under_way is None and self._waiting:
            self._gather(follower, now)
        under_way = self._under_way
        if under_way is not None and now >= self._publish_at:
            self._publish_at = NEVER
            under_way.asked += 1
            count = under_way.count
            self._publish(under_way.data, f"{self._source}:{count}", lambda fate: self._learned(count, fate))

    def _gather(self, follower: Follower, now: float) -> None:
        """The next entry, of what has waited longest."""
        group: list[_Waiting] = []
        count = size = 0
        while self._waiting and count < self._most and size < _FULL_BYTES:
            group.append(self._waiting.popleft())
            commands = group[-1].submission.commands
            count += len(commands)
            size += sum(len(text.encode()) + _TEXT_BYTES for c in commands if isinstance(c, Post) for text in c.texts)
        self._count += 1
        while len(data := self._encoded(group, follower)) > self._most_bytes and len(group) > 1:
            half = len(group) // 2  # JSON may make six bytes of one
            self._waiting.extendleft(reversed(group[half:]))
            del group[half:]
        submissions = [each.submission for each in group]
        if len(data) > self._most_bytes:
            error = BatchTooLarge(
                f"{len(data):,} bytes in one call, {self._most_bytes:,} are the most: send them in parts"
            )
            self.refuse(submissions[0], error)
            return
        until = max(min(each.until for each in group), now + _FEWEST_SECONDS)
        self._under_way = _UnderWay(self._count, submissions, data, now, until)
        self._publish_at = now

    def _encoded(self, group: Sequence[_Waiting], follower: Follower) -> bytes:
        commands = tuple(command for each in group for command in each.submission.commands)
        entry = Entry(0, 0, commands, (self._source, self._count), follower.tip)
        return to_bytes(Fields(entry_to_wire(entry, follower.version, self._to_wire)))

    def learn(self, count: int, fate: Fate, now: float) -> None:
        """What has become of the entry *count*."""
        under_way = self._under_way
        if under_way is None or under_way.count != count:
            return
        under_way.asked -= 1
        under_way.maybe = under_way.maybe or fate is not Fate.REFUSED
        if fate is not Fate.STORED:
            self._publish_at = now + _AGAIN_SECONDS

    def publish_again(self, now: float) -> None:
        """What was published counts for nothing."""
        if self._under_way is not None:
            self._publish_at = now

    def tell(self, entries: Sequence[Entry], applied: Applied) -> None:
        """Tell our callers what came of their entry, if it is among *entries*."""
        under_way = self._under_way
        if under_way is None:
            return
        told = zip(entries, applied.outcomes, strict=True)
        ours = next((outcomes for entry, outcomes in told if entry.source == (self._source, under_way.count)), None)
        if ours is None:
            return
        self._under_way, self._publish_at = None, NEVER
        error = applied.error and LogUncertain(
            f"the others have this, but this server can't write its log ({applied.error}); ask again with the same key"
        )
        rest: list[Outcome] = list(ours) if error is None else [error] * len(ours)
        for submission in under_way.group:
            count = len(submission.commands)
            self.finish(submission, rest[:count], error)
            rest = rest[count:]

    def give_up(self, now: float, trouble: str | None, is_over: bool) -> None:
        """Tell those something who have waited long enough. trouble: what keeps the order from going on. is_over: it never will."""
        why = trouble or self._is_slow
        unavailable = RoomClosing(why) if is_over else LogUnavailable(f"nothing was stored: {why}; try again")
        under_way = self._under_way
        if under_way is not None and (is_over or now >= under_way.until):
            self._under_way, self._publish_at = None, NEVER
            uncertain = LogUncertain(f"whether this was stored is unknown: {why}; ask again with the same key")
            for submission in under_way.group:
                self.refuse(submission, uncertain if under_way.may_be_stored else unavailable)
        while self._waiting and (is_over or now >= self._waiting[0].until):
            self.refuse(self._waiting.popleft().submission, unavailable)

    def refuse(self, submission: Submission, error: PyroChatError) -> None:
        """Nothing comes of it."""
        self.finish(submission, [error] * len(submission.commands), error)

    def finish(self, submission: Submission, outcomes: Sequence[Outcome], error: PyroChatError | None) -> None:
        """Tell what came of it."""
        try:
            submission.finish(outcomes, error)
        except BaseException as defect:  # where the outcome is taken; the others' are told all the same
            self._defects.tell("telling the outcome of an entry", defect)
