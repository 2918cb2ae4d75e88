"""What is said beside the room that lines show: in the rooms of two."""

import threading
from collections.abc import Callable

from pyrochat.client.chat import Chat
from pyrochat.values.errors import OtherLog
from pyrochat.values.message import Message
from pyrochat.values.rules import fold

_PATIENCE_SECONDS = 10.0
_SHOWN = 20  # messages, where nothing is said


class Asides:
    """The direct rooms that somebody has said something in, each open until the end. show: writes a message of one."""

    def __init__(self, show: Callable[[Message], None]) -> None:
        self._show = show
        self._chats: dict[str, Chat] = {}  # by the other's folded name
        self._changed = threading.Condition()  # guards the next
        self._shown: dict[str, int] = {}  # the newest id, by room

    def say(self, chat: Chat, name: str, text: str) -> None:
        """Say *text* to *name*, and wait until it is shown; without a text show what was said last. Raises PyroChatError."""
        try:
            self._say(self._opened(chat, name), text)
        except OtherLog:  # the room was archived, and begins anew
            before = self._chats.pop(fold(name))
            before.leave(timeout=0.0)
            with self._changed:
                self._shown.pop(before.room, None)
            self._say(self._opened(chat, name), text)

    def _say(self, direct: Chat, text: str) -> None:
        if not text:
            for message in direct.history(last=_SHOWN):
                self._show(message)
            return
        id = direct.send(text).id
        with self._changed:
            self._changed.wait_for(lambda: self._shown.get(direct.room, 0) >= id, _PATIENCE_SECONDS)

    def _opened(self, chat: Chat, name: str) -> Chat:
        known = self._chats.get(fold(name))
        if known is not None and known.state not in ("closed", "refused"):
            return known
        self._chats[fold(name)] = direct = chat.direct(name)

        def show(message: Message) -> None:
            self._show(message)
            with self._changed:
                self._shown[direct.room] = message.id
                self._changed.notify_all()

        direct.on_message(show)
        return direct

    def leave(self, timeout: float | None) -> None:
        """Leave all of them. Any thread may call."""
        for chat in list(self._chats.values()):
            chat.leave(timeout=timeout)
