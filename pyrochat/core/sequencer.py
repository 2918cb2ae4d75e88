"""The sequencer: gives drafts their place in the room's total order, each key of a member once.

A fixed sequencer in the sense of Défago, Schiper and Urbán ("Total order broadcast and multicast
algorithms", 2004): one process numbers all messages. It is no thread and no lock; whoever calls it has
to see to it that one call runs at a time (`room.writer`).

A key stands for what was sent under it: a text, or a list of texts in one call. Sent again it gives the messages
that it has made; with anything else under it the whole request is refused, and nothing of it is stored. The
messages of a list under the key K bear K.0, K.1 …, so K is used where K.0 is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pyrochat.core.log import Log, MemberRecord
from pyrochat.values.errors import KeyConflict, LogUnavailable, LogUncertain, PyroChatError
from pyrochat.values.keys import key_owner
from pyrochat.values.message import CHAT, Message, message_of
from pyrochat.values.rules import fold
from pyrochat.values.times import clamped_time_us

__all__ = ["Draft", "Outcome", "Sequenced", "Sequencer", "part_key"]

Outcome = list[Message] | KeyConflict | LogUnavailable
"""Of a request: the messages that its drafts have become, now or before; or why nothing of it is stored, or unknown."""

_Key = tuple[str, str]
"""Whose it is (`values.keys.key_owner`), and the key."""


class Draft(NamedTuple):
    """A message that has no place in the order yet.

    key: the message's own. list_key: the key of the whole request, where it is a list under one key. mark: a guest's,
    whose keys are its own by that.
    """

    sender: str
    text: str
    kind: str = CHAT
    key: str | None = None
    list_key: str | None = None
    mark: str = ""

    @property
    def owner(self) -> str:
        """Whose its keys are."""
        return key_owner(fold(self.sender), self.mark)


class Sequenced(NamedTuple):
    """What came of some requests. appended: what is new in the log. error: why nothing could be appended."""

    outcomes: list[Outcome]
    appended: list[Message]
    error: LogUnavailable | None


def part_key(list_key: str, index: int) -> str:
    """The key of the message at *index* (from 0) of the list that was sent under *list_key*."""
    return f"{list_key}.{index}"


class Sequencer:
    """Numbers the drafts of requests and appends them to a log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._unknown: set[_Key] = set()  # of a commit of which nobody knows whether it is on disk

    def sequence(self, requests: Sequence[Sequence[Draft]], members: Sequence[MemberRecord], now_us: int) -> Sequenced:
        """Append what is new in *requests*, and *members*, in one step; an outcome for each request, in order.

        A request is one sender's, and all or nothing. Where nothing can be appended, what was stored before is
        told all the same.
        """
        try:
            group = _Group(self._log, _keys_of(requests), clamped_time_us(now_us))
        except LogUnavailable as error:
            return Sequenced([_unread(drafts, error) for drafts in requests], [], error)
        outcomes = [self._outcome(group, drafts) for drafts in requests]
        try:
            if group.fresh or members:
                self._log.append(group.fresh, members, group.owners)
        except LogUnavailable as error:
            if isinstance(error, LogUncertain):
                self._unknown.update(group.fresh_keys.values())
            return Sequenced([_without_append(outcome, group.tail, error) for outcome in outcomes], [], error)
        return Sequenced(outcomes, group.fresh, None)

    def recall(self, drafts: Sequence[Draft], refusal: PyroChatError) -> Outcome | PyroChatError:
        """What *drafts* have become before, by their keys; *refusal* where they have not: nothing is appended."""
        try:
            group = _Group(self._log, _keys_of([drafts]), 0)
        except LogUnavailable as error:
            return _unread(drafts, error)
        outcome = self._outcome(group, drafts)
        is_new = isinstance(outcome, list) and any(message.id > group.tail for message in outcome)
        return refusal if is_new else outcome

    def _outcome(self, group: _Group, drafts: Sequence[Draft]) -> Outcome:
        if self._unknown and not self._unknown.isdisjoint(_keys_of([drafts])):
            return LogUncertain(
                "the disk failed when this key was used before: whether its message is stored is known when the "
                "server has been restarted; ask again then, with the same key"
            )
        return group.take(drafts)


class _Group:
    """Requests that share a commit, after *tail*.

    fresh: their messages that are new. fresh_keys: the keys of those, by id. owners: for `Log.append`.
    """

    def __init__(self, log: Log, keys: Iterable[_Key], now_us: int) -> None:
        self._log = log
        self.tail = log.tail
        self._known = log.find(keys)
        self._now_us = now_us
        self.fresh: list[Message] = []
        self.fresh_keys: dict[int, _Key] = {}
        self.owners: dict[int, str] = {}

    def take(self, drafts: Sequence[Draft]) -> list[Message] | KeyConflict:
        """What *drafts* become, or have become before."""
        if drafts and drafts[0].list_key is not None:
            return self._take_list(drafts, drafts[0].list_key)
        length = len(self.fresh)
        messages = []
        for draft in drafts:
            message = self._take_one(draft)
            if isinstance(message, KeyConflict):
                self._forget_after(length)
                return message
            messages.append(message)
        return messages

    def _take_one(self, draft: Draft) -> Message | KeyConflict:
        if draft.key is None:
            return self._add(draft)
        owner = draft.owner
        known = self._known.get((owner, draft.key))
        if known is None:
            known = self._known.get((owner, part_key(draft.key, 0)))
            if known is None:
                return self._add(draft)
            if self._has_part(owner, draft.key, 1, known.id + 1):
                return _conflict(draft.key, known)
        return known if _is_same(known, draft) else _conflict(draft.key, known)

    def _take_list(self, drafts: Sequence[Draft], key: str) -> list[Message] | KeyConflict:
        owner = drafts[0].owner
        alone = self._known.get((owner, key))
        if alone is not None:
            return [alone] if len(drafts) == 1 and _is_same(alone, drafts[0]) else _conflict(key, alone)
        known = [self._known.get((owner, draft.key or "")) for draft in drafts]
        found = [message for message in known if message is not None]
        if not found:
            return [self._add(draft) for draft in drafts]
        is_same = len(found) == len(drafts) and all(map(_is_same, found, drafts))
        if not is_same or self._has_part(owner, key, len(drafts), found[-1].id + 1):
            return _conflict(key, found[0])
        return found

    def _has_part(self, owner: str, list_key: str, index: int, id: int) -> bool:
        """Whether a list goes on with message *id*: its parts follow each other."""
        key = (owner, part_key(list_key, index))
        part = self._known.get(key) or self._log.find([key]).get(key)
        return part is not None and part.id == id

    def _add(self, draft: Draft) -> Message:
        id = self.tail + len(self.fresh) + 1
        message = message_of((id, self._log.room, draft.sender, draft.text, self._now_us, draft.kind, draft.key))
        self.fresh.append(message)
        if draft.key is not None:
            key = (draft.owner, draft.key)
            self._known[key], self.fresh_keys[id] = message, key
            if draft.mark:
                self.owners[id] = draft.owner
        return message

    def _forget_after(self, length: int) -> None:
        """A request is refused: take back what it has added to `fresh`."""
        for message in self.fresh[length:]:
            if message.key is not None:
                del self._known[self.fresh_keys.pop(message.id)]
                self.owners.pop(message.id, None)
        del self.fresh[length:]


def _keys_of(requests: Iterable[Sequence[Draft]]) -> list[_Key]:
    """What has to be looked up: the drafts' keys, and those under which the same may have been sent otherwise."""
    keys = []
    for drafts in requests:
        for draft in drafts:
            if draft.key is None:
                continue
            owner = draft.owner
            keys.append((owner, draft.key))
            if draft.list_key is None:
                keys.append((owner, part_key(draft.key, 0)))
        if drafts and (list_key := drafts[0].list_key) is not None:
            owner = drafts[0].owner
            keys += [(owner, list_key), (owner, part_key(list_key, len(drafts)))]
    return keys


def _is_same(message: Message, draft: Draft) -> bool:
    return (message.text, message.kind) == (draft.text, draft.kind)


def _conflict(key: str, message: Message) -> KeyConflict:
    return KeyConflict(
        f"the key {key!r} stands for something else already, from message {message.id} on; nothing was stored: "
        "use a new key"
    )


def _unread(drafts: Sequence[Draft], error: LogUnavailable) -> LogUnavailable:
    """What to say where the log can't be read: with a key, *drafts* may have been stored before."""
    if any(draft.key is not None for draft in drafts):
        return LogUncertain(f"{error}: whether the message was stored before is unknown; ask again with the same key")
    return error


def _without_append(outcome: Outcome, tail: int, error: LogUnavailable) -> Outcome:
    """*outcome*, where the append that it may have needed has failed; the log ends at *tail*."""
    if isinstance(outcome, list) and not (outcome and all(message.id <= tail for message in outcome)):
        return error
    return outcome
