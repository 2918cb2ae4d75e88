"""What this client has been shown: its read mark, which only grows.

Own messages count as read without being shown: the mark moves on over them, but never over what
somebody else wrote in between. What the member has read in another of its sessions is read here too.
"""

import threading

from pyrochat.client.deliveries import NewMarks
from pyrochat.client.replica import Replica
from pyrochat.clock import monotonic
from pyrochat.core.read_mark import ReadMark
from pyrochat.values.errors import InvalidArgument
from pyrochat.values.rules import fold

AUTO = "auto"
MANUAL = "manual"
NEVER = "never"


class Reading:
    """The read mark of one client. Any thread may call.

    read: AUTO marks what handlers and listeners were shown, MANUAL only what `advance` says, NEVER nothing: then
    the mark is what the member's other sessions have read. Raises InvalidArgument for any other.
    """

    __slots__ = ("_elsewhere", "_mark", "_member", "_mutex", "_read", "_replica", "_told", "told_at")

    def __init__(self, replica: Replica, name: str, read: str = AUTO) -> None:
        if read not in (AUTO, MANUAL, NEVER):
            raise InvalidArgument(f'read has to be "{NEVER}", "{AUTO}" or "{MANUAL}", not {read!r}')
        self._read = read
        self._replica = replica
        self._member = fold(name)
        self._mutex = threading.Lock()  # guards the next two
        self._mark = ReadMark()
        self._elsewhere = 0  # what the room says that this member has read; may be behind our replica's end
        self._told = 0
        self.told_at = 0.0  # seconds of the monotonic clock

    @property
    def mark(self) -> int:
        """The read mark, moved on over our own messages that follow it."""
        with self._mutex:
            end = self._replica.end
            self._mark.advance(min(self._elsewhere, end))
            if self._read != NEVER:
                self._mark.pass_over(end, self.is_own)
            return self._mark.mark

    @property
    def marks(self) -> bool:
        """Whether this client ever marks anything."""
        return self._read != NEVER

    def is_own(self, id: int) -> bool:
        """Whether message *id* of the replica was sent by us, or tells of us."""
        return fold(self._replica.get(id).sender) == self._member

    # -- what is shown: each says whether the mark has moved ---------------------------------------------------

    def add_handler(self, after: int) -> int:
        """See `ReadMark`."""
        with self._mutex:
            return self._mark.add_handler(after)

    def remove_handler(self, handler: int) -> bool:
        """It is called no more."""
        with self._mutex:
            return self._mark.remove_handler(handler) and self._read == AUTO

    def returned(self, handler: int, id: int) -> bool:
        """A handler is done with everything up to *id*."""
        with self._mutex:
            return self._read == AUTO and self._mark.returned(handler, id)

    def failed(self, handler: int, id: int) -> bool:
        """A handler raised on message *id*: the mark stops before it."""
        with self._mutex:
            return self._read == AUTO and self._mark.failed(handler, id)

    def shown(self, id: int) -> bool:
        """Message *id* was yielded by `listen`."""
        with self._mutex:
            return self._read == AUTO and self._mark.shown(id)

    def advance(self, id: int) -> bool:
        """The program says that everything up to *id* is read."""
        with self._mutex:
            return self._read != NEVER and self._mark.advance(id)

    # -- what the room knows -----------------------------------------------------------------------------------

    def hear(self, marks: NewMarks) -> None:
        """The room tells how far members have got: we may be among them."""
        own = marks.get(self._member)
        if own is not None:
            self.learn(own[1])

    def learn(self, read: int) -> None:
        """The room says that this member has read everything up to *read*, here or elsewhere."""
        with self._mutex:
            self._elsewhere = max(self._elsewhere, read)
            self._told = max(self._told, read)

    def tell(self) -> int:
        """The mark, for an answer or a call that carries it to the room."""
        mark = self.mark
        self._told = max(self._told, mark)
        self.told_at = monotonic()
        return mark

    def forget_told(self) -> None:
        """What was told may have been lost: tell it again."""
        self._told = 0

    @property
    def untold(self) -> bool:
        """Whether the room may not know the mark yet."""
        return self.mark > self._told
