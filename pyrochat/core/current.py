"""What later messages have made of an earlier one: its newest text, what answers it, who has reacted.

A function of the log, so whoever has the same messages finds the same. What may not be (an edit by somebody else, one of a
deleted message) is not in the log.
"""

from collections.abc import Callable, Iterable

from pyrochat.core.commands import Post
from pyrochat.values.current import Current
from pyrochat.values.errors import InvalidArgument, NotYours
from pyrochat.values.keys import key_owner
from pyrochat.values.message import CHAT, EDIT, OPERATOR, REACT, REDACT, UNREACT, Message
from pyrochat.values.rules import fold


class About:
    """What the messages about one message have said so far. edits, replies: their ids."""

    __slots__ = ("edits", "reactions", "replies")

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self.edits: list[int] = []
        self.replies: list[int] = []
        self.reactions: dict[str, dict[str, str]] = {}  # names, by the reaction and the folded name
        for message in messages:
            self.take(message)

    def take(self, message: Message) -> None:
        """*message* is the next one about it."""
        match message.kind:
            case "chat":
                self.replies.append(message.id)
            case "edit":
                self.edits.append(message.id)
            case "react":
                self.reactions.setdefault(message.text, {})[fold(message.sender)] = message.sender
            case "unreact":
                names = self.reactions.get(message.text, {})
                names.pop(fold(message.sender), None)
                if not names:
                    self.reactions.pop(message.text, None)

    def current(self, message: Message, get: Callable[[int], Message]) -> Current:
        """What *message* is now. get: finds the message of an id."""
        text = None if message.is_redacted else get(self.edits[-1]).text if self.edits else message.text
        reactions = {reaction: set(names.values()) for reaction, names in self.reactions.items()}
        return Current(text, bool(self.edits), message.is_redacted, reactions, list(self.replies))


class Abouts:
    """The same for all messages of a log, as they come."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[int, About] = {}

    def take(self, messages: Iterable[Message]) -> list[int]:
        """*messages* are next, in order; returns the ids of what is deleted: messages and their edits."""
        gone: list[int] = []
        for message in messages:
            if message.about is not None:
                about = self._of.setdefault(message.about, About())
                about.take(message)
                if message.kind == REDACT:
                    gone += [message.about, *about.edits]
        return gone

    def version_before(self, edit: Message) -> int:
        """The id of what *edit* has changed: of the edit before it of the same message, or of that."""
        about = edit.about or 0
        return max((id for id in self._of.get(about, _NOTHING).edits if id < edit.id), default=about)

    def current(self, id: int, get: Callable[[int], Message]) -> Current:
        """What message *id* is now: of an edit, what it edits. get: finds the message of an id; raises what that raises."""
        message = get(original(get(id)))
        return self._of.get(message.id, _NOTHING).current(message, get)


def original(message: Message) -> int:
    """The id of what *message* is about where it is an edit; else its own."""
    return message.about if message.kind == EDIT and message.about is not None else message.id


_NOTHING = About()


def operators_redaction(target: Message, salt: str) -> Post:
    """The command with which the room's operator deletes *target*; raises InvalidArgument where that is no text."""
    if target.kind not in (CHAT, EDIT):
        raise InvalidArgument(f"message {target.id} is no text: only texts are deleted")
    return Post(OPERATOR, OPERATOR, ("",), (None,), (salt,), kind=REDACT, about=original(target))


def aimed(target: Message, owner: str | None, kind: str, member: str, mark: str) -> int:
    """The id of what a message of *kind* is about that *member* (a folded name) has aimed at *target*.

    owner: whose *target*'s key is; None where it has none. mark: the guest's (`values.keys`). Raises NotYours for an edit
    or a redaction of what somebody else has sent, InvalidArgument where nothing like that can be said of *target*.
    """
    if kind in (EDIT, REDACT):
        if target.kind not in (CHAT, EDIT):
            raise InvalidArgument(f"message {target.id} is no text: only texts are edited and deleted")
        if fold(target.sender) != member or (owner is not None and owner != key_owner(member, mark)):
            raise NotYours(f"message {target.id} is {target.sender}'s: only its sender edits or deletes it")
    elif target.kind in (REDACT, REACT, UNREACT):
        raise InvalidArgument(f"message {target.id} is about another one itself: answer that one")
    return original(target)
