"""What goes wrong beside the messages, told to the operator once for each kind, and again when it comes back."""

import logging
import threading

from pyrochat.clock import monotonic

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 60.0


class Troubles:
    """The troubles of *whose*, a word or two with which each line begins. Any thread may call.

    again_seconds: what is over and comes back sooner is not told again: on a damaged disk every other call may fail.
    """

    def __init__(self, whose: str, again_seconds: float = _AGAIN_SECONDS) -> None:
        self._whose = whose
        self._again_seconds = again_seconds
        self._mutex = threading.Lock()  # guards the next two
        self._current: set[str] = set()
        self._told_at: dict[str, float] = {}

    def say(self, kind: str, text: str, level: int = logging.WARNING) -> None:
        """*text* tells a trouble of this *kind*; logged unless that is known."""
        now = monotonic()
        with self._mutex:
            is_known = (
                kind in self._current or now < self._told_at.get(kind, -self._again_seconds) + self._again_seconds
            )
            self._current.add(kind)
            if is_known:
                return
            self._told_at[kind] = now
        log.log(level, "%s: %s", self._whose, text)

    def over(self, kinds: str = "") -> None:
        """What begins with *kinds* has just worked."""
        if self._current:
            with self._mutex:
                self._current = {kind for kind in self._current if not kind.startswith(kinds)}
