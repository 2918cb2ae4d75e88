"""Group commit: one thread commits what many callers ask for at the same time.

While a commit is on its way to the disk, the next requests gather; they share the next commit. This
thread is the sequencer's mutual exclusion: nobody else numbers messages.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence

from pyrochat.core.sequencer import Draft, Outcome
from pyrochat.threads import Defects, go_on
from pyrochat.values.errors import LogUncertain, PyroChatError, RoomClosing
from pyrochat.values.message import Message

__all__ = ["Request", "Writer"]

log = logging.getLogger(__name__)

MAX_GROUP_MESSAGES = 20_000
_defects = Defects(log)
_outcome_mutex = threading.Lock()  # of all requests: held for two assignments


class Request:
    """Something that needs a commit.

    plan: called in the writer's thread right before the commit; returns the drafts to append, or
        raises a PyroChatError, which is what the caller gets then. size: about how many drafts.
    changes_view: its plan depends on the view, so it can't share a commit with another such request.
    refusal: nothing is appended for it; unless its drafts were made before, this is what the caller gets.
    """

    __slots__ = ("_done", "_outcome", "_then", "changes_view", "done", "plan", "refusal", "size")

    def __init__(
        self, plan: Callable[[], Sequence[Draft]], size: int = 1, changes_view: bool = False,
        refusal: PyroChatError | None = None,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.size = size
        self.changes_view = changes_view
        self.refusal = refusal
        self._done = threading.Lock()
        self._done.acquire()
        self.done = False  # whether there is an outcome
        self._outcome: list[Message] | Exception = []
        self._then: Callable[[], None] | None = None

    def then(self, call: Callable[[], None]) -> None:
        """Call *call* as soon as there is an outcome: now, or in the writer's thread. It must be quick."""
        with _outcome_mutex:
            if not self.done:
                self._then = call
                return
        call()

    def finish(self, outcome: Outcome | PyroChatError) -> None:
        """What came of it is known: its messages are on disk, or an error says what is."""
        self._outcome = outcome
        with _outcome_mutex:
            self.done, call = True, self._then
        self._done.release()
        if call is not None:
            try:
                call()
            except BaseException as error:  # a defect there; the others' outcomes are told all the same
                _defects.tell("telling the outcome of a commit", error)

    def wait(self) -> list[Message]:
        """What the drafts have become; raises what the plan, the log or a key conflict raised. Once."""
        self._done.acquire()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class Writer:
    """The thread. commit: does the work for a group of requests. idle_seconds: how long until
    `commit` wants to be called with an empty group (None: not before the next request). most: messages of a group."""

    def __init__(
        self, name: str, commit: Callable[[list[Request]], None], idle_seconds: Callable[[], float | None],
        most: int = MAX_GROUP_MESSAGES,
    ) -> None:  # fmt: skip
        self._most = most
        self._commit = commit
        self._idle_seconds = idle_seconds
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._mutex = threading.Lock()  # guards _closing against a submit that would come too late
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"pyrochat-writer-{name}", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def submit(self, request: Request) -> Request:
        """Hand in *request*; raises RoomClosing. `request.wait()` gives the outcome."""
        with self._mutex:
            self.check_open()
            self._requests.put(request)
        return request

    def check_open(self) -> None:
        """Raise RoomClosing where nothing is taken any more."""
        if self._closing:
            raise RoomClosing("the room's server is being stopped")

    def nudge(self) -> None:
        """Make the thread ask `idle_seconds` again."""
        self._requests.put(None)

    def close(self) -> None:
        """Commit what has been handed in, then end."""
        with self._mutex:
            if self._closing:
                return
            self._closing = True
        self.nudge()
        self._thread.join()

    def _run(self) -> None:
        go_on(self._work, "committing", _defects)

    def _work(self) -> bool:
        """Commit one group; False at the end. What goes wrong is told to all who wait: nobody may hang for it."""
        if self._closing and self._requests.empty():
            return False
        group: list[Request] = []
        try:
            self._gather(group)
            self._commit(group)
        except BaseException:
            for request in (r for r in group if not r.done):
                request.finish(  # the defect may have come after the commit
                    LogUncertain(
                        "internal error: whether this was stored is unknown (the server's log says why); ask again "
                        "with the same key"
                    )
                )
            raise
        return True

    def _gather(self, group: list[Request]) -> None:
        """Fill *group* with what is to be committed together; none where `idle_seconds` are over."""
        size = 0
        try:
            wait = self._idle_seconds()
            while True:
                if group or self._closing:
                    request = self._requests.get_nowait()
                elif wait is None:
                    request = self._requests.get()
                else:
                    request = self._requests.get(timeout=wait) if wait > 0 else self._requests.get_nowait()
                if request is None:
                    wait = self._idle_seconds()
                    continue
                group.append(request)
                size += request.size
                if size >= self._most:
                    break
        except queue.Empty:
            pass
