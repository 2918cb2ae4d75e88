"""Every error that PyroChat raises: one tree, one stable code each.

::

    PyroChatError
    ├── InvalidInput            the caller's argument is at fault
    │   ├── InvalidName
    │   ├── InvalidRoomName
    │   ├── InvalidText
    │   ├── InvalidArgument
    │   ├── BatchTooLarge
    │   ├── KeyConflict
    │   ├── UnknownMessage
    │   └── MessageRedacted
    ├── Refused                 the room understood, and says no
    │   ├── NameTaken
    │   ├── NameMissing
    │   ├── NotAMember
    │   ├── RemovedFromRoom
    │   ├── NotYours
    │   ├── VersionMismatch
    │   ├── ServerFull
    │   ├── CallbackUnreachable
    │   ├── UnknownSession
    │   ├── ProofMissing
    │   ├── ProofWrong
    │   ├── GuestsRefused
    │   ├── NewRoomsRefused
    │   ├── Banned
    │   ├── WrongPassword
    │   ├── TooManyAttempts
    │   ├── RateLimited
    │   ├── QuotaUsedUp
    │   └── RoomFull
    │       └── DiskFull
    ├── Unavailable             something that is needed is not there
    │   ├── NameServerNotFound
    │   │   └── NameServerSilent
    │   ├── NameServerRefused
    │   ├── RoomNotFound
    │   ├── RoomUnreachable
    │   │   └── RoomSilent
    │   ├── RoomClosing
    │   ├── LogUnavailable
    │   │   └── LogUncertain    whether the message was stored is unknown
    │   ├── SearchUnavailable
    │   └── CannotHost
    │       └── PortInUse
    ├── LogProblem              a log is not what it should be
    │   ├── LogInUse
    │   ├── LogUnreadable
    │   ├── LogDamaged
    │   ├── LogLost
    │   └── OtherLog
    ├── UntrustedServer         the server is not the one that we know, or can't show that it is
    ├── ServerFault             the server could not do it, or answers what makes no sense
    ├── WaitTimeout
    │   └── SendTimeout         whether the message was sent is unknown
    └── ChatClosed

`code` is stable; it is what stands for the class on the wire (`wire_errors`). The text is for people: a
lower-case sentence that says what to do next. `may_pass`: whether the same request may succeed later without
its caller doing anything else; a client that comes back tries again then, and gives up otherwise.
"""

import re
from typing import Self


class PyroChatError(Exception):
    """Root of the tree: catch this to catch everything that PyroChat raises on purpose."""

    code = "error"
    may_pass = True


class InvalidInput(PyroChatError, ValueError):
    """Raised when an argument breaks a rule that the caller could have known."""

    code = "invalid"
    may_pass = False


class InvalidName(InvalidInput):
    """Raised when a member's name is empty, too long or has a character that names can't have."""

    code = "invalid-name"


class InvalidRoomName(InvalidInput):
    """Raised when a room's name is empty, too long or has a character that names can't have."""

    code = "invalid-room-name"


class InvalidText(InvalidInput):
    """Raised when a text is empty, too long, or not valid Unicode."""

    code = "invalid-text"


class InvalidArgument(InvalidInput):
    """Raised when any other argument has the wrong type or range."""

    code = "invalid-argument"


class BatchTooLarge(InvalidInput):
    """Raised when one call carries more texts or bytes than one commit takes."""

    code = "batch-too-large"


class KeyConflict(InvalidInput):
    """Raised when a key that made one message comes back with a different text."""

    code = "key-conflict"


class UnknownMessage(InvalidInput):
    """Raised when a message id is not in the log."""

    code = "unknown-message"


class MessageRedacted(InvalidInput):
    """Raised when a message that was deleted is edited, or deleted once more."""

    code = "message-redacted"


class Refused(PyroChatError):
    """Raised when the room understood the request and says no."""

    code = "refused"
    may_pass = False


class NameTaken(Refused):
    """Raised when another client holds this name and ours can't prove to be the same one."""

    code = "name-taken"
    may_pass = True


class NameMissing(Refused):
    """Raised when a connection that gave no name calls a method of a room."""

    code = "name-missing"


class NotAMember(Refused):
    """Raised when a connection that only posts asks for what members do."""

    code = "not-a-member"


class RemovedFromRoom(Refused):
    """Raised when somebody comes to a closed room, or asks something of it, who was removed from it."""

    code = "removed"


class NotYours(Refused):
    """Raised when somebody edits or deletes what another has sent."""

    code = "not-yours"


class VersionMismatch(Refused):
    """Raised when client and server speak different versions of PyroChat's protocol."""

    code = "version-mismatch"


class ServerFull(Refused):
    """Raised when the server has no place left for another connection, or for another of this kind."""

    code = "server-full"
    may_pass = True


class CallbackUnreachable(Refused):
    """Raised when a callback URI can't be used or doesn't answer."""

    code = "callback-unreachable"
    may_pass = True


class UnknownSession(Refused):
    """Raised when a session named by a client has ended; join again."""

    code = "unknown-session"
    may_pass = True


class ProofMissing(Refused):
    """Raised when a connection that named a key calls anything before it has proved to have it."""

    code = "proof-missing"


class ProofWrong(Refused):
    """Raised when what a client has signed is not what its key, its name and this greeting make of it."""

    code = "proof-wrong"


class GuestsRefused(Refused):
    """Raised when a client without a key comes to a server that takes none."""

    code = "guests-refused"


class NewRoomsRefused(Refused):
    """Raised when somebody may not create a room, or not this one."""

    code = "new-rooms-refused"


class Banned(Refused):
    """Raised when the server's operator has banned a name, or the key that it belongs to."""

    code = "banned"


class WrongPassword(Refused):
    """Raised when a private room's password is missing or wrong."""

    code = "wrong-password"

    @classmethod
    def missing(cls) -> Self:
        """For somebody who has given none."""
        return cls(
            "this room has a password: give it with password= (the commands also take PYROCHAT_PASSWORD and a file)"
        )


class TooManyAttempts(Refused):
    """Raised when a password is tried shortly after a wrong one from the same address."""

    code = "too-many-attempts"
    may_pass = True


class RateLimited(Refused):
    """Raised when somebody sends more than the server takes from one member, or from all that share a member's rate.

    What was refused is not in the log. retry_seconds: after so long it may be sent again.
    """

    code = "rate-limited"
    may_pass = True

    @classmethod
    def until(cls, retry_seconds: float, rate: float, who: str = "one member") -> Self:
        """The error for a sender who has to wait *retry_seconds*; who: sends more than *rate* messages a second."""
        return cls(f"more than {rate:g} messages a second from {who}: try again in {retry_seconds:.3f} s")

    @property
    def retry_seconds(self) -> float:
        """Seconds to wait, as the text says; also on the client's side of the wire."""
        found = re.search(r"([0-9]{1,6}(?:\.[0-9]{1,6})?) s$", str(self))
        return float(found[1]) if found else 1.0


class QuotaUsedUp(Refused):
    """Raised when as many new names in an hour, or bytes in a day, have come from an address as a server takes, or a member
    has opened as many direct rooms as it may."""

    code = "quota-used-up"
    may_pass = True


class RoomFull(Refused):
    """Raised when a room's log is as large as its operator lets it grow; what was refused is not in the log."""

    code = "room-full"
    may_pass = True


class DiskFull(RoomFull):
    """Raised when a server's disk has no more left than its reserve; what was refused is not in the log."""

    code = "disk-full"


class Unavailable(PyroChatError):
    """Raised when something that is needed is not there, and may be there later."""

    code = "unavailable"


class NameServerNotFound(Unavailable):
    """Raised when no Pyro name server answers."""

    code = "no-name-server"


class NameServerSilent(NameServerNotFound):
    """Raised when something is where the name server should be, and doesn't answer."""

    code = "name-server-silent"


class NameServerRefused(Unavailable):
    """Raised when a room's name is registered to another server that is alive."""

    code = "room-name-in-use"


class RoomNotFound(Unavailable):
    """Raised when no room of this name is there."""

    code = "room-not-found"


class RoomUnreachable(Unavailable):
    """Raised when the room's server can't be reached, or the connection to it was lost."""

    code = "room-unreachable"


class RoomSilent(RoomUnreachable):
    """Raised when something accepts a connection there and doesn't answer in time."""

    code = "room-silent"


class RoomClosing(Unavailable):
    """Raised when the server is being stopped."""

    code = "room-closing"


class LogUnavailable(Unavailable):
    """Raised when the room can't write its log; the message was not acknowledged."""

    code = "log-unavailable"


class LogUncertain(LogUnavailable):
    """Raised when the disk failed in a commit: whether the message is stored is unknown; the same `key` asks again."""

    code, key = "log-uncertain", ""


class SearchUnavailable(Unavailable):
    """Raised when a room can't search right now; everything else in it goes on."""

    code = "search-unavailable"


class CannotHost(Unavailable):
    """Raised when a server can't be started: port in use, data folder unusable."""

    code = "cannot-host"


class PortInUse(CannotHost):
    """Raised when something else listens on the port that a server should have."""

    code = "port-in-use"


class LogProblem(PyroChatError):
    """Raised when a log is not what it should be; never repaired silently."""

    code = "log-problem"
    may_pass = False


class LogInUse(LogProblem):
    """Raised when another server has the same log open. server: that one, where it is of this process and `host` said so."""

    code = "log-in-use"
    server: object = None


class LogUnreadable(LogProblem):
    """Raised when a log file is damaged, of another format, or no log at all."""

    code = "log-unreadable"


class LogDamaged(LogProblem):
    """Raised when a message in a log file is not what was written; its operator has to decide."""

    code = "log-damaged"


class LogLost(LogProblem):
    """Raised when a room's log is shown to have lost messages; it takes none until its operator has decided."""

    code = "log-lost"
    may_pass = True


class OtherLog(LogProblem):
    """Raised when the room's log is not the one that this replica came from."""

    code = "other-log"


class UntrustedServer(PyroChatError):
    """Raised when a server is not the one that this client knows, or can't show that it is; nothing was sent to it."""

    code = "untrusted-server"


class ServerFault(PyroChatError):
    """Raised when a server has failed (its log says why), refuses in words that this version doesn't know, or answers
    something of the wrong form or size. Whether what was asked has been done is unknown; asking again is no help.
    """

    code = "server-fault"
    may_pass = False


class WaitTimeout(PyroChatError, TimeoutError):
    """Raised when a wait ran out."""

    code = "wait-timeout"


class SendTimeout(WaitTimeout):
    """Raised when a send was not acknowledged in time: whether the message is in the log is unknown.

    key: sending the same text again with this key is safe: the message appears once.
    """

    code = "send-timeout"

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class ChatClosed(PyroChatError):
    """Raised when a Chat is used after `leave()`."""

    code = "chat-closed"
    may_pass = False
