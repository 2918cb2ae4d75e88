"""Logging that nobody waits for: what threads that others need have to say is handled in a thread of its own.

A logging handler is the user's. It may send to a room, say; then it waits for the very thread that has logged, and holds
a lock that the next one who logs waits for.
"""

import contextlib
import logging
import os
import queue
import threading

from pyrochat.threads import is_our_thread


def aside_logger(name: str) -> logging.Logger:
    """The logger *name*; its records from threads of ours (`threads.is_our_thread`) go through a thread of their own."""
    logger = logging.getLogger(name)
    if not any(isinstance(each, _Aside) for each in logger.filters):
        logger.addFilter(_Aside())
    return logger


class _Aside(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Part of logging's interface: False where the record is handled elsewhere."""
        if not is_our_thread():
            return True
        _speaker.say(record)
        return False


class _Speaker:
    """The thread, begun when there is something to say."""

    def __init__(self) -> None:
        self.forget_after_fork()

    def forget_after_fork(self) -> None:
        """The parent's thread is not in the child."""
        self._mutex = threading.Lock()
        self._records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def say(self, record: logging.LogRecord) -> None:
        """Let the handlers have *record*, soon."""
        self._records.put(record)
        with self._mutex, contextlib.suppress(RuntimeError):  # the interpreter ends
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="pyrochat-logging", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while True:
            record = self._records.get()
            with contextlib.suppress(BaseException):  # as logging itself does, for what a handler raises
                logging.getLogger(record.name).callHandlers(record)


_speaker = _Speaker()
os.register_at_fork(after_in_child=_speaker.forget_after_fork)
