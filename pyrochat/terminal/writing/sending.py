"""The way out: texts go to the room one after the other, in a thread of their own, and wait for it where need be."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable

from pyrochat.client.chat import Chat
from pyrochat.terminal.writing.drafts import Unsent
from pyrochat.threads import Defects, go_on
from pyrochat.values.errors import ChatClosed, PyroChatError, SendTimeout

_defects = Defects(logging.getLogger("pyrochat"))


class Sending:
    """changed: called, in that thread, when something has been sent. refused: with a text that the room did not take."""

    def __init__(
        self, chat: Chat, changed: Callable[[], None], refused: Callable[[Unsent, PyroChatError], None]
    ) -> None:
        self._chat = chat
        self._told_changed = changed
        self._tell_refused = refused
        self._changed = threading.Condition()  # guards what follows
        self._waiting: deque[Unsent] = deque()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="pyrochat-sending", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> tuple[Unsent, ...]:
        """What is not in the log yet, as far as we know, in order."""
        with self._changed:
            return tuple(self._waiting)

    def add(self, texts: Iterable[Unsent]) -> None:
        """Send *texts*, after what waits."""
        with self._changed:
            self._waiting.extend(texts)
            self._changed.notify()

    def end(self, timeout: float) -> tuple[Unsent, ...]:
        """Leave the chat, after at most *timeout* seconds for what is waiting; what is left of it."""
        with self._changed:
            if self._chat.state == "connected":
                self._changed.wait_for(lambda: not self._waiting, timeout)
            self._ended = True
            self._changed.notify()
        self._chat.leave()
        self._thread.join(timeout)
        return self.waiting

    def _run(self) -> None:
        go_on(self._send_next, "sending", _defects, is_ours=False)

    def _send_next(self) -> bool:
        """Send what is first, when there is something; False at the end. What fails for no known reason stays first."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            if self._ended:
                return False
            unsent = self._waiting[0]
        refused: PyroChatError | None = None
        try:
            self._chat.send(unsent.text, key=unsent.key)
        except (ChatClosed, SendTimeout):
            return False  # it stays: next time it goes out under the same key
        except PyroChatError as error:
            refused = error
        try:
            if refused is not None:
                self._tell_refused(unsent, refused)
        finally:
            with self._changed:
                self._waiting.popleft()
                self._changed.notify_all()
        self._told_changed()
        return True
