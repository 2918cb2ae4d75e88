"""The sequencer: gives drafts their place in the room's total order.

A fixed sequencer in the sense of Défago, Schiper and Urbán ("Total order broadcast and multicast
algorithms", 2004): one process numbers all messages. It is no thread and no lock; whoever calls it has
to see to it that one call runs at a time (`room.writer`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyrochat.core.log import KeySeen, Log, MemberRecord
from pyrochat.values.errors import KeyConflict
from pyrochat.values.keys import shown_key
from pyrochat.values.message import CHAT, Message, message_of

__all__ = ["Draft", "Sequencer"]


class Draft(NamedTuple):
    """A message that has no place in the order yet."""

    sender: str
    text: str
    kind: str = CHAT
    key: str | None = None


class Sequencer:
    """Numbers drafts and appends them to a log, each key of a sender once."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def sequence(
        self, drafts: Sequence[Draft], members: Sequence[MemberRecord], now_us: int
    ) -> tuple[list[Message | KeyConflict], list[Message]]:
        """Append *drafts* and *members* in one step; returns ``(outcomes, appended)``.

        outcomes: one for each draft, in order: the message it became, or the one that its key had
        made before, or a KeyConflict where that key had made another text. appended: what is new in
        the log. Raises LogUnavailable, and then nothing was appended.
        """
        messages = self._number(drafts, now_us)
        try:
            self._log.append(messages, members)
        except KeySeen:  # rare: a retry after a lost answer. Looking each key up beforehand would cost every post.
            return self._sequence_seen(drafts, members, now_us)
        return list(messages), messages

    def made_before(self, drafts: Sequence[Draft]) -> list[Message] | None:
        """The messages that *drafts* have all become at an earlier time, by their keys; None where one has not."""
        found = [self._log.find(draft.sender, draft.key) if draft.key is not None else None for draft in drafts]
        messages = [message for message in found if message is not None]
        return messages if len(messages) == len(drafts) else None

    def _number(self, drafts: Sequence[Draft], now_us: int) -> list[Message]:
        room, tail = self._log.room, self._log.tail
        return [
            message_of((id, room, draft.sender, draft.text, now_us, draft.kind, draft.key))
            for id, draft in enumerate(drafts, tail + 1)
        ]

    def _sequence_seen(
        self, drafts: Sequence[Draft], members: Sequence[MemberRecord], now_us: int
    ) -> tuple[list[Message | KeyConflict], list[Message]]:
        fresh: list[Draft] = []
        places: list[Message | int] = []  # for each draft: the message of its key, or its index in `fresh`
        indexes: dict[tuple[str, str], int] = {}
        for draft in drafts:
            place: Message | int | None = None
            if draft.key is not None:
                place = self._log.find(draft.sender, draft.key)
                if place is None:
                    place = indexes.setdefault((draft.sender, draft.key), len(fresh))
            if place is None or place == len(fresh):
                place = len(fresh)
                fresh.append(draft)
            places.append(place)
        appended = self._number(fresh, now_us)
        self._log.append(appended, members)
        outcomes: list[Message | KeyConflict] = []
        for draft, place in zip(drafts, places, strict=True):
            message = appended[place] if isinstance(place, int) else place
            same = (message.text, message.kind) == (draft.text, draft.kind)
            outcomes.append(
                message
                if same
                else KeyConflict(
                    f"the key {shown_key(draft.key or '')!r} has made message {message.id} already: use a new one"
                )
            )
        return outcomes, appended
