"""The order of one process: it numbers what comes as it comes, many at a time.

A fixed sequencer in the sense of Défago, Schiper and Urbán ("Total order broadcast and multicast algorithms", 2004).
Group commit: while the follower makes a group durable, what is handed in gathers, and is the next group. Its thread is
the only one that applies anything.
"""

import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence

from pyrochat.core.commands import Command, Entry, Post
from pyrochat.core.marks import Mark
from pyrochat.core.order import Applied, Follower, Order, Submission
from pyrochat.core.room import Outcome
from pyrochat.threads import Defects, go_on
from pyrochat.values.errors import LogUncertain, PyroChatError, RoomClosing

log = logging.getLogger(__name__)

MAX_GROUP_MESSAGES = 20_000


class LocalOrder(Order):
    """name: of the room, for the thread. now_us: the clock that entries get their times from. most: messages of a group."""

    def __init__(self, name: str, now_us: Callable[[], int], most: int = MAX_GROUP_MESSAGES) -> None:
        self._now_us = now_us
        self._number = 0
        self._most = most
        self._defects = Defects(log)
        self._follower: Follower | None = None
        self._waiting: queue.SimpleQueue[Submission | None] = queue.SimpleQueue()
        self._mutex = threading.Lock()  # guards `_closing` against a submit that would come too late
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"pyrochat-order-{name}", daemon=True)

    def start(self, follower: Follower) -> None:
        self._follower, self._number = follower, follower.entry
        self._thread.start()

    def submit(self, *commands: Command) -> Submission:
        submission = Submission(commands, max(1, sum(len(c.texts) for c in commands if isinstance(c, Post))))
        with self._mutex:
            self.check_open()
            self._waiting.put(submission)
        return submission

    def check_open(self) -> None:
        if self._closing:
            raise RoomClosing("the room's server is being stopped")

    def tell(self, marks: Mapping[str, Mark]) -> None:
        assert self._follower is not None
        self._follower.heard(marks)

    def wake(self) -> None:
        self._waiting.put(None)

    def end(self) -> None:
        with self._mutex:
            self._closing = True
        self.wake()

    def close(self) -> None:
        self.end()
        self._thread.join()

    # -- the thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        go_on(self._work, "ordering", self._defects)

    def _work(self) -> bool:
        """Apply one group; False at the end. What goes wrong is told to all who wait: nobody may hang for it."""
        if self._closing and self._waiting.empty():
            return False
        assert self._follower is not None
        group: list[Submission] = []
        try:
            self._gather(group, self._follower)
            applied = self._apply(self._entries(group), self._follower)
            for submission, outcomes in zip(group, applied.outcomes, strict=True):
                self._finish(submission, outcomes, applied.error)
        except BaseException:
            unknown = LogUncertain(  # the defect may have come after the commit
                "internal error: whether this was stored is unknown (the server's log says why); ask again with the same key"
            )
            for submission in (waiting for waiting in group if not waiting.done):
                self._finish(submission, [unknown] * len(submission.commands), unknown)
            raise
        return True

    def _apply(self, entries: Sequence[Entry], follower: Follower) -> Applied:
        return follower.apply(entries)

    def _entries(self, group: Sequence[Submission]) -> list[Entry]:
        time_us = self._now_us()
        first = self._number + 1
        self._number += len(group)
        return [Entry(number, time_us, submission.commands) for number, submission in enumerate(group, first)]

    def _finish(self, submission: Submission, outcomes: Sequence[Outcome], error: PyroChatError | None) -> None:
        try:
            submission.finish(outcomes, error)
        except BaseException as error:  # a defect where the outcome is taken; the others' are told all the same
            self._defects.tell("telling the outcome of a commit", error)

    def _gather(self, group: list[Submission], follower: Follower) -> None:
        """Fill *group* with what is to be applied together; none where the follower is due."""
        size = 0
        try:
            wait = follower.due_seconds()
            while size < self._most:
                if group or self._closing:
                    submission = self._waiting.get_nowait()
                elif wait is None:
                    submission = self._waiting.get()
                else:
                    submission = self._waiting.get(timeout=wait) if wait > 0 else self._waiting.get_nowait()
                if submission is None:
                    wait = follower.due_seconds()
                    continue
                group.append(submission)
                size += submission.size
        except queue.Empty:
            pass
