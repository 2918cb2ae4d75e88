"""The life of a plain client: what is typed is read here, and done in a thread of its own.

So the end is noticed while a send waits for the room, whichever way it comes: the input's end, ``/quit``, a signal, or
an output that nobody reads any more. Then what was typed before is still sent and waited for, while the room can be
reached; what is not sent in time is said.
"""

import contextlib
import os
import select
import socket
import stat
import threading
from collections import deque

from pyrochat.clock import monotonic
from pyrochat.terminal.streams import input_groups
from pyrochat.terminal.typed import Typist

PATIENCE_SECONDS = 5.0  # without progress and without the room; that a server hangs is noticed after 6
HURRY_SECONDS = 6.0  # after a signal, whatever there is left to do
_LOOK_SECONDS = 0.2
_MOST_AHEAD_BYTES = 1 << 20  # read and not done yet


class PlainLoop:
    """Reads *typed*, a descriptor, until an end, and leaves the chat. output: the descriptor that *client* writes to, if it writes.

    typed: None reads nothing: then only a signal ends it, an output that nobody reads, or a room that won't have us back.
    patience, hurry: seconds, see above.
    """

    def __init__(
        self, client: Typist, typed: int | None, output: int | None,
        patience: float = PATIENCE_SECONDS, hurry: float = HURRY_SECONDS,
    ) -> None:  # fmt: skip
        self._client = client
        client.output_lost = self.wake
        self._input = typed
        self._output = output
        self._patience = patience
        self._hurry = hurry
        self._waker, self._wakes = socket.socketpair()  # a byte in it ends a wait for input
        for end in (self._waker, self._wakes):
            end.setblocking(False)
        self._interrupts = 0
        self._interrupted_at = 0.0
        self._is_last_read = False
        self._has_quit = False
        self._is_cut = False  # nobody reads the output any more
        self._handing_over = threading.Condition()  # guards the next
        self._waiting: deque[list[str] | None] = deque()  # what was read; None: the end
        self._read_bytes = 0  # a thread of its own writes each of these two
        self._done_bytes = 0
        self._defect: BaseException | None = None
        self._worker = threading.Thread(target=self._work, name="pyrochat-typed", daemon=True)

    def interrupt(self) -> None:
        """A signal: come to an end; the second one: at once. For a signal's handler: takes no lock."""
        self._interrupts += 1
        self._interrupted_at = self._interrupted_at or monotonic()
        self.wake()

    def wake(self) -> None:
        """Something has changed. Any thread may call this, also after `close`."""
        with contextlib.suppress(OSError):  # full: it is awake anyway. Closed: it has ended
            self._wakes.send(b"!")

    @property
    def wakes(self) -> int:
        """A descriptor in which a byte does what `wake` does."""
        return self._wakes.fileno()

    def run(self) -> None:
        """Until the end, whichever way it comes."""
        self._client.start()
        self._worker.start()
        if self._input is None:
            self._follow()
        else:
            for group in input_groups(self._input, self._is_ready):
                self._read_bytes += sum(map(len, group))
                self._hand_over(group)
        self._hand_over(None)
        is_settled = self._wait_until_settled()
        if self._defect is not None:
            raise self._defect
        if self._worker.is_alive():
            self._client.give_up(line for group in self._take_back() for line in group)
        elif not is_settled:
            self._client.say_not_back()
        self._client.leave(timeout=None if is_settled else 0.0)

    def close(self) -> None:
        """Close what `wake` writes to."""
        self._waker.close()
        self._wakes.close()

    # -- reading ---------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Wait for an end without reading."""
        self._client.on_change(self.wake)
        while not self._is_over and not self._is_hopeless:
            self._take_events(self._poll(None))
        self._client.failed |= self._is_hopeless

    def _is_ready(self) -> bool:
        """Wait for input; False at an end. What was typed before a signal, or before the output was cut, is read first."""
        while not self._is_over:
            if self._take_events(self._poll(_LOOK_SECONDS if self._is_ahead else None)):
                return True
        assert self._input is not None
        if self._has_quit or self._is_last_read or stat.S_ISREG(os.fstat(self._input).st_mode):
            return False
        self._is_last_read = True
        return any(descriptor == self._input for descriptor, _ in self._poll(0.0))

    @property
    def _is_over(self) -> bool:
        return bool(self._has_quit or self._interrupts or self._is_cut or self._client.output_error)

    def _take_events(self, events: list[tuple[int, int]]) -> bool:
        """Take in what *events* say; whether there is input."""
        has_input = False
        for descriptor, event in events:
            if descriptor == self._output:
                self._is_cut = True
            elif descriptor == self._waker.fileno():
                self._waker.recv(4096)
            else:
                has_input = has_input or bool(event)
        return has_input

    def _poll(self, seconds: float | None) -> list[tuple[int, int]]:
        poll = select.poll()
        poll.register(self._waker, select.POLLIN)
        if self._output is not None:
            poll.register(self._output, 0)  # whether its other end is closed
        if self._input is not None and not self._is_ahead:
            poll.register(self._input, select.POLLIN)
        return poll.poll(None if seconds is None else seconds * 1000)

    @property
    def _is_ahead(self) -> bool:
        """Whether so much was read, and is not done, that no more is read now."""
        return self._read_bytes - self._done_bytes >= _MOST_AHEAD_BYTES

    # -- doing -----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while (size := self._take()) is not None:
                if not self._client.do_taken():
                    self._has_quit = True
                    return
                self._done_bytes += size
        except BaseException as error:  # a defect: it is told where everything ends
            self._defect = error
            self._has_quit = True
        finally:
            self.wake()
            self._client.touch()

    def _hand_over(self, group: list[str] | None) -> None:
        with self._handing_over:
            self._waiting.append(group)
            self._handing_over.notify()

    def _take(self) -> int | None:
        """Have the client take what was read next; its characters, None at the end. It is with the one or with the other."""
        with self._handing_over:
            self._handing_over.wait_for(lambda: self._waiting)
            group = self._waiting.popleft()
            if group is None:
                return None
            self._client.take(group)
            return sum(map(len, group))

    def _take_back(self) -> list[list[str]]:
        """What was read and the client has not taken."""
        with self._handing_over:
            groups = [group for group in self._waiting if group is not None]
            self._waiting = deque([None])
            self._handing_over.notify()
            return groups

    # -- the end ---------------------------------------------------------------------------------------------

    def _wait_until_settled(self) -> bool:
        """Wait until all that was typed is done, and what was sent was delivered back and shown; False where it is given up."""
        before, since = None, monotonic()
        while not self._is_settled():
            now, progress = monotonic(), (self._done_bytes, self._client.shown)
            if progress != before:
                before, since = progress, now
            if self._interrupts > 1 or (self._interrupts and now - self._interrupted_at > self._hurry):
                return False
            is_away = self._client.state != "connected"
            if is_away and (now - since > self._patience or (self._is_hopeless and not self._worker.is_alive())):
                return False
            self._client.wait_for_change(_LOOK_SECONDS)
        return True

    def _is_settled(self) -> bool:
        """All is done, and all that is to be shown is shown, as far as somebody reads it."""
        is_shown = self._client.has_shown(only_sent=bool(self._interrupts))
        return not self._worker.is_alive() and (is_shown or self._is_cut or self._client.output_error is not None)

    @property
    def _is_hopeless(self) -> bool:
        """The room won't have us back: what was typed is told to be refused, and nothing more comes."""
        return self._client.state in ("refused", "closed")
