"""Two people with one name: in a causal room that can be, where a split was. Read off the log, so all sites agree.

A member's key stands in its "joined"; whose a message is, says the site that it was written at. Where nobody shares a name it
is shown as it is.
"""

from collections.abc import Iterable

from pyrochat.values.message import JOINED, Message
from pyrochat.values.rules import fold
from pyrochat.values.sites import is_distinct

_SHOWN_DIGITS = 4


class Namesakes:
    """The keys under each name, from the changes of membership."""

    __slots__ = ("_at", "_keys")

    def __init__(self) -> None:
        self._keys: dict[str, set[str]] = {}
        self._at: dict[
            tuple[str, str], str
        ] = {}  # a folded name and a site: the key that it had there last; "" for none

    def take(self, changes: Iterable[Message]) -> None:
        """*changes* of membership follow those before."""
        for message in changes:
            if message.change == JOINED and message.ref is not None:
                member = fold(message.sender)
                if message.key is not None:
                    self._keys.setdefault(member, set()).add(message.key)
                self._at[member, _site(message)] = message.key or ""

    def shown(self, message: Message) -> str:
        """The sender of *message*; with the beginning of the key where others have the same name."""
        if message.ref is None or len(self._keys.get(fold(message.sender), ())) < 2:
            return message.sender
        member, site = fold(message.sender), _site(message)
        key = self._at.get((member, site))
        if key is None and is_distinct(message.ref):  # of a site that had its label for itself then
            key = self._at.get((member, site.rpartition("~")[0]))
        return message.sender if not key else f"{message.sender}·{key[:_SHOWN_DIGITS]}"


def _site(message: Message) -> str:
    """The label of the site that *message* was written at."""
    return (message.ref or "").rpartition(".")[0]
