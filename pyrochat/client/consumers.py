"""Consumers: handlers and listeners, each a cursor of its own in the replica."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

from pyrochat.client.replica import Replica
from pyrochat.values.message import Message

__all__ = ["follow", "run_handler"]

log = logging.getLogger("pyrochat")

_AT_ONCE = 256


def follow(
    replica: Replica, after: int, timeout: float | None, is_closed: Callable[[], bool], shown: Callable[[int], None]
) -> Iterator[Message]:
    """The messages after id *after*, those that come included.

    Ends when nothing has come for *timeout* seconds, or the chat is closed and all has been yielded.
    shown: called with the id of each message as it is yielded.
    """
    position = after

    def has_more() -> bool:
        return replica.end > position or is_closed()

    while replica.wait(has_more, timeout):
        messages = replica.slice(position, position + _AT_ONCE)
        if not messages:
            return
        for message in messages:
            position = message.id
            shown(position)
            yield message


def run_handler(
    handler: Callable[[Message], object],
    replica: Replica,
    after: int,
    is_closed: Callable[[], bool],
    shown: Callable[[int], None],
) -> threading.Thread:
    """Call *handler* with each message after id *after*, in a thread of its own.

    shown: called with the id of each message from which the handler has returned. A handler that
    raises is reported to the log ``pyrochat``, and gets the next message all the same.
    """
    messages = follow(replica, after, None, is_closed, lambda id: None)

    def run() -> None:
        for message in messages:
            try:
                handler(message)
            except Exception:
                log.exception("the handler %r failed on message #%d", getattr(handler, "__name__", handler), message.id)
            else:
                shown(message.id)

    thread = threading.Thread(target=run, name="pyrochat-handler", daemon=True)
    thread.start()
    return thread
