"""PyroChat: group chat as remote objects.

Every member sees the same messages in the same order; an acknowledged message is never lost; everybody
can see who has read what.

    from pyrochat import join
    with join("Erick", room="lobby") as chat:
        message = chat.send("olá")
        chat.confirmations(message.id)
        for message in chat.listen():
            print(message)

`join` returns a `Chat`. `host` serves a room inside a program. All errors are `PyroChatError`s.
"""

from pyrochat.client.chat import Chat
from pyrochat.client.joining import join
from pyrochat.client.messages import Messages, SearchResult
from pyrochat.hosting import host
from pyrochat.room.server import Server
from pyrochat.values.confirmations import Confirmations
from pyrochat.values.errors import (
    Banned,
    BatchTooLarge,
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
    NameServerNotFound,
    NameServerRefused,
    NameTaken,
    NewRoomsRefused,
    OtherLog,
    ProofWrong,
    PyroChatError,
    QuotaUsedUp,
    RateLimited,
    Refused,
    RoomFull,
    RoomNotFound,
    RoomUnreachable,
    SearchUnavailable,
    SendTimeout,
    ServerFault,
    ServerFull,
    TooManyAttempts,
    Unavailable,
    UnknownMessage,
    UntrustedServer,
    VersionMismatch,
    WaitTimeout,
    WrongPassword,
)
from pyrochat.values.message import Message
from pyrochat.values.protocol import Timing
from pyrochat.values.verification import Verification

__version__ = "0.1.0"

__all__ = [
    "Banned",
    "BatchTooLarge",
    "CannotHost",
    "Chat",
    "ChatClosed",
    "Confirmations",
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
    "Messages",
    "NameServerNotFound",
    "NameServerRefused",
    "NameTaken",
    "NewRoomsRefused",
    "OtherLog",
    "ProofWrong",
    "PyroChatError",
    "QuotaUsedUp",
    "RateLimited",
    "Refused",
    "RoomFull",
    "RoomNotFound",
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
    "UntrustedServer",
    "Verification",
    "VersionMismatch",
    "WaitTimeout",
    "WrongPassword",
    "host",
    "join",
]
