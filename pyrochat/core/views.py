"""Views: who is a member now, and who ever was. Read off the log, so all who have the log agree (view synchrony)."""

from collections.abc import Iterable
from typing import NamedTuple

from pyrochat.values.message import JOINED, LEFT, Message
from pyrochat.values.rules import fold


class Member(NamedTuple):
    """Who has ever joined. name: as it was spelled at the last join. first_joined: the id of the first "joined".
    joined: that of the last, while the member is here; None while it is not."""

    name: str
    first_joined: int
    joined: int | None


class Views:
    """The newest view, from the changes of membership in the log. A "left" that is about a "joined" ends that stay, and no
    other; one that is about none ends all of its member's.

    members: all who have ever joined. present: the names of those who are here, in the order of their joins. Both are
    keyed by folded name.
    """

    def __init__(self, changes: Iterable[Message] = ()) -> None:
        self.members: dict[str, Member] = {}
        self.present: dict[str, str] = {}
        self._stays: dict[str, set[int]] = {}  # the ids of the "joined" that no "left" has answered
        self.apply(changes)

    def apply(self, messages: Iterable[Message]) -> None:
        """Take in messages that follow those seen before; all but changes of membership are passed over."""
        for message in messages:
            change = message.change
            if change is None:
                continue
            member = fold(message.sender)
            if change == JOINED:
                self._stays.setdefault(member, set()).add(message.id)
            if change == JOINED and member not in self.present:
                known = self.members.get(member)
                self.members[member] = Member(message.sender, known.first_joined if known else message.id, message.id)
                self.present[member] = message.sender
            elif change == LEFT and member in self.present:
                stays = self._stays.pop(member, set())
                if message.about is not None and (rest := stays - {message.about}):
                    self._stays[member] = rest
                    continue
                del self.present[member]
                self.members[member] = self.members[member]._replace(joined=None)
