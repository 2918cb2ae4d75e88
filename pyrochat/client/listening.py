"""Listening: a cursor in the replica that a loop moves on."""

from collections.abc import Callable, Iterator

from pyrochat.client.replica import Replica
from pyrochat.values.message import Message

_AT_ONCE = 256


def follow(
    replica: Replica, after: int, timeout: float | None, is_closed: Callable[[], bool], shown: Callable[[int], None]
) -> Iterator[Message]:
    """The messages after id *after*, those that come included.

    Ends when nothing has come for *timeout* seconds, or the chat is closed and all has been yielded.
    shown: called with the id of each message as it is yielded. is_closed: raises in a child of the process.
    """
    position = after

    def has_more() -> bool:
        return replica.end > position or is_closed()

    while True:
        is_closed()  # before any lock: in a child it may be held for ever
        if not replica.wait(has_more, timeout):
            return
        messages = replica.slice(position, position + _AT_ONCE)
        if not messages:
            return
        for message in messages:
            position = message.id
            shown(position)
            yield message
