"""PyroChat: group chat as remote objects.

Every member sees the same messages in the same order; an acknowledged
message is never lost; everybody can see who has read what.

join(name, room="lobby", at=None, *, read="auto", ...) -> Chat
    Join a room as *name*; at: "host:port" of its server, None asks the
    name server.
host(room="lobby", data=None, *, port=0, nameserver=True, ...) -> Server
    Serve rooms in threads of this process; `server.at` says where.

    from pyrochat import join
    with join("Erick", room="lobby") as chat:
        message = chat.send("olá")
        chat.confirmations(message.id)
        for message in chat.listen():
            print(message)

A Chat has, for
    sending    send(text), send_many(texts); key= makes a repeat safe
    reading    history(last), listen(timeout), unread(), wait_for(id),
               search(words)
    handlers   on_message(f), on_state(f), on_notice(f), off(f)
    marks      confirmations(id), mark_read(id), marks, read_mark
    the room   members, suspected(), state, log_id, verify(), held_up
    lamport    unnumbered, on_unnumbered(f): texts that have no number yet
    rooms      rooms(), create_room(name, members=None), join_room(name),
               direct(name), invite(name), remove(name)
    the end    leave(), or the end of a ``with``
What asks the room takes timeout= in seconds; None sets no limit.

All errors are `PyroChatError`s: InvalidInput (the argument is at fault),
Refused (the room says no), Unavailable (something is not there, perhaps
later), LogProblem, UntrustedServer, ServerFault, WaitTimeout (SendTimeout:
its key makes a repeat safe), ChatClosed.

help(pyrochat.join), help(pyrochat.host), help(pyrochat.Chat) say more.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pyrochat.values.confirmations import Confirmations
from pyrochat.values.current import Current
from pyrochat.values.errors import (
    Banned,
    BatchTooLarge,
    CallbackUnreachable,
    CannotHost,
    ChatClosed,
    DiskFull,
    GuestsRefused,
    InvalidArgument,
    InvalidInput,
    InvalidName,
    InvalidRoomName,
    InvalidText,
    KeyConflict,
    LogDamaged,
    LogInUse,
    LogLost,
    LogProblem,
    LogUnavailable,
    LogUncertain,
    LogUnreadable,
    MessageRedacted,
    NameMissing,
    NameServerNotFound,
    NameServerRefused,
    NameServerSilent,
    NameTaken,
    NewRoomsRefused,
    NotAMember,
    NotYours,
    OtherLog,
    PortInUse,
    ProofMissing,
    ProofWrong,
    PyroChatError,
    QuotaUsedUp,
    RateLimited,
    Refused,
    RemovedFromRoom,
    RoomClosing,
    RoomFull,
    RoomNotFound,
    RoomSilent,
    RoomUnreachable,
    SearchUnavailable,
    SendTimeout,
    ServerFault,
    ServerFull,
    TooManyAttempts,
    Unavailable,
    UnknownMessage,
    UnknownSession,
    UntrustedServer,
    VersionMismatch,
    WaitTimeout,
    WrongPassword,
)
from pyrochat.values.message import Message
from pyrochat.values.protocol import Timing
from pyrochat.values.verification import Verification

if TYPE_CHECKING:
    from pyrochat.client.chat import Chat
    from pyrochat.client.joining import join
    from pyrochat.client.messages import Messages, SearchResult
    from pyrochat.hosting import host
    from pyrochat.room.server import Server
else:
    _WHERE = {
        "Chat": "client.chat", "join": "client.joining", "Messages": "client.messages", "SearchResult": "client.messages",
        "host": "hosting", "Server": "room.server",
    }  # fmt: skip

    def __getattr__(name):
        """Loaded when it is asked for: a client needs no server, and the other way round. Half of a start's time."""
        if name not in _WHERE:
            raise AttributeError(f"module 'pyrochat' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"pyrochat.{_WHERE[name]}"), name)
        return value

    def __dir__():
        return sorted({*globals(), *_WHERE})


__version__ = "0.1.0"

__all__ = [
    "Banned",
    "BatchTooLarge",
    "CallbackUnreachable",
    "CannotHost",
    "Chat",
    "ChatClosed",
    "Confirmations",
    "Current",
    "DiskFull",
    "GuestsRefused",
    "InvalidArgument",
    "InvalidInput",
    "InvalidName",
    "InvalidRoomName",
    "InvalidText",
    "KeyConflict",
    "LogDamaged",
    "LogInUse",
    "LogLost",
    "LogProblem",
    "LogUnavailable",
    "LogUncertain",
    "LogUnreadable",
    "Message",
    "MessageRedacted",
    "Messages",
    "NameMissing",
    "NameServerNotFound",
    "NameServerRefused",
    "NameServerSilent",
    "NameTaken",
    "NewRoomsRefused",
    "NotAMember",
    "NotYours",
    "OtherLog",
    "PortInUse",
    "ProofMissing",
    "ProofWrong",
    "PyroChatError",
    "QuotaUsedUp",
    "RateLimited",
    "Refused",
    "RemovedFromRoom",
    "RoomClosing",
    "RoomFull",
    "RoomNotFound",
    "RoomSilent",
    "RoomUnreachable",
    "SearchResult",
    "SearchUnavailable",
    "SendTimeout",
    "Server",
    "ServerFault",
    "ServerFull",
    "Timing",
    "TooManyAttempts",
    "Unavailable",
    "UnknownMessage",
    "UnknownSession",
    "UntrustedServer",
    "Verification",
    "VersionMismatch",
    "WaitTimeout",
    "WrongPassword",
    "host",
    "join",
]
