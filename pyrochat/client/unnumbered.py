"""Texts of a room without a server that have no number yet: they stand beside the replica, and never in it."""

from collections.abc import Callable, Iterable, Sequence

from pyrochat.client.replica import Replica
from pyrochat.values.message import Message
from pyrochat.values.rules import fold

_MOST_CAME_LATELY = 300  # messages among which one may be that the room has called unnumbered before it had a number


class Unnumbered:
    """Of the log in *replica*. changed: called with `messages`, and with the id of the last message that they may follow, when they
    have changed. Calls come from the thread that serves callbacks.
    """

    def __init__(self, replica: Replica, changed: Callable[[tuple[Message, ...], int], object]) -> None:
        self._replica = replica
        self._changed = changed
        self.messages: tuple[Message, ...] = ()

    def replace(self, messages: Sequence[Message]) -> None:
        """The room says which they are; those that have come meanwhile are none."""
        end = self._replica.end
        came = self._replica.slice(max(0, end - _MOST_CAME_LATELY), end) if messages else ()
        self._set(messages, came)

    def came(self, messages: Sequence[Message]) -> None:
        """*messages* are in the replica now."""
        if self.messages:
            self._set(self.messages, messages)

    def _set(self, messages: Sequence[Message], came: Iterable[Message]) -> None:
        numbered = set(map(_identity, came))
        left = tuple(message for message in messages if _identity(message) not in numbered)
        if left != self.messages:
            self.messages = left
            self._changed(left, self._replica.end)


def _identity(message: Message) -> tuple[str, ...]:
    """The same of a text before it has its number and then: its sender's key for it, or, where it has none, what it is."""
    if message.key is not None:
        return fold(message.sender), message.key
    return fold(message.sender), message.text, str(message.time_us)
