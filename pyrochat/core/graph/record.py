"""What a site's log keeps beside the messages: events, names, presences, and which site it is."""

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from pyrochat.core.graph.bodies import Name
from pyrochat.core.graph.event import Event, size_of
from pyrochat.core.log import Log

Text = tuple[str, str] | None
"""What travels beside an event for each of its messages: text and salt; None where they are gone."""


class Site(NamedTuple):
    """Which site this is. said: the number of its last message. nonce: what its id is made of, with the server's key."""

    id: str
    label: str
    nonce: str
    said: int = 0


class Presence(NamedTuple):
    """A member is at a site. name: of its "joined", which is message *id* here. spelled: the member's name. is_here: at this
    site, or was before that began under another nonce."""

    name: Name
    id: int
    member: str
    spelled: str
    is_here: bool = False


class Named(NamedTuple):
    """A message's name everywhere. id: 0 where the log has not taken it. owner: its author (`values.keys.key_owner`). salt: of
    its text, where the message here came in under another name first."""

    site: str
    number: int
    id: int
    owner: str = ""
    salt: str = ""


@dataclass(frozen=True, slots=True)
class Told(Event):
    """An event with what travels beside it: a text for each of its messages."""

    texts: tuple[Text, ...] = field(default=(), compare=False)

    @property
    def size(self) -> int:
        return size_of(self) + sum(64 + 4 * len(text[0]) for text in self.texts if text is not None)


class Unshown(NamedTuple):
    """The text of a message that the log has not taken, so that it is passed on as it came. about: as in `bodies.Said`."""

    name: Name
    about: Name | None
    text: str
    salt: str


class Record(NamedTuple):
    """What has to be durable in the same step as the messages that are appended. unshown: texts to be passed on only. gone: messages that were deleted:
    what is unshown of them, and of their edits, goes. stories: of events that are not in their site's
    chain here, because it has told another story, what their messages are named by in place of the site."""

    events: Sequence[Event] = ()
    named: Sequence[Named] = ()
    came: Sequence[Presence] = ()
    went: Sequence[Name] = ()
    site: Site | None = None
    stories: Mapping[bytes, str] = MappingProxyType({})
    unshown: Sequence[Unshown] = ()
    gone: Sequence[Name] = ()


class SiteLog(Log):
    """A log that has that beside it. root: what its graph grew from; None as long as it has none."""

    root: bytes | None = None

    @abstractmethod
    def site(self) -> Site | None:
        """Which site the log is of; None where it is of none yet, or was copied, or restored, since."""

    @property
    @abstractmethod
    def has_texts(self) -> bool:
        """Whether anybody has said anything in the room."""

    @abstractmethod
    def found(self, root: bytes) -> None:
        """From now on it has the graph that grew from *root*. Raises LogUnavailable."""

    @abstractmethod
    def presences(self) -> list[Presence]:
        """Who is where."""

    @abstractmethod
    def named(self, names: Collection[Name]) -> Mapping[Name, Named]:
        """What the log knows of *names*. In the order's thread, as `find`."""

    @abstractmethod
    def names(self) -> Iterable[tuple[str, int, int]]:
        """(site, number, id) of all, of each site in order."""

    @abstractmethod
    def events(self) -> Iterator[Event]:
        """All events, as they were delivered."""

    @abstractmethod
    def told(self, ids: Sequence[bytes], most_bytes: int) -> list[Told]:
        """The first of the events *ids*, with their texts: about *most_bytes* at the most, at least one. Any thread may call it."""

    @abstractmethod
    def peers(self) -> list[str]:
        """Where other sites were, ``host:port``."""

    @abstractmethod
    def remember_peers(self, peers: Sequence[str]) -> None:
        """Other sites are at *peers*. Any thread may call it."""
