"""The part of a Chat that calls the user's code: handlers of messages, of the connection's states, and of notices."""

import logging
from collections import deque
from collections.abc import Callable, Sized
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar, overload

from pyrochat.client.handler_threads import HandlerThreads
from pyrochat.client.handlers import (
    MOST_WAITING,
    ConfirmationsHandler,
    EventHandler,
    Handler,
    MessageHandler,
    check_handler,
)
from pyrochat.client.reading import Reading
from pyrochat.client.replica import Replica
from pyrochat.clock import monotonic
from pyrochat.values.confirmations import Confirmations
from pyrochat.values.errors import InvalidArgument
from pyrochat.values.message import Message
from pyrochat.values.rules import MAX_ID, checked_integer, fold

log = logging.getLogger("pyrochat")

# What a handler returns is ignored. It says so little only because a type can't say "anything but a coroutine".
Returned = None | float | Sized | Message | Future[Any]
OfMessages = TypeVar("OfMessages", bound=Callable[[Message], Returned])
OfConfirmations = TypeVar("OfConfirmations", bound=Callable[[int, Confirmations], Returned])
OfStates = TypeVar("OfStates", bound=Callable[[str, str], Returned])
OfUnnumbered = TypeVar("OfUnnumbered", bound=Callable[[tuple[Message, ...], int], Returned])
OfNotices = TypeVar("OfNotices", bound=Callable[[str], Returned])

_MOST_EARLY_NOTICES = 10
_MOST_UNNUMBERED = 50  # that wait for a slow handler: each replaces the one before


class Handling:
    """Knows which handlers there are. moved: called when one of them has moved the read mark.

    Handlers run in threads of their own, never in one that the network needs: they may call anything. Each gets one
    thing after the other, in order.
    """

    name: str

    def __init__(
        self, replica: Replica, reading: Reading, moved: Callable[[], None],
        ask_confirmations: Callable[[int], Confirmations | None],
    ) -> None:  # fmt: skip
        self._replica = replica
        self._reading = reading
        self._moved = moved
        self._ask_confirmations = ask_confirmations
        self._confirmations_handlers: list[ConfirmationsHandler] = []
        self._message_handlers: list[MessageHandler] = []
        self._state_handlers: list[EventHandler] = []
        self._notice_handlers: list[EventHandler] = [EventHandler(_log_notice, "the notice")]
        self._unnumbered_handlers: list[EventHandler] = []
        self._early_notices: deque[str] = deque(maxlen=_MOST_EARLY_NOTICES)  # came before there was a handler for them

    def _check_open(self) -> None:
        raise NotImplementedError

    @overload
    def on_message(self, handler: OfMessages) -> OfMessages: ...

    @overload
    def on_message(self, handler: None = None, *, after: int | None = None) -> Callable[[OfMessages], OfMessages]: ...

    @overload
    def on_message(self, handler: OfMessages, *, after: int | None = None) -> OfMessages: ...

    def on_message(
        self, handler: OfMessages | None = None, *, after: int | None = None
    ) -> OfMessages | Callable[[OfMessages], OfMessages]:
        """Call *handler* with each message from now on, in another thread; usable as a decorator.

        after: begin with the message that follows this id; 0 begins with the whole history.
        A slow handler delays only itself; one that raises is reported to the log ``pyrochat`` and goes on. With
        ``read="auto"`` a message from which all handlers have returned counts as read; one on which a handler has
        raised doesn't, nor does what follows it, until `mark_read`, `unread` or the next `join`.
        `off` ends it. Raises InvalidArgument for an ``async def``, which nobody would run, and for what can't be called.
        """
        self._check_open()
        start = self._replica.end if after is None else checked_integer(after, "after", 0, MAX_ID)

        def register(handler: OfMessages) -> OfMessages:
            check_handler(handler)
            threads = HandlerThreads.of_this_process()
            cursor = MessageHandler(handler, self._replica, start, self._reading, self._moved)
            self._message_handlers.append(cursor)
            cursor.follower = partial(threads.wake, cursor)
            self._replica.follow(cursor.follower)
            threads.begin(cursor)
            return handler

        return register if handler is None else register(handler)

    def on_state(self, handler: OfStates) -> OfStates:
        """Call *handler* with ``(state, reason)`` whenever `state` changes, in another thread; usable as a decorator.

        See `on_message` for what is slow, raises, or is an ``async def``.
        """
        self._state_handlers.append(_event_handler(handler, "the state"))
        return handler

    def on_confirmations(self, handler: OfConfirmations) -> OfConfirmations:
        """Call *handler* with ``(id, confirmations)`` of one's own messages, in another thread, when others have got or read
        them; usable as a decorator.

        What is confirmed together is told once, with the newest message that it concerns. See `on_message` for what is
        slow, raises, or is an ``async def``.
        """
        self._check_open()
        check_handler(handler)
        threads = HandlerThreads.of_this_process()
        registered = ConfirmationsHandler(handler, self._replica, fold(self.name), self._ask_confirmations)
        self._confirmations_handlers.append(registered)
        registered.follower = partial(threads.wake, registered)
        self._replica.follow(registered.follower)
        return handler

    def on_notice(self, handler: OfNotices) -> OfNotices:
        """Call *handler* with what the room says beside the log (a text), in another thread; usable as a decorator.

        The first handler also gets what the room has said since the join.
        """
        registered = _event_handler(handler, "the notice")
        self._notice_handlers.append(registered)
        while self._early_notices:
            _tell([registered], self._early_notices.popleft())
        return handler

    def on_unnumbered(self, handler: OfUnnumbered) -> OfUnnumbered:
        """Call *handler* with ``(unnumbered, after)`` whenever `unnumbered` changes, in another thread; usable as a decorator.

        after: the id of the last message that had come then: what is missing in *unnumbered* now is among those up to it, or was
        given up. See `on_message` for what is slow, raises, or is an ``async def``.
        """
        self._unnumbered_handlers.append(_event_handler(handler, "the unnumbered texts", _MOST_UNNUMBERED))
        return handler

    def off(self, handler: Callable[..., object]) -> None:
        """Call *handler* no more, whatever it was registered for; one that is being called now ends as it would.

        What it has not been called with does not keep messages from counting as read. Raises InvalidArgument where it
        is no handler of this chat.
        """
        messages = [registered for registered in self._message_handlers if registered.calls(handler)]
        states = [registered for registered in self._state_handlers if registered.calls(handler)]
        notices = [registered for registered in self._notice_handlers if registered.calls(handler)]
        confirmations = [registered for registered in self._confirmations_handlers if registered.calls(handler)]
        unnumbered = [registered for registered in self._unnumbered_handlers if registered.calls(handler)]
        if not (messages or states or notices or confirmations or unnumbered):
            raise InvalidArgument(f"{handler!r:.80} is no handler of this chat")
        for cursor in messages:
            self._message_handlers.remove(cursor)
            self._replica.unfollow(cursor.follower)
            cursor.end()
            if self._reading.remove_handler(cursor.number):
                self._moved()
        for registered in confirmations:
            self._confirmations_handlers.remove(registered)
            self._replica.unfollow(registered.follower)
            registered.end()
        for handlers, ended in (
            (self._state_handlers, states), (self._notice_handlers, notices), (self._unnumbered_handlers, unnumbered),
        ):  # fmt: skip
            for listener in ended:
                handlers.remove(listener)
                listener.end()

    # -- within ---------------------------------------------------------------------------------------------

    def _tell_state(self, state: str, reason: str) -> None:
        _tell(self._state_handlers, state, reason)

    def _tell_notice(self, text: str) -> None:
        if len(self._notice_handlers) == 1:
            self._early_notices.append(text)
        _tell(self._notice_handlers, text)

    def _tell_unnumbered(self, messages: tuple[Message, ...], after: int) -> None:
        _tell(self._unnumbered_handlers, messages, after)

    def _wait_for_handlers(self, seconds: float) -> None:
        """Give the handlers of states and notices *seconds* to take in what they were told; not where one of them calls."""
        deadline = monotonic() + seconds
        busy = [handler for handler in (*self._state_handlers, *self._notice_handlers) if handler.scheduled]
        if busy and not HandlerThreads.is_running_this():
            for handler in busy:
                flushed = handler.flush()
                HandlerThreads.of_this_process().begin(handler)
                flushed.wait(max(0.0, deadline - monotonic()))

    def _stop_handlers(self) -> None:
        """In a child: none is called any more."""
        handlers: list[Handler] = [
            *self._message_handlers, *self._confirmations_handlers, *self._state_handlers, *self._notice_handlers,
            *self._unnumbered_handlers,
        ]  # fmt: skip
        for handler in handlers:
            handler.stop()


def _event_handler(handle: Callable[..., object], what: str, most: int = MOST_WAITING) -> EventHandler:
    check_handler(handle)
    HandlerThreads.of_this_process()  # now: at the interpreter's end no thread can be started
    return EventHandler(handle, what, most)


def _tell(handlers: list[EventHandler], *event: object) -> None:
    for handler in list(handlers):
        handler.add(*event)
        HandlerThreads.of_this_process().begin(handler)


def _log_notice(text: str) -> None:
    log.warning("%s", text)
