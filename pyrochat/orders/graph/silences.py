"""What people are told of sites that are not heard of, and are back: of all that a split has cut off, once."""

import threading
from collections.abc import Callable
from typing import NamedTuple

from pyrochat.clock import monotonic

_BACK_TICKS = 5  # that those who are back first wait for the others of a split


class _Silence(NamedTuple):
    label: str
    since: float
    known: int  # messages of that site that were here then


class Silences:
    """Any thread may call it. tell: lets people know. known: how many messages of a site are here. tick_seconds: in which sites that
    are cut off together are missed. timer: what `threading` calls so."""

    def __init__(
        self, tell: Callable[[str], None], known: Callable[[str], int], tick_seconds: float,
        timer: Callable[[float, Callable[[], None]], threading.Timer] = threading.Timer,
    ) -> None:  # fmt: skip
        self._tell, self._known, self._tick_seconds, self._timer = tell, known, tick_seconds, timer
        self._mutex = threading.Lock()  # guards all that follows
        self._silent: dict[str, _Silence] = {}
        self._untold: set[str] = set()  # of those
        self._back: dict[str, _Silence] = {}
        self._timers: dict[Callable[[], None], threading.Timer] = {}

    def begin(self, site: str, label: str, since: float) -> None:
        """Nothing was heard of *site* since then, on `monotonic`. Idempotent."""
        with self._mutex:
            if site in self._silent:
                return
            if site in self._back:  # and nobody was told so
                self._silent[site] = self._back.pop(site)
                return
            self._silent[site] = _Silence(label, since, self._known(site))
            self._untold.add(site)
            self._later(self._tick_seconds, self._say_silent)

    def end(self, site: str) -> None:
        """*site* is there, and all that it has is here. Idempotent."""
        with self._mutex:
            silence = self._silent.pop(site, None)
            if silence is not None and site not in self._untold:
                self._back[site] = silence
                self._later(_BACK_TICKS * self._tick_seconds, self._say_back)
            self._untold.discard(site)
            is_last = bool(self._back) and not self._silent
        if is_last:
            self._say_back()

    def close(self) -> None:
        """Say no more. Idempotent."""
        with self._mutex:
            for timer in self._timers.values():
                timer.cancel()

    def _later(self, seconds: float, say: Callable[[], None]) -> None:
        if say not in self._timers:
            timer = self._timers[say] = self._timer(seconds, say)
            timer.daemon = True
            timer.start()

    def _said(self, say: Callable[[], None]) -> None:
        if (timer := self._timers.pop(say, None)) is not None:
            timer.cancel()

    def _say_silent(self) -> None:
        with self._mutex:
            self._said(self._say_silent)
            labels = sorted(self._silent[site].label for site in self._untold)
            self._untold.clear()
        if labels:
            are, come = ("is", "it is") if len(labels) == 1 else ("are", "they are")
            self._tell(f"{_named(labels)} {are} not heard of: what is said there comes when {come}")

    def _say_back(self) -> None:
        with self._mutex:
            self._said(self._say_back)
            back, self._back = self._back, {}
        if back:
            labels = sorted(silence.label for silence in back.values())
            seconds = max(1, round(monotonic() - min(silence.since for silence in back.values())))
            count = sum(self._known(site) - silence.known for site, silence in back.items())
            number = {0: "nothing was", 1: "1 message was"}.get(count, f"{count} messages were")
            are = "is" if len(labels) == 1 else "are"
            self._tell(f"{_named(labels)} {are} back after {_duration(seconds)}: {number} written there meanwhile")


def _named(labels: list[str]) -> str:
    return f"the site{'s' * (len(labels) > 1)} {', '.join(labels)}"


def _duration(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
