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
from pyrochat.client.messages import Messages
from pyrochat.hosting import host
from pyrochat.room.server import Server
from pyrochat.values.confirmations import Confirmations
from pyrochat.values.errors import (
    BatchTooLarge,
    CannotHost,
    ChatClosed,
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
    OtherLog,
    PyroChatError,
    Refused,
    RoomNotFound,
    RoomUnreachable,
    SendTimeout,
    ServerFull,
    Unavailable,
    UnknownMessage,
    VersionMismatch,
    WaitTimeout,
)
from pyrochat.values.message import Message
from pyrochat.values.protocol import Timing
from pyrochat.values.verification import Verification

__version__ = "0.1.0"

__all__ = [
    "BatchTooLarge",
    "CannotHost",
    "Chat",
    "ChatClosed",
    "Confirmations",
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
    "OtherLog",
    "PyroChatError",
    "Refused",
    "RoomNotFound",
    "RoomUnreachable",
    "SendTimeout",
    "Server",
    "ServerFull",
    "Timing",
    "Unavailable",
    "UnknownMessage",
    "Verification",
    "VersionMismatch",
    "WaitTimeout",
    "host",
    "join",
]
