"""The order of several machines: what is handed in becomes entries of a stream, and what the stream says is applied.

One thread looks at all that comes: what callers want (`outgoing`), what the stream says (`following`), and marks (`marks`),
which need no order. Each caller is told when its entry has come back in the stream and is applied here.
"""

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pyrochat.clock import monotonic
from pyrochat.core.commands import Command, Entry, command_from_wire, command_to_wire
from pyrochat.core.integrity import DIFFERS
from pyrochat.core.marks import Mark
from pyrochat.core.order import Follower, Order, Submission
from pyrochat.orders.replicated.following import Following
from pyrochat.orders.replicated.marks import MarkBoard
from pyrochat.orders.replicated.outgoing import MAX_ENTRY_COMMANDS, NEVER, PATIENCE_SECONDS, Outgoing
from pyrochat.orders.replicated.stream import Arrival, Fate, Latest, News, Opened, Pending, Silence, Stream
from pyrochat.threads import Defects, go_on
from pyrochat.values.errors import LogLost, LogProblem, LogUnavailable, PyroChatError, RoomClosing

log = logging.getLogger(__name__)

_CLOSING_SECONDS = 1.5  # that the end waits for what is under way
_RETRY_SECONDS = 1.0  # until what could not be committed is read and tried again
_FLUSHING_SECONDS = 0.3  # that marks may take: whoever tells one has texts to send on the same connection
_STOPPING = "the room's server is being stopped"


class _Barrier(Submission):
    """Nothing is wanted but that it comes back."""


class _Declaration(Submission):
    """Of a loss; it concerns this server's log only, so nobody else hears of it."""

    def __init__(self, loss: str) -> None:
        super().__init__(())
        self.loss = loss


class _Learned(NamedTuple):
    """What has become of this server's entry number *number*."""

    number: int
    fate: Fate


class _Read(NamedTuple):
    """What the stream says, where it was asked to be followed for the *turn*-th time."""

    turn: int
    event: object


class _Kept(NamedTuple):
    """A majority has marks that were told here. number: how many were, up to then."""

    number: int
    marks: Mapping[str, Mark]


class _Heard(NamedTuple):
    """What stood beside the stream when *hearing* was asked for is here, as far as anybody can say."""

    is_all: bool
    hearing: Submission | None = None


class ReplicatedOrder(Order):
    """name: for the thread. home: this server's run; label: the server, the same after each start. is_alive: whether the server's
    run of that name may be there still. most: commands of an entry. to_wire, from_wire: of what is handed in. upgrade: the version
    of entries that all servers know."""

    def __init__(
        self, name: str, stream: Stream, home: str, label: str, is_alive: Callable[[str], bool] = lambda home: True,
        patience_seconds: float = PATIENCE_SECONDS, most: int = MAX_ENTRY_COMMANDS,
        to_wire: Callable[[Any], list[object]] = command_to_wire,
        from_wire: Callable[[Sequence[Any]], Any] = command_from_wire, upgrade: Callable[[], int] = lambda: 1,
        is_alone: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self.home = home
        self._is_alive, self._upgrade, self._is_alone = is_alive, upgrade, is_alone
        self._stream = stream
        self._patience = patience_seconds
        self._from_wire = from_wire
        self._defects = Defects(log)
        self._events: queue.SimpleQueue[object] = queue.SimpleQueue()  # what the thread has to look at
        self._mutex = threading.Lock()  # guards `_closing` against a submit that would come too late
        self._closing = False
        self._close_by = NEVER
        self._turn = 0
        self._follow_at = NEVER  # again
        self._held_up = False
        self._deaf_until = 0.0  # nobody could say just now what stands there
        self._hear_at = NEVER  # what stands beside the stream, before marks are put there
        self._write_at = NEVER  # what the follower has heard
        self._stopped: PyroChatError | None = None
        self._trouble: str | None = "nobody has answered yet"
        self._outgoing = Outgoing(
            home,
            stream.publish,
            lambda number, fate: self._on(_Learned(number, fate)),
            patience_seconds,
            most,
            to_wire,
            is_slow=stream.is_slow,
        )
        self._flushing: deque[tuple[float, int, Submission]] = (
            deque()
        )  # until when, for which number of marks, who waits
        self._marks = MarkBoard(label, stream.put, lambda number, marks: self._on(_Kept(number, marks)), self._on)
        self._thread = threading.Thread(target=self._run, name=f"pyrochat-order-{name}", daemon=True)

    # -- any thread ---------------------------------------------------------------------------------------

    def start(self, follower: Follower) -> None:
        self._follower = follower
        self._following = Following(follower, self._follow, self._from_wire, self._stream.gone)
        self._following.begin()
        self._thread.start()

    def submit(self, *commands: Command) -> Submission:
        return self._hand_in(Submission(commands))

    def declare(self, loss: str) -> Submission:
        return self._hand_in(_Declaration(f"{DIFFERS}: {loss}"))

    def is_alive(self, home: str) -> bool:
        return self._is_alive(home)

    def newest_version(self) -> int:
        return self._upgrade()

    def is_alone(self) -> bool:
        return self._is_alone()

    def is_held_up(self) -> bool:
        return self._held_up

    def hear_all(self) -> bool:
        if self._trouble is not None or monotonic() < self._deaf_until:
            return False
        try:
            self.check_open()
            if self._is_alone():  # what leads here may lead nobody any more, and not know it yet
                self.catch_up()
        except (RoomClosing, LogUnavailable):
            return False
        hearing = Submission(())
        heard = threading.Event()
        hearing.then(heard.set)
        self._stream.hear_all(lambda is_all: self._on(_Heard(is_all, hearing)))
        return heard.wait(self._patience) and hearing.error is None

    def catch_up(self) -> None:
        outcome = self._hand_in(_Barrier(())).outcome()
        if isinstance(outcome, PyroChatError):
            raise outcome

    def _hand_in(self, submission: Submission) -> Submission:
        with self._mutex:
            self.check_open()
            self._events.put(submission)
        return submission

    def check_open(self) -> None:
        if self._closing:
            raise RoomClosing(_STOPPING)
        if self._stopped is not None:
            raise RoomClosing(f"this server can't go on with the room: {self._stopped}")

    def tell(self, marks: Mapping[str, Mark]) -> None:
        self._marks.tell(marks)
        self.wake()

    def wake(self) -> None:
        self._events.put(None)

    def _on(self, event: object) -> None:
        self._events.put(event)

    def _follow(self, after: int) -> None:
        self._turn += 1
        turn = self._turn
        self._follow_at = NEVER
        self._stream.follow(after, lambda event: self._on(_Read(turn, event)))

    def end(self) -> None:
        with self._mutex:
            self._closing = True
        self.wake()

    def close(self) -> None:
        self.end()
        self._thread.join()
        self._stream.close()

    # -- the thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        go_on(self._work, "ordering", self._defects)

    def _work(self) -> bool:
        """Look at what has come, and do what is due; False at the end."""
        self._take_in()
        now = monotonic()
        if self._stopped is None:
            if now >= self._follow_at:
                self._following.begin()
            self._apply(now)
        if self._stopped is None and self._follower.loss is not None:
            self._stop(LogLost(self._follower.loss))
        if self._stopped is None:
            if self._trouble is None and self._outgoing.is_late(now):
                self._say(self._stream.is_slow)
            if self._following.is_compared and not self._following.copying:
                self._outgoing.publish_due(self._follower, now)
            if now >= self._hear_at:
                self._hear_at = NEVER
                self._stream.hear_all(lambda is_all: self._on(_Heard(is_all)))
            self._marks.put_due(now, bool(self._flushing))
        self._give_up(now)
        return not (self._closing and not self._is_busy and self._events.empty())

    @property
    def _is_busy(self) -> bool:
        return bool(self._outgoing.is_busy or self._flushing)

    def _take_in(self) -> None:
        """Wait for something to look at, and sort what has come."""
        wait = max(0.0, self._due() - monotonic())
        try:
            event = self._events.get(timeout=None if wait == NEVER else wait)
            while True:
                self._sort(event)
                if self._following.is_full:
                    return
                event = self._events.get_nowait()
        except queue.Empty:
            pass

    def _due(self) -> float:
        """When there is something to do next."""
        now = monotonic()
        if self._following.is_ready or (self._closing and not self._is_busy):
            return now
        due = min(self._outgoing.due, self._close_by)
        if self._stopped is None:
            seconds = self._follower.due_seconds()
            self._write_at = NEVER if seconds is None else now + seconds
            due = min(due, self._write_at, self._follow_at, self._hear_at, self._marks.due(bool(self._flushing)))
        return min(due, self._flushing[0][0]) if self._flushing else due

    def _sort(self, event: object) -> None:
        now = monotonic()
        match event:
            case _Declaration(loss=loss):
                error = self._follower.declare(loss)
                self._outgoing.finish(event, [], error)
                if error is not None:
                    self._stop(LogLost(loss))
            case Submission(commands=()) if not isinstance(event, _Barrier):
                patience = 0.0 if self._marks.has_failed else min(self._patience, _FLUSHING_SECONDS)
                self._flushing.append((now + patience, self._marks.told, event))
            case Submission():
                self._outgoing.hand_in(event, now)
            case _Heard(is_all, hearing):
                self._marks.is_ready = self._marks.is_ready or is_all
                if not self._marks.is_ready:
                    self._hear_at = now + _RETRY_SECONDS
                self._deaf_until = 0.0 if is_all else now + _RETRY_SECONDS
                if hearing is not None and is_all:
                    self._flushing.appendleft((now + self._patience, 0, hearing))
                elif hearing is not None:
                    self._outgoing.finish(hearing, [], LogUnavailable(self._stream.is_slow))
            case _Learned(number, fate):
                self._outgoing.learn(number, fate, now)
            case _Kept(number, marks):
                self._follower.heard(marks)
                self._marks.came_back = max(self._marks.came_back, number)
            case _Read(turn, said) if turn == self._turn and self._stopped is None:
                self._read(said)

    def _read(self, event: object) -> None:
        match event:
            case Arrival():
                self._following.arrived(event)
            case Opened(last, first, trouble):
                if not self._marks.is_ready:
                    self._hear_at = monotonic()
                try:
                    self._say(self._following.opened(last, first) or trouble)
                except LogProblem as error:
                    self._stop(error)
            case Latest(label, data):
                self._follower.heard(self._marks.heard(label, data))
            case Pending(arrivals):
                self._follower.pending(self._following.pending(arrivals))
            case Silence(reason):
                self._say(reason)
            case News(text):
                self._follower.told(text)

    def _apply(self, now: float) -> None:
        """Apply what has come, or write what is due."""
        was_copying = self._following.copying
        try:
            if self._following.is_ready:
                entries, applied = self._following.apply()
                if entries and self._trouble == self._stream.is_slow:
                    self._say(None)
                self._outgoing.tell(entries, applied)
                self._put_off(now, applied.error)
            elif now >= self._write_at:
                self._follower.apply([])
            self._flush()
        except LogUnavailable as error:
            self._put_off(now, error)
        except LogProblem as error:
            self._stop(error)
        if was_copying and not self._following.copying:
            self._outgoing.publish_again(now)

    def _put_off(self, now: float, error: PyroChatError | None) -> None:
        """Where a commit has failed, nothing is applied for a while: then the stream is read again from where the log is."""
        self._held_up = error is not None
        if error is not None:
            self._turn += 1
            self._following.drop()
            self._follow_at = now + _RETRY_SECONDS

    def _flush(self) -> None:
        """Those who wait for marks are told when those are on disk."""
        done: list[Submission] = []
        while self._flushing and self._flushing[0][1] <= self._marks.came_back:
            done.append(self._flushing.popleft()[2])
        if done:
            error = self._follower.apply([Entry(self._follower.entry, 0, ())]).error
            for submission in done:
                self._outgoing.finish(submission, [], error)

    def _give_up(self, now: float) -> None:
        """Tell those something who have waited long enough."""
        if self._closing:
            self._close_by = min(self._close_by, now + _CLOSING_SECONDS)
        is_over = self._stopped is not None or now >= self._close_by
        trouble = self._trouble if self._stopped is None else str(self._stopped)
        self._outgoing.give_up(now, trouble, is_over)
        while self._flushing and (is_over or now >= self._flushing[0][0]):
            error = LogUnavailable(f"the marks wait: {trouble or _STOPPING}")
            self._outgoing.finish(self._flushing.popleft()[2], [], error)

    def _say(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._follower.said(trouble)

    def _stop(self, error: PyroChatError) -> None:
        """Nothing is applied any more."""
        if self._stopped is None:
            self._stopped = error
            self._turn += 1
            self._following.drop()
            self._stream.close()
            self._follower.stopped(error)
