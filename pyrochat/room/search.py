"""Searching a room's whole history: a thread that fills the index behind the log, and whoever asks.

The index follows the log and is never waited for by anybody who posts. A room that opens with a million
messages that are not in it is ready at once; until the thread has come to the end, searches answer with what
there is, and say so. Whatever fails here makes searches fail, and nothing else.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pyrochat.clock import monotonic
from pyrochat.core.current import original
from pyrochat.core.log import Log
from pyrochat.core.pace import Pace
from pyrochat.core.query import Query
from pyrochat.storage.search_index import SearchIndex, is_damage
from pyrochat.threads import Defects, go_on
from pyrochat.values.errors import PyroChatError, RoomClosing, SearchUnavailable
from pyrochat.values.message import REDACT, Message

logger = logging.getLogger(__name__)

BATCH_MESSAGES = 500  # about 10 ms of work
_DAMAGED = "it is damaged"
_MOST_WAITERS = 64  # each holds a worker
_REDACTION_SECONDS = 10.0


class Matches(NamedTuple):
    """What a search has found, newest first, in the messages up to *indexed_up_to*; the log went up to *end*."""

    messages: list[Message]
    indexed_up_to: int
    end: int


class Search:
    """Search in *log*, with the index in the file *path*; None: there is none, and no search.

    has_room: whether the index may grow; meanwhile searches find what is in it. pace: for its rests.
    busy_rest: seconds for each second of work; 4: a fifth of a core at the most, whoever posts or joins meanwhile.
    wait_seconds: see `wait`; near_messages: so many are in the index by then.
    """

    def __init__(
        self, log: Log, path: Path | None, has_room: Callable[[], bool] = lambda: True, pace: Pace | None = None, *,
        busy_rest: float = 4.0, wait_seconds: float = 2.0, near_messages: int = 10_000,
    ) -> None:  # fmt: skip
        self._pace = pace or Pace()
        self._busy_rest, self._wait_seconds, self._near_messages = busy_rest, wait_seconds, near_messages
        self._log = log
        self._has_room = has_room
        self._index = None if path is None else SearchIndex(path)
        self._changed = threading.Condition()  # guards what follows
        self._upto: int | None = None  # None while the index is not open
        self._afresh: str | None = None  # why the index has to be made anew, whatever is in its file
        self._trouble: str | None = None if path is not None else "this room has no index"
        self._waiters = 0
        self._idle = False
        self._closing = False
        self._deleted: dict[int, Message] = {}
        self._rest = 0.0  # seconds, before the thread's next step
        self._defects = Defects(logger)
        self._thread = threading.Thread(target=self._run, name=f"pyrochat-search-{log.room}", daemon=True)
        if self._index is not None:
            self._thread.start()

    # -- who asks -----------------------------------------------------------------------------------------

    def wait(self) -> None:
        """Wait, for 2 s at the most, until the index has what the log has now; not where that takes longer, or many wait already."""
        end = self._log.tail
        self.look()
        with self._changed:
            if self._upto is not None and (end - self._upto > self._near_messages or not self._has_room()):
                return
            if self._waiters >= _MOST_WAITERS:
                return
            self._waiters += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_at(end) or self._trouble or self._closing, self._wait_seconds)
            self._waiters -= 1

    def look(self) -> None:
        """Now and then, in any thread: an index whose file was removed or replaced is made anew."""
        if self._index is None or self._upto is None or self._log.gone:
            return
        changed = self._index.changed()
        if changed is not None:
            with self._changed:
                self._upto, self._afresh = None, changed
                self._changed.notify_all()

    def _is_at(self, end: int) -> bool:
        return self._upto is not None and self._upto >= end

    def find(self, query: Query, before: int, limit: int) -> Matches:
        """At most *limit* messages with ids below *before*.

        Raises SearchUnavailable, LogUnavailable, RoomClosing.
        """
        end = self._log.tail
        with self._changed:
            if self._closing:
                raise RoomClosing("the room's server is being stopped")
            if self._index is None or self._trouble is not None:
                raise SearchUnavailable(f"the room can't search now ({self._trouble}): try again later")
            if self._upto is None:
                return Matches([], 0, end)
        try:
            ids, upto = self._index.find(query, min(before, end + 1), limit)
        except sqlite3.Error as error:
            self._suspect(error)
            raise SearchUnavailable(f"the room can't search now ({error}): try again later") from None
        found = [versions for id in ids if (versions := self._log.versions(id))]
        messages = [versions[0]._replace(text=versions[-1].text) for versions in found]
        return Matches([message for message in messages if message.text], upto, end)

    def wait_for_redaction(self, redaction: Message) -> None:
        """Wait until no word is in the index any more that *redaction* has deleted; what can't be filled now is made anew
        when it can."""
        with self._changed:
            self._waiters += 1
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._is_at(redaction.id) or self._trouble or self._closing, _REDACTION_SECONDS
            )
            self._waiters -= 1

    def _suspect(self, error: sqlite3.Error) -> None:
        """A search has failed: where the file is to blame, the thread makes it anew."""
        logger.warning("room %s: a search failed: %s", self._log.room, error)
        if is_damage(error, in_a_search=True):
            with self._changed:
                self._upto, self._afresh = None, _DAMAGED
                self._changed.notify_all()

    # -- the order's thread ----------------------------------------------------------------------------------

    def grew(self, deleted: Sequence[Message] = ()) -> None:
        """The log has grown. Costs the writer nothing while the thread rests or works. deleted: what has gone from it with
        that, as it was: the index needs it once more."""
        if deleted and self._index is not None:
            with self._changed:
                self._deleted |= {message.id: message for message in deleted}
        if self._idle:
            with self._changed:
                self._changed.notify_all()

    def close(self) -> None:
        """End, wherever the index is; it goes on there at the next start."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    # -- our thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        assert self._index is not None
        go_on(self._work, "the search index", self._defects)
        self._index.close()

    def _work(self) -> bool:
        """One step, when there is something to do; False at the end."""
        assert self._index is not None
        if not self._has_work_after(self._rest):
            return False
        try:
            self._rest = self._step(self._index)
        except Exception as error:  # none is worth a room
            self._rest = self._fail(error)
        return True

    def _has_work_after(self, rest: float) -> bool:
        """Rest for *rest* seconds, unless somebody waits; then until there is something to do. False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or (self._waiters and not self._trouble), rest)
            self._idle = True
            self._changed.wait_for(lambda: self._closing or self._has_work())
            self._idle = False
            return not self._closing

    def _has_work(self) -> bool:
        return self._upto is None or (
            self._upto < self._log.tail and (bool(self._deleted) or self._has_room())
        )  # what is deleted goes from a full disk too

    def _step(self, index: SearchIndex) -> float:
        """Open the index, or add a batch to it; returns for how long to rest."""
        if self._log.gone:  # nor is the index ours that may be in its folder now
            raise SearchUnavailable("the room's log was deleted or replaced under its server")
        began = monotonic()
        tail = self._log.tail
        was = self._upto
        if was is None:
            upto = index.open(self._log, self._afresh)
        else:
            batch = self._log.read(was, BATCH_MESSAGES)
            with self._changed:
                deleted = dict(self._deleted)
            index.add(batch, self._log.digest(batch[-1].id), deleted)
            upto = batch[-1].id
            gone = {message.about for message in batch if message.kind == REDACT}
            with self._changed:
                for id in [id for id, message in self._deleted.items() if original(message) in gone]:
                    del self._deleted[id]
        with self._changed:
            if was is not None or upto >= tail:  # a file that can be opened may still be one that can't be filled
                self._trouble = None
            self._upto, self._afresh = upto, None
            self._changed.notify_all()
        if was is None:
            return 0.0
        if upto >= tail:
            return self._pace.index_rest_seconds
        return (monotonic() - began) * self._busy_rest

    def _fail(self, error: Exception) -> float:
        """A step has failed: searches say so until one succeeds; returns for how long to rest."""
        known = isinstance(error, sqlite3.Error | OSError | PyroChatError)
        trouble = (error.strerror if isinstance(error, OSError) else None) or str(error)  # no paths
        if not known:
            self._defects.tell("the search index", error)
            trouble = "internal error: the server's log says why"
        elif trouble != self._trouble:
            logger.warning("room %s: can't fill the search index: %s", self._log.room, trouble)
        with self._changed:
            self._upto, self._trouble = None, trouble
            self._afresh = _DAMAGED if is_damage(error) else self._afresh
            self._changed.notify_all()
        return self._pace.index_retry_seconds
