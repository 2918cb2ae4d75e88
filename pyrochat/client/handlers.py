"""Handlers: the user's code, called with each message, never in a thread of the network's.

All handlers of a process share one thread as long as they are quick: a message for a hundred members of one
process wakes one thread and not a hundred (which share one interpreter lock). A handler that keeps the others
waiting goes on in a thread of its own: a slow handler delays only itself. One that does so again and again always
has one; for once, it may have been the machine.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable

from pyrochat.client.replica import Replica
from pyrochat.pyro.callbacks import CallbackServer
from pyrochat.threads import PAUSE_SECONDS, Defects, go_on
from pyrochat.values.message import Message

__all__ = ["Handler", "HandlerThreads"]

log = logging.getLogger("pyrochat")

SLOW_SECONDS = 0.02  # so long the others wait for one
SLOW_TIMES = 3  # in a row: then it is slow for good
_AT_ONCE = 512
_REST_SECONDS = 1.0
_defects = Defects(log)


class Handler:
    """One handler's cursor in a replica. shown: called with the id of a message from which it has returned."""

    __slots__ = ("_handle", "_position", "_replica", "_shown", "late", "scheduled", "times_slow")

    def __init__(
        self, handle: Callable[[Message], object], replica: Replica, after: int, shown: Callable[[int], None]
    ) -> None:
        self._handle = handle
        self._replica = replica
        self._position = after
        self._shown = shown
        self.times_slow = 0  # this and the next two are for `HandlerThreads`
        self.scheduled = False
        self.late = False  # it has been running for a while: tell what it has been shown at once

    @property
    def slow(self) -> bool:
        """Whether it gets a thread of its own at once."""
        return self.times_slow >= SLOW_TIMES

    @property
    def is_behind(self) -> bool:
        """Whether there are messages for it."""
        return self._replica.end > self._position

    def run(self) -> None:
        """Call it with some of what there is. One that raises is reported to the log, and goes on."""
        messages = self._replica.slice(self._position, self._position + _AT_ONCE)
        rest, handle, shown = iter(messages), self._handle, 0
        self.late = self.slow
        while True:
            try:
                for message in rest:
                    handle(message)
                    shown = message.id
                    if self.late:
                        self._shown(shown)
                break
            except BaseException:  # `sys.exit` too: it is one handler's, and the thread all others'
                name = getattr(handle, "__name__", handle)
                log.exception("the handler %r failed on message #%d", name, message.id)
        if messages:
            self._position = messages[-1].id
            if shown:
                self._shown(shown)


class HandlerThreads:
    """The threads of this process that run handlers; `HandlerThreads.of_this_process()` is the one to use."""

    _shared: HandlerThreads | None = None
    _shared_mutex = threading.Lock()

    def __init__(self) -> None:
        self._woken: deque[Handler] = deque()
        self._mutex = threading.Lock()  # guards what follows, and the handlers' `times_slow` and `scheduled`
        self._work = threading.Condition(self._mutex)
        self._started = threading.Condition(self._mutex)
        self._ready: deque[Handler] = deque()
        self._running: Handler | None = None
        self._since = 0.0  # when it began, or the last one did
        self._watching = True
        self._leader: object = None
        self._start(self._watch)
        self._lead_anew()

    @classmethod
    def of_this_process(cls) -> HandlerThreads:
        """The ones that all chats of this process share; new ones after a fork."""
        shared = cls._shared
        if shared is None:
            with cls._shared_mutex:
                shared = cls._shared = cls._shared or cls()
                CallbackServer.of_this_process().round_ended = shared.kick
        return shared

    @classmethod
    def forget_after_fork(cls) -> None:
        """The threads of the parent are not in the child."""
        cls._shared, cls._shared_mutex = None, threading.Lock()

    def wake(self, handler: Handler) -> None:
        """*handler* may have something to do: it is called after the next `kick`. Any thread may call this."""
        self._woken.append(handler)

    def kick(self) -> None:
        """Let those who have something to do begin, after a round of deliveries and not within it."""
        if not self._woken:
            return
        with self._mutex:
            while self._woken:
                self._schedule(self._woken.popleft())
            if self._ready and self._running is None:
                self._work.notify()

    def _schedule(self, handler: Handler) -> None:
        assert self._mutex.locked()
        if handler.scheduled or not handler.is_behind:
            return
        handler.scheduled = True
        if handler.slow:
            self._start(lambda: self._run_alone(handler))
        else:
            self._ready.append(handler)

    @staticmethod
    def _start(run: Callable[[], None]) -> None:
        threading.Thread(target=run, name="pyrochat-handlers", daemon=True).start()

    def _lead_anew(self) -> None:
        self._leader = leader = object()
        self._start(lambda: self._lead(leader))

    def _lead(self, leader: object) -> None:
        """The shared thread: handlers that have something to do take turns, until one has taken too long."""
        handler: Handler | None = None
        while True:
            with self._mutex:
                if handler is not None:
                    if self._leader is not leader:  # somebody else leads now, and this thread is the handler's own
                        break
                    handler.times_slow = 0
                    handler.scheduled = handler.is_behind
                    if handler.scheduled:
                        self._ready.append(handler)
                while not self._ready:
                    self._running = None
                    self._work.wait()
                handler = self._ready.popleft()
                if not self._watching:
                    self._started.notify()
                self._running, self._since = handler, time.monotonic()
            self._run(handler)
        self._run_alone(handler)

    @staticmethod
    def _run(handler: Handler) -> None:
        """Give *handler* its turn; a defect of ours in it costs a moment, and not the thread."""
        try:
            handler.run()
        except BaseException as error:
            _defects.tell("a handler's thread", error)
            time.sleep(PAUSE_SECONDS)  # it is behind as before, and its turn comes again at once

    def _run_alone(self, handler: Handler) -> None:
        while True:
            with self._mutex:
                handler.scheduled = handler.is_behind
                if not handler.scheduled:
                    return
            self._run(handler)

    def _watch(self) -> None:
        """See that nobody waits long for a slow handler."""
        go_on(self._look, "the watch over the handlers", _defects)

    def _look(self) -> bool:
        """See to the handler that is running now. True: this is no end."""
        time.sleep(SLOW_SECONDS / 2)
        with self._mutex:
            handler, now = self._running, time.monotonic()
            if handler is None and now - self._since > _REST_SECONDS:
                self._watching = False
                try:
                    self._started.wait()
                finally:
                    self._watching = True
            elif handler is not None and now - self._since >= SLOW_SECONDS:
                handler.late = True
                if self._ready:
                    handler.times_slow += 1
                    self._lead_anew()
                    self._running = None
        return True


os.register_at_fork(after_in_child=HandlerThreads.forget_after_fork)
