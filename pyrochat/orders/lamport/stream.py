"""One stream of a totally ordered room: see `replicated.stream`."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from pyrochat.clock import monotonic
from pyrochat.orders.lamport.site import LamportSite
from pyrochat.orders.replicated.stream import Event, Fate, Stream
from pyrochat.values.errors import LogUnavailable

T = TypeVar("T")
_ASK_SECONDS = 4.0
_LOOK_SECONDS = 0.02
_FIRST = "first"


class SiteStream(Stream):
    """The stream *name*, which has no ``/``, at *site*."""

    gone = "nothing of the room is here yet"
    is_slow = "the sites of the room have not agreed yet: your text waits"

    def __init__(self, site: LamportSite, name: str) -> None:
        self._site, self._name = site, name
        self._event: Callable[[Event], None] | None = None

    def begin(self, first: bytes) -> bytes:
        came = threading.Event()
        site = self._site
        site.do(lambda: site.publish(self._name, first, _FIRST, lambda fate: None))  # whose it is: the first counts
        until = monotonic() + _ASK_SECONDS
        site.do(lambda: self._wait_for_first(came, until))
        found = self.first() if came.wait(_ASK_SECONDS) else None
        if found is None:
            raise LogUnavailable("the sites of the room have not agreed yet")
        return found

    def _wait_for_first(self, came: threading.Event, until: float) -> None:
        if self._site.streams.count(self._name):
            came.set()
        elif monotonic() < until:
            threading.Timer(_LOOK_SECONDS, self._site.do, [lambda: self._wait_for_first(came, until)]).start()

    def first(self) -> bytes | None:
        return self._asked(lambda: self._site.streams.text(self._name, 1))

    def _asked(self, question: Callable[[], T]) -> T:
        answers: list[T] = []
        done = threading.Event()

        def ask() -> None:
            answers.append(question())
            done.set()

        self._site.check_open()
        self._site.do(ask)
        if not done.wait(_ASK_SECONDS):
            raise LogUnavailable("the site doesn't answer")
        return answers[0]

    def erase(self, commitments: Sequence[str]) -> None:
        """The texts that these stand for are on no disk of this site any more. Raises LogUnavailable."""
        self._asked(lambda: self._site.erase(commitments))

    def count(self) -> int:
        """How many messages of it are here. Raises LogUnavailable."""
        return self._asked(lambda: self._site.streams.count(self._name))

    def publish(self, data: bytes, id: str, then: Callable[[Fate], None]) -> None:
        self._site.do(lambda: self._site.publish(self._name, data, id, then))

    def follow(self, after: int, event: Callable[[Event], None]) -> None:
        self._event = event
        self._site.do(lambda: self._site.follow(self._name, after, event))

    def put(self, label: str, data: bytes, then: Callable[[Fate], None]) -> None:
        self._site.do(lambda: self._site.put(self._name, label, data, then))

    def hear_all(self, then: Callable[[bool], None]) -> None:
        self._site.do(lambda: self._site.hear_all(then))

    def close(self) -> None:
        if (event := self._event) is not None:
            self._site.do(lambda: self._site.streams.forget(self._name, event))
