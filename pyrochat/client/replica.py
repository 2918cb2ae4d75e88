"""The replica: this client's copy of the room's log, a prefix of it at every moment."""

import contextlib
import threading
from collections.abc import Callable, Collection, Sequence

from pyrochat.client.chunks import Chunks
from pyrochat.client.deliveries import Delivery, NewMarks
from pyrochat.clock import monotonic
from pyrochat.core.current import Abouts
from pyrochat.core.digests import digest_after, erased
from pyrochat.core.namesakes import Namesakes
from pyrochat.core.views import Views
from pyrochat.trust.seals import Seal
from pyrochat.values.current import Current
from pyrochat.values.errors import InvalidArgument
from pyrochat.values.message import CHAT, TOPIC, Message
from pyrochat.values.rules import fold

_LOOK_SECONDS = 3600.0
_MOST_NEW_MARKS = 100  # deliveries with marks


class Replica:
    """The messages delivered so far, the members that follow from them, and the marks of all.

    One thread delivers (`extend`); any number wait and read.
    """

    __slots__ = (
        "_abouts",
        "_chain_mutex",
        "_changed",
        "_followers",
        "_marks",
        "_messages",
        "_mutex",
        "_namesakes",
        "_new_marks",
        "_origin",
        "_proved",
        "_seal",
        "_views",
        "_waiting",
        "log_id",
        "marks_heard",
        "room",
        "topic",
    )  # fmt: skip

    def __init__(self, room: str) -> None:
        self.room = room
        self._mutex = threading.RLock()  # guards all below
        self._changed = threading.Condition(self._mutex)  # notified whenever any of it changes
        self._waiting = 0  # how many wait for that
        self.log_id: str | None = None
        self._chain_mutex = threading.Lock()  # guards the two lines below
        self._origin: bytes | None = None
        self._proved: tuple[int, bytes] = (0, b"")  # an id, and the chain's digest there
        self._seal: Seal | None = None  # the room's last one
        self._messages = Chunks()
        self._views = Views()
        self._namesakes = Namesakes()
        self._abouts = Abouts()
        self.topic = ""  # what the room is about; empty: nothing in particular
        self._marks: dict[str, tuple[int, int]] = {}
        self.marks_heard = 0  # so many deliveries had some
        self._new_marks: list[NewMarks] = []  # not yet in `_marks`: few ever ask
        self._followers: list[Callable[[], None]] = []

    @property
    def end(self) -> int:
        """The id of the last message here; 0 while there is none."""
        return self._messages.end

    def extend(self, delivery: Delivery) -> None:
        """Take in a delivery. What is here already is passed over; raises InvalidArgument for a gap."""
        messages, changes, marks, abouts = delivery
        with self._mutex:
            end = self._messages.end
            if messages:
                first = messages[0].id
                if first > end + 1:
                    raise InvalidArgument(f"message {first} can't follow message {end}")
                self._messages.append(messages if first == end + 1 else messages[end + 1 - first :])
                if changes:
                    self._take_changes(changes if first == end + 1 else [m for m in changes if m.id > end])
                if abouts:
                    self._take_abouts(abouts if first == end + 1 else [m for m in abouts if m.id > end])
            if marks:
                self.marks_heard += 1
                self._new_marks.append(marks)
                if len(self._new_marks) > _MOST_NEW_MARKS:
                    self._take_marks()
            if self._waiting:
                self._changed.notify_all()
        for follower in self._followers:
            follower()

    def _take_changes(self, changes: Sequence[Message]) -> None:
        self._views.apply(changes)
        self._namesakes.take(changes)
        for message in changes:
            if message.change == TOPIC:
                self.topic = message.text

    def _take_abouts(self, abouts: Sequence[Message]) -> None:
        """What was deleted is gone here too; the chain's digests stay as they are."""
        for id in self._abouts.take(abouts):
            with contextlib.suppress(IndexError):
                message = self._messages.get(id)
                if not message.is_redacted:
                    self._messages.put(erased(message))

    def current(self, id: int) -> Current:
        """What message *id* is now; raises IndexError where it is not here."""
        with self._mutex:
            return self._abouts.current(id, self._messages.get)

    def version_before(self, edit: Message) -> Message:
        """What *edit* has changed: the edit before it of the same message, or that; raises IndexError."""
        with self._mutex:
            return self._messages.get(self._abouts.version_before(edit))

    @property
    def known(self) -> Collection[str]:
        """The folded names of all who have ever joined."""
        return self._views.members.keys()

    def who(self, message: Message) -> str:
        """See `Called`."""
        return self._namesakes.shown(message)

    def first_joined(self, member: str) -> int:
        """The id of the first "joined" of *member*, a folded name; 0 where it has never joined."""
        known = self._views.members.get(member)
        return 0 if known is None else known.first_joined

    def get(self, id: int) -> Message:
        """Message *id*; raises IndexError where it is not here."""
        return self._messages.get(id)

    def slice(self, after: int, upto: int | None = None) -> list[Message]:
        """The messages with ``after < id <= upto`` (None: the end)."""
        return self._messages.slice(after, upto)

    # -- the chain of digests: computed when somebody asks -------------------------------------------------

    def begin_chain(self, origin: bytes) -> bool:
        """*origin* is the digest before message 1; False where the chain here has begun with another one."""
        with self._chain_mutex:
            if self._origin is None:
                self._origin = origin
                self._proved = (0, origin)
            return self._origin == origin

    def keep_seal(self, seal: Seal) -> None:
        """The room's *seal*, checked; an older one on more of the same log stays."""
        known = self._seal
        if known is None or known.log_id != seal.log_id or known.id <= seal.id:
            self._seal = seal

    def proof(self) -> list[object] | None:
        """``[id, digest, seal]``: that the log *log_id* had message *id* with *digest*; None without a seal on it."""
        seal = self._seal
        if seal is None or seal.log_id != self.log_id:
            return None
        return [seal.id, seal.digest.hex(), seal.text]

    def digest(self, id: int) -> bytes:
        """The chain's digest at message *id* of this replica; `begin_chain` comes first."""
        with self._chain_mutex:
            assert self._origin is not None
            start, digest = self._proved if self._proved[0] <= id else (0, self._origin)
            for message in self._messages.slice(start, id):
                digest = digest_after(digest, message)
            if id > self._proved[0]:
                self._proved = (id, digest)
            return digest

    @property
    def members(self) -> list[str]:
        """The names present at the replica's end."""
        with self._mutex:
            return list(self._views.present.values())

    @property
    def member_count(self) -> int:
        """How many are present at the replica's end."""
        return len(self._views.present)

    @property
    def marks(self) -> dict[str, tuple[int, int]]:
        """``name: (delivered, read)`` of everybody present, as last told by the room."""
        with self._mutex:
            self._take_marks()
            return {name: self._marks.get(fold(name), (0, 0)) for name in self._views.present.values()}

    @property
    def all_marks(self) -> dict[str, tuple[int, int]]:
        """``(delivered, read)`` of all members whom the room has told of, by folded name."""
        with self._mutex:
            self._take_marks()
            return dict(self._marks)

    def waits_for(self, id: int) -> list[str]:
        """The names of those who are here, should have read message *id*, and have not, as far as is known here."""
        with self._mutex:
            self._take_marks()
            sender = fold(self._messages.get(id).sender)
            return [
                name for member, name in self._views.present.items()
                if member != sender and self.first_joined(member) <= id and self._marks.get(member, (0, 0))[1] < id
            ]  # fmt: skip

    def newest_own(self, member: str, after: int, upto: int) -> int:
        """The id of the newest text of *member* (folded) with ``after < id <= upto``; 0 where there is none."""
        for message in reversed(self.slice(after, upto)):
            if message.kind == CHAT and fold(message.sender) == member:
                return message.id
        return 0

    def _take_marks(self) -> None:
        """What one server has told is true, also while another lags behind it."""
        known = self._marks
        for marks in self._new_marks:
            for member, (delivered, read) in marks.items():
                old_delivered, old_read = known.get(member, (0, 0))
                known[member] = max(delivered, old_delivered), max(read, old_read)
        self._new_marks.clear()

    def follow(self, follower: Callable[[], None]) -> None:
        """Call *follower* after each delivery, in the thread that delivers: it has to be quick."""
        self._followers = [*self._followers, follower]

    def unfollow(self, follower: Callable[[], None]) -> None:
        """Call *follower* no more."""
        self._followers = [other for other in self._followers if other is not follower]

    def wait(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until *condition* holds; False where it does not within *timeout* seconds."""
        deadline = None if timeout is None else monotonic() + timeout
        with self._mutex:
            while not condition():
                left = _LOOK_SECONDS if deadline is None else deadline - monotonic()
                if left <= 0:
                    return False
                self._waiting += 1
                try:
                    self._changed.wait(left)
                finally:
                    self._waiting -= 1
            return True

    def touch(self) -> None:
        """Let those who wait look at their condition again."""
        with self._mutex:
            self._changed.notify_all()
