"""How Chats end that nobody leaves: dropped by their user, at the interpreter's end, in a child that was forked."""

import atexit
import contextlib
import logging
import os
import threading
import warnings
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from pyrochat.client.outbox import Outbox
from pyrochat.client.session import CLOSED, ClientSession

log = logging.getLogger("pyrochat")


class LivingChat(Protocol):
    """What this needs of a Chat."""

    name: str
    room: str

    def leave(self) -> None:
        """See `Chat`."""

    def _leave_to_parent(self) -> None:
        """In a child of the process: nothing here may touch what it shares with the parent."""


open_chats: weakref.WeakSet[LivingChat] = weakref.WeakSet()


def unless_gone(chat: LivingChat, method: str) -> Callable[..., Any]:
    """Calls *method* of *chat*, without holding it: what serves a Chat must not keep one that its user has dropped."""
    held = weakref.ref(chat)

    def call(*arguments: object) -> object:
        found = held()
        return None if found is None else getattr(found, method)(*arguments)

    return call


def leave_abandoned(name: str, room: str, session: ClientSession, outbox: Outbox, flush_seconds: float) -> None:
    """Nobody holds the Chat any more; in whichever thread that has come out, so another one tells the room."""
    if session.state == CLOSED:
        return
    warnings.warn(
        f"nobody holds the Chat of {name} in room {room} any more, and it leaves: keep it, or call leave()",
        ResourceWarning,
        stacklevel=2,
    )

    def leave() -> None:
        outbox.close(flush_seconds if session.is_connected else 0.0)
        session.close()
        outbox.give_up()

    with contextlib.suppress(RuntimeError):  # the interpreter ends: the room sees that
        threading.Thread(target=leave, name="pyrochat-leaving", daemon=True).start()


@atexit.register
def leave_all() -> None:
    """An interpreter that ends without `leave` still tells the others; whatever keeps one Chat from it, the rest do."""
    for chat in list(open_chats):
        try:
            chat.leave()
        except Exception as error:
            log.warning("the Chat of %s in room %s could not be left: %s", chat.name, chat.room, error)


def _leave_all_to_parent() -> None:
    for chat in list(open_chats):
        chat._leave_to_parent()
    open_chats.clear()


os.register_at_fork(after_in_child=_leave_all_to_parent)
