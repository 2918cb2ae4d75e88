"""Handlers: the user's code, called with one thing after the other, each in a thread of `handler_threads`.

Whatever one raises, `SystemExit` included, is reported to the log ``pyrochat`` and costs nothing else: the handler goes
on with what comes next. Coroutines would never be run here, so what makes them is refused.
"""

import contextlib
import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from pyrochat.client.reading import Reading
from pyrochat.client.replica import Replica
from pyrochat.values.confirmations import Confirmations
from pyrochat.values.errors import InvalidArgument, PyroChatError
from pyrochat.values.message import Message

log = logging.getLogger("pyrochat")

SLOW_TIMES = 3  # in a row: then it is slow for good
_AT_ONCE = 512
MOST_WAITING = 1000
_NO_COROUTINES = (
    "a handler is a plain function here, and {name!r} is an async one, which would never be run: give a function that "
    "hands over to the event loop (asyncio.run_coroutine_threadsafe); pyrochat.aio, for async programs, is still to come"
)


def check_handler(handle: object) -> None:
    """Raise InvalidArgument for what can't be called, or is not run to its end by that: coroutine functions, generators."""
    if not callable(handle):
        raise InvalidArgument(f"a handler has to be a function, not {handle!r:.80}")
    called: object = handle
    while isinstance(called, partial):
        called = called.func
    for function in (called, getattr(type(called), "__call__", None)):  # noqa: B004 - it may be a coroutine function
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise InvalidArgument(_NO_COROUTINES.format(name=_name_of(handle)))
        if inspect.isgeneratorfunction(function):
            raise InvalidArgument(
                f"{_name_of(handle)!r} is a generator, whose body no call runs: give a plain function"
            )


def _name_of(handle: object) -> object:
    return getattr(handle, "__name__", handle)


def _check_result(handle: object, result: object) -> None:
    """Raise InvalidArgument where *handle* has only made a coroutine."""
    if inspect.iscoroutine(result):
        result.close()  # or Python warns that it was never awaited
        raise InvalidArgument(_NO_COROUTINES.format(name=_name_of(handle)))


def report(text: str, *arguments: object) -> None:
    """Log an exception that is being handled."""
    with contextlib.suppress(BaseException):  # a logging handler is the user's too: it must not cost what comes next
        log.exception(text, *arguments)


def _report_failure(handle: object, what: str) -> None:
    report("the handler %r failed on %s", _name_of(handle), what)


def _nothing() -> None:
    """Before the replica has a follower."""


class Handler:
    """One handler, and what there is for it. `HandlerThreads` sees that `run` runs in one thread at a time.

    late: it has been running for a while. stopped: this is a child of the process that the handler belongs to.
    """

    __slots__ = ("_ended", "_handle", "late", "scheduled", "stopped", "times_slow")

    def __init__(self, handle: Callable[..., object]) -> None:
        self._handle = handle
        self._ended = False
        self.times_slow = 0  # this and the next are for `HandlerThreads`
        self.scheduled = False
        self.late = False
        self.stopped = False

    @property
    def slow(self) -> bool:
        """Whether it gets a thread of its own at once."""
        return self.times_slow >= SLOW_TIMES

    @property
    def is_behind(self) -> bool:
        """Whether there is something for it."""
        raise NotImplementedError

    def run(self) -> None:
        """Call it with some of what there is. Raises only where it is stopped: then the thread has to end."""
        raise NotImplementedError

    def calls(self, handle: object) -> bool:
        """Whether it is *handle* that is called."""
        return bool(self._handle == handle)

    def has_ended(self) -> bool:
        """Whether its user wants it no more; another thread may say so at any time."""
        return self._ended

    def end(self) -> None:
        """Call it no more. In this order: see `MessageHandler.run`."""
        self._ended = True
        self.late = True

    def stop(self) -> None:
        """In a child: call it no more, also where it is being called in this very thread."""
        self.late = self.stopped = True


class MessageHandler(Handler):
    """A cursor in *replica*, after id *after*, whose progress goes into *reading*.

    moved: called when the read mark has moved. number: in *reading*. follower: what *replica* calls for it.
    """

    __slots__ = ("_moved", "_position", "_reading", "_replica", "follower", "number")

    def __init__(
        self, handle: Callable[[Message], object], replica: Replica, after: int, reading: Reading,
        moved: Callable[[], None],
    ) -> None:  # fmt: skip
        super().__init__(handle)
        self._replica = replica
        self._position = after
        self._reading = reading
        self.number = reading.add_handler(after)
        self.follower: Callable[[], None] = _nothing
        self._moved = moved

    @property
    def is_behind(self) -> bool:
        """Whether there are messages for it."""
        return self._replica.end > self._position and not self.has_ended()

    def run(self) -> None:
        """See `Handler`. What it has returned from is told when it has had all of it, or at once where it is late."""
        messages = self._replica.slice(self._position, self._position + _AT_ONCE)
        if not messages:
            return
        rest, handle, shown = iter(messages), self._handle, 0
        self.late = self.stopped or self.slow
        if self.has_ended():  # asked after the line above: from here on `end` is seen by `late`
            return
        self._position = messages[-1].id
        while True:
            try:
                for message in rest:
                    result = handle(message)
                    if result is not None:
                        _check_result(handle, result)
                    shown = message.id
                    if self.late:
                        if self.stopped:
                            return
                        self._tell(self._reading.returned(self.number, shown))
                        if self.has_ended():
                            return
                break
            except BaseException:
                if self.stopped:
                    raise
                self._tell(self._reading.failed(self.number, message.id))
                _report_failure(handle, f"message #{message.id}")
                if self.has_ended():
                    return
                shown = 0
        if shown:
            self._tell(self._reading.returned(self.number, shown))

    def _tell(self, has_moved: bool) -> None:
        if has_moved:
            self._moved()


class ConfirmationsHandler(Handler):
    """Called with the id of a text of *member* (folded) and its confirmations when somebody has got or read it.

    What is confirmed together is told once, of the newest text that it concerns: it holds for all before it. ask: the
    confirmations of an id, from the room; None where nobody holds the Chat any more; raises PyroChatError.
    """

    __slots__ = ("_ask", "_heard", "_known", "_member", "_replica", "follower")

    def __init__(
        self, handle: Callable[[int, Confirmations], object], replica: Replica, member: str,
        ask: Callable[[int], Confirmations | None],
    ) -> None:  # fmt: skip
        super().__init__(handle)
        self._replica = replica
        self._member = member
        self._ask = ask
        self._heard, self._known = replica.marks_heard, replica.all_marks
        self.follower: Callable[[], None] = _nothing

    @property
    def is_behind(self) -> bool:
        """Whether marks have moved."""
        return self._replica.marks_heard > self._heard and not self.has_ended()

    def run(self) -> None:
        """See `Handler`."""
        self._heard = self._replica.marks_heard
        before, self._known = self._known, self._replica.all_marks
        for id in sorted({id for member in self._known for id in self._confirmed_by(member, before)}):
            if self.has_ended() or self.stopped:
                return
            try:
                confirmations = self._ask(id)
            except PyroChatError as error:  # the room is away, or the chat has been left
                log.debug("the confirmations of message #%d could not be asked for: %s", id, error)
                continue
            if confirmations is None:
                return
            try:
                _check_result(self._handle, self._handle(id, confirmations))
            except BaseException:
                if self.stopped:
                    raise
                _report_failure(self._handle, f"the confirmations of message #{id}")

    def _confirmed_by(self, member: str, before: Mapping[str, tuple[int, int]]) -> Iterator[int]:
        if member == self._member:
            return
        since = self._replica.first_joined(member)
        for old, new in zip(before.get(member, (0, 0)), self._known[member], strict=True):
            if new > old and (id := self._replica.newest_own(self._member, max(old, since), new)):
                yield id


class EventHandler(Handler):
    """Called with each event that was added, in order; one that is very slow misses the oldest.

    what: says what the events are, in a report. most: events that wait.
    """

    __slots__ = ("_missed", "_waiting", "_what")

    def __init__(self, handle: Callable[..., object], what: str, most: int = MOST_WAITING) -> None:
        super().__init__(handle)
        self._what = what
        self._waiting: deque[tuple[object, ...] | threading.Event] = deque(maxlen=most)  # an Event is for `flush`
        self._missed = 0

    @property
    def is_behind(self) -> bool:
        """Whether there are events for it."""
        return bool(self._waiting)

    def add(self, *event: object) -> None:
        """Something has happened. Any thread may call this."""
        self._missed += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(event)

    def flush(self) -> threading.Event:
        """An event that is set, at a later turn, when all that was added before has been handled."""
        flushed = threading.Event()
        self._waiting.append(flushed)
        return flushed

    def run(self) -> None:
        """See `Handler`."""
        for _ in range(len(self._waiting)):  # what comes meanwhile is for the next turn
            event = self._waiting.popleft()
            if isinstance(event, threading.Event):
                event.set()
                continue
            if self.has_ended():
                continue
            try:
                _check_result(self._handle, self._handle(*event))
            except BaseException:
                if self.stopped:
                    raise
                _report_failure(self._handle, f"{self._what} {event[0]!r:.100}")
            if self.stopped:
                return
        if self._missed and not self.has_ended():
            log.warning("the handler %r was too slow for %d of what it was for", _name_of(self._handle), self._missed)
            self._missed = 0
