"""The threads in which handlers run: never those of the network's, and none is held up by another's handler.

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

from pyrochat.client.handlers import Handler
from pyrochat.clock import monotonic
from pyrochat.pyro.callbacks import CallbackServer
from pyrochat.threads import PAUSE_SECONDS, Defects, go_on

log = logging.getLogger("pyrochat")

SLOW_SECONDS = 0.02  # so long the others wait for one
_REST_SECONDS = 1.0

_defects = Defects(log)
_here = threading.local()  # is_handlers: in a thread of handlers


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
        self._is_left_behind = False  # in a child: only the thread that has forked is there, and it has to end
        if not (self._start(self._watch) and self._lead_anew()):
            raise RuntimeError("can't start a thread for handlers")

    @classmethod
    def of_this_process(cls) -> HandlerThreads:
        """The ones that all chats of this process share; new ones after a fork."""
        shared = cls._shared
        if shared is None:
            with cls._shared_mutex:
                shared = cls._shared = cls._shared or cls()
                CallbackServer.of_this_process().round_ended = shared.kick
        return shared

    @staticmethod
    def is_running_this() -> bool:
        """Whether the caller is, or was called by, a handler."""
        return getattr(_here, "is_handlers", False)

    @classmethod
    def forget_after_fork(cls) -> None:
        """The threads of the parent are not in the child, save one: where a handler has forked."""
        if cls._shared is not None:
            cls._shared._is_left_behind = True
        cls._shared, cls._shared_mutex = None, threading.Lock()

    def wake(self, handler: Handler) -> None:
        """*handler* may have something to do: it is called after the next `kick`. Any thread may call this."""
        self._woken.append(handler)

    def begin(self, handler: Handler) -> None:
        """*handler* has something to do: it is called soon. Any thread may call this."""
        with self._mutex:
            self._schedule(handler)
            if self._ready and self._running is None:
                self._work.notify()

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
        if not (handler.slow and self._start(lambda: self._run_alone(handler))):
            self._ready.append(handler)

    @staticmethod
    def _start(run: Callable[[], None]) -> bool:
        """False where no thread can be started: the process has too many, or is ending."""

        def run_here() -> None:
            _here.is_handlers = True
            run()

        try:
            threading.Thread(target=run_here, name="pyrochat-handlers", daemon=True).start()
        except RuntimeError:
            return False
        return True

    def _lead_anew(self) -> bool:
        leader = object()
        if not self._start(lambda: self._lead(leader)):
            return False
        self._leader = leader
        return True

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
                self._running, self._since = handler, monotonic()
            if not self._run(handler):
                return
        self._run_alone(handler)

    def _run_alone(self, handler: Handler) -> None:
        while True:
            with self._mutex:
                handler.scheduled = handler.is_behind
                if not handler.scheduled:
                    return
            if not self._run(handler):
                return

    def _run(self, handler: Handler) -> bool:
        """Give *handler* its turn; False where that has forked, and this is the child: its mutex may be held for ever."""
        try:
            handler.run()
        except BaseException as error:
            if self._is_left_behind:
                raise
            _defects.tell("a handler's thread", error)  # a defect of ours: the other handlers go on
            time.sleep(PAUSE_SECONDS)  # it is behind as before, and its turn comes again at once
        return not self._is_left_behind

    def _watch(self) -> None:
        """See that nobody waits long for a slow handler."""
        go_on(self._look, "the watch over the handlers", _defects)

    def _look(self) -> bool:
        """See to the handler that is running now. True: this is no end."""
        time.sleep(SLOW_SECONDS / 2)
        with self._mutex:
            handler, now = self._running, monotonic()
            if handler is None and now - self._since > _REST_SECONDS:
                self._watching = False
                try:
                    self._started.wait()
                finally:
                    self._watching = True
            elif handler is not None and now - self._since >= SLOW_SECONDS:
                handler.late = True
                if self._ready and self._lead_anew():
                    handler.times_slow += 1
                    self._running = None
        return True


os.register_at_fork(after_in_child=HandlerThreads.forget_after_fork)
