"""Texts that were handed in, here or elsewhere, and have no place in the log yet: shown, and nothing else."""

from collections.abc import Iterable, Iterator

from pyrochat.core.commands import Entry, Post
from pyrochat.values.message import CHAT, WireMessage


def pending_messages(room: str, entries: Iterable[Entry]) -> list[WireMessage]:
    """What the texts in *entries* would be in the log of *room*, as they cross the wire: without an id."""
    return list(_messages(room, entries))


def _messages(room: str, entries: Iterable[Entry]) -> Iterator[WireMessage]:
    for entry in entries:
        for command in entry.commands:
            if isinstance(command, Post) and command.kind == CHAT and command.appends:
                for text, key in zip(command.texts, command.keys, strict=False):
                    yield [
                        None, room, command.sender, text, entry.time_us, CHAT, key, command.about, None, None, None
                    ]  # fmt: skip
