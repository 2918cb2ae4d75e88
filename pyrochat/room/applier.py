"""Where a room follows its order: what was decided next becomes durable, and then true.

`core.room` works out what entries do; here it is put into the log, in one step with the marks that are due, and only
then it is the room's state. A commit that fails changes nothing.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyrochat.clock import monotonic
from pyrochat.core.commands import Command, Entry, Post
from pyrochat.core.integrity import DIFFERS, loss_text
from pyrochat.core.keys import OwnersKey, keys_of
from pyrochat.core.log import Log, MemberRecord, Standing
from pyrochat.core.marks import Mark, Marks
from pyrochat.core.order import Applied, Follower, Rules
from pyrochat.core.room import Outcome, RoomState, Transition
from pyrochat.values.errors import LogLost, LogUnavailable, LogUncertain, PyroChatError
from pyrochat.values.message import Message

_TIP_DIGITS = 16
_RETRY_SECONDS = 1.0  # until marks that could not be written are tried again

Committed = Callable[[Transition], None]


class Applier(Follower):
    """What an order calls. interval: so long marks are gathered, by the number of members. committed: called in the
    order's thread with what is durable now, before anybody is told its outcome. said: what keeps the order from going on, or
    None, and whether it will not go on here. rules: the order's. told, pending: see `Follower`.

    state: replaced, never changed; any thread may read it, as it may call all but what an order calls.
    """

    def __init__(
        self, log: Log, interval: Callable[[int], float], committed: Committed,
        said: Callable[[str | None, bool], None] = lambda trouble, is_final: None, rules: Rules | None = None,
        told: Callable[[str], None] = lambda text: None, pending: Callable[[Sequence[Entry]], None] = lambda entries: None,
    ) -> None:  # fmt: skip
        self._log = log
        self._interval = interval
        self._committed = committed
        self._said = said
        self._rules = rules or Rules()
        self._told = told
        self._pending = pending
        self.state = self._rules.state_of(log)
        self._mutex = threading.Lock()  # guards the marks
        self._marks = Marks(log.members())
        self._marks_due = 0.0
        self._ahead: dict[str, Mark] = {}  # of what is not applied here yet
        self._unknown: frozenset[OwnersKey] = frozenset()  # of a commit of which nobody knows whether it is on disk

    # -- marks --------------------------------------------------------------------------------------------

    def heard(self, marks: Mapping[str, Mark]) -> None:
        with self._mutex:
            tail = self.state.tail
            for member, (delivered, read) in marks.items():
                if max(delivered, read) > tail:
                    known = self._ahead.get(member, (0, 0))
                    self._ahead[member] = max(known[0], delivered), max(known[1], read)
                self._marks.record(member, min(delivered, tail), min(read, tail))

    def _hear_ahead(self) -> None:
        """The log has grown."""
        with self._mutex:
            ahead, self._ahead = self._ahead, {}
        self.heard(ahead)

    @property
    def has_unwritten_marks(self) -> bool:
        """Whether a commit is needed for marks."""
        return self._marks.has_unwritten

    @property
    def marks_version(self) -> int:
        """The newest version of the marks."""
        return self._marks.version

    def marks_of(self, members: Sequence[str]) -> list[Mark]:
        """``(delivered, read)`` of each of *members*, as far as they are durable."""
        with self._mutex:
            return [self._marks.of(member) for member in members]

    def marks_since(self, version: int, limit: int) -> tuple[list[tuple[str, int, int]], int]:
        """See `Marks.since`."""
        with self._mutex:
            return self._marks.since(version, limit)

    # -- in the order's thread ----------------------------------------------------------------------------

    @property
    def entry(self) -> int:
        return self.state.entry

    @property
    def version(self) -> int:
        return self.state.version

    @property
    def tip(self) -> tuple[int, str]:
        return self.state.tail, self.state.digest.hex()[:_TIP_DIGITS]

    def stopped(self, error: PyroChatError) -> None:
        self._said(str(error), True)

    def said(self, trouble: str | None) -> None:
        self._said(trouble, False)

    def told(self, text: str) -> None:
        self._told(text)

    def pending(self, entries: Sequence[Entry]) -> None:
        self._pending(entries)

    def compare(self, entry: Entry) -> None:
        transition = self._rules.transition(self.state, self._log, ())
        transition.compare(entry)
        error = self._commit(transition, False)
        if error is not None:
            raise error

    @property
    def loss(self) -> str | None:
        return None if self.state.loss is None else loss_text(self.state.room, self.state.loss)

    def declare(self, loss: str) -> LogUnavailable | None:
        transition = self._rules.transition(self.state, self._log, ())
        transition.declare(loss)
        return self._commit(transition, False)

    @property
    def copying(self) -> bool:
        return self._log.standing is not None and self._log.standing.copying

    def adopt(self, number: int, identity: str, about: Mapping[str, Any]) -> None:
        state = self.state
        if identity != self._log.identity and state.tail > 0:
            raise LogLost(f"{DIFFERS}: it is another log, which was begun anew there")
        if about and state.tail > about["tail"]:
            raise LogLost(f"{DIFFERS}: they go on from message {about['tail']}, here the log ends at {state.tail}")
        version, sources = (about["version"], about["sources"]) if about else (state.version, state.sources)
        self._take_over(self._log.adopt(identity, about, Standing(number, version, sources, bool(about))))

    def paste(self, number: int, kind: str, rows: Sequence[Any]) -> None:
        standing = Standing(number, self.state.version, self.state.sources, kind != "end")
        self._take_over(self._log.paste(kind, rows, standing))

    def _take_over(self, messages: Sequence[Message]) -> None:
        """The log has got *messages* from a copy, or whatever else a copy has."""
        transition = self._rules.transition(self.state, self._log, ())
        transition.messages = list(messages)
        self.state = self._rules.state_of(self._log)
        with self._mutex:
            self._marks.written((record.member, (record.delivered, record.read)) for record in self._log.members())
        self._committed(transition)

    def due_seconds(self) -> float | None:
        if self._log.is_untidy:
            return 0.0
        return max(0.0, self._marks_due - monotonic()) if self._marks.has_unwritten else None

    def apply(self, entries: Sequence[Entry]) -> Applied:
        applied = self._apply(entries)
        self._log.tidy()
        return applied

    def _apply(self, entries: Sequence[Entry]) -> Applied:
        try:
            transition = self._rules.transition(self.state, self._log, entries)
            outcomes = [transition.apply(entry) for entry in entries]
        except LogUnavailable as unread:
            return Applied([[_unread(command, unread) for command in entry.commands] for entry in entries], unread)
        flushes = not all(entry.commands for entry in entries)
        unknown, error = self._unknown, self._commit(transition, flushes)
        if error is not None or unknown:
            outcomes = [
                [self._known(*pair, unknown, error) for pair in zip(entry.commands, told, strict=True)]
                for entry, told in zip(entries, outcomes, strict=True)
            ]
        return Applied(outcomes, error)

    def flush(self) -> LogUnavailable | None:
        """Write all marks; returns why that could not be done. Where the order is closed already."""
        return self.apply([Entry(self.entry + 1, 0, ())]).error

    def _commit(self, transition: Transition, flushes: bool) -> LogUnavailable | None:
        """Make durable what *transition* does, and take it over; returns why that could not be done. flushes: with all marks."""
        now, state = monotonic(), transition.state
        records, wrote_marks = self._records(state, transition.moved, now, flushes)
        if not transition.is_empty or records:
            try:
                beside = self._rules.beside(transition)
                self._log.append(
                    transition.messages, records, transition.owners,
                    digests=transition.digests, sessions=transition.sessions, loss=transition.loss,
                    erased=list(transition.erased.values()), standing=transition.standing,
                    beside=beside,
                )  # fmt: skip
            except LogUnavailable as error:
                self._marks_due = now + _RETRY_SECONDS
                if isinstance(error, LogUncertain):
                    self._unknown |= frozenset(transition.new_keys)
                return error
            with self._mutex:
                self._marks.written((record.member, (record.delivered, record.read)) for record in records)
        self.state = state
        if self._ahead:
            self._hear_ahead()
        if wrote_marks:
            self._marks_due = now + self._interval(len(self.state.present))
        if records or not transition.is_empty:
            self._committed(transition)
        return None

    def _records(
        self, state: RoomState, moved: Sequence[str], now: float, flushes: bool
    ) -> tuple[list[MemberRecord], bool]:
        """The member records that have to be in the commit that makes the room *state*, and whether they have the marks
        that are due."""
        if state.loss is not None:
            self._marks_due = now + _RETRY_SECONDS
        with self._mutex:
            is_due = state.loss is None and (flushes or now >= self._marks_due)
            marks = self._marks.unwritten if is_due else {}
            for member in moved:
                marks.setdefault(member, self._marks.latest(member))
        return [_record(state, member, mark) for member, mark in marks.items()], is_due and bool(marks)

    def _known(
        self, command: Command, outcome: Outcome, unknown: frozenset[OwnersKey], error: LogUnavailable | None
    ) -> Outcome:
        """*outcome*, where the commit that it may have needed has failed. unknown: the keys of an earlier one."""
        if isinstance(command, Post) and not unknown.isdisjoint(keys_of(command)):
            return LogUncertain(
                "the disk failed when this key was used before: whether its message is stored is known when the "
                "server has been restarted; ask again then, with the same key"
            )
        if error is None or isinstance(outcome, Exception) or outcome is None:
            return outcome
        return outcome if outcome and all(message.id <= self.state.tail for message in outcome) else error


def _record(state: RoomState, member: str, mark: Mark) -> MemberRecord:
    known = state.members.get(member)
    if known is None:
        return MemberRecord(member, *mark, member=member)
    return MemberRecord(known.name, *mark, known.first_joined, known.joined, member)


def _unread(command: Command, error: LogUnavailable) -> LogUnavailable:
    """What to say where the log can't be read: a post with a key may have been stored before."""
    if isinstance(command, Post) and any(key is not None for key in command.keys):
        return LogUncertain(f"{error}: whether the message was stored before is unknown; ask again with the same key")
    return error
