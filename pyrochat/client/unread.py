"""What is unread: what others wrote after this member's read mark, in whichever of its sessions that was moved."""

from pyrochat.client.reading import Reading
from pyrochat.client.replica import Replica
from pyrochat.values.mentions import mentions
from pyrochat.values.message import CHAT, EDIT, Message
from pyrochat.values.rules import fold


class Unread:
    """Looked up in *replica* and *reading* whenever somebody asks. name: the member's."""

    def __init__(self, replica: Replica, reading: Reading, name: str) -> None:
        self._replica = replica
        self._reading = reading
        self._name = name

    def find(self, end: int) -> list[Message]:
        """The texts of others up to message *end*, and edits that newly mention this member. What was there before its very
        first join is history."""
        begin = max(self._reading.mark, self._replica.first_joined(fold(self._name)))
        return [message for message in self._replica.slice(begin, end) if self.counts(message)]

    def counts(self, message: Message) -> bool:
        """Whether *message* is unread until it was read."""
        is_own = fold(message.sender) == fold(self._name)
        return not is_own and (message.kind == CHAT or self._newly_mentions(message))

    def mentions(self, text: str) -> bool:
        """Whether *text* has ``@name`` of this member."""
        return mentions(text, self._name, self._replica.known)

    def _newly_mentions(self, edit: Message) -> bool:
        """Whether *edit* mentions this member, and what it edits did not."""
        if edit.kind != EDIT or not self.mentions(edit.text):
            return False
        return not self.mentions(self._replica.version_before(edit).text)
