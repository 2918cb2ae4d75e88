"""The outbox: what this client has to tell the room, sent in order and once.

Single texts that are sent while a call is under way share the next one; a list has a call of its own, because its
key stands for the whole of it. Each send has a key (client id and counter), so a call whose answer was lost can be
repeated until its fate is known. The read mark travels here too when no delivery's answer has carried it in time.
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from pyrochat.asides import aside_logger
from pyrochat.client.answers import MARK_READ, POST, POST_MANY, Question
from pyrochat.client.reading import Reading
from pyrochat.client.replica import Replica
from pyrochat.client.session import ClientSession
from pyrochat.clock import monotonic
from pyrochat.pyro.callbacks import CallbackServer
from pyrochat.threads import Defects, go_on, is_our_thread
from pyrochat.values.errors import (
    ChatClosed,
    DiskFull,
    InvalidInput,
    LogUnavailable,
    LogUncertain,
    PyroChatError,
    RateLimited,
    RoomClosing,
    SendTimeout,
    ServerFault,
)
from pyrochat.values.message import CHAT, Message
from pyrochat.values.rules import MAX_BATCH_BYTES, MAX_BATCH_TEXTS, MAX_KEY_CHARACTERS

log = aside_logger(__name__)

_defects = Defects(log)

_AGAIN_SECONDS = 0.1
_LIMITED_TEXTS = 50
_MAJORITYS_SECONDS = 6.0  # that a room on several servers may take to say something
_PATIENCE_SECONDS = 3.5  # with one server of several that can't get a text into the log; no more than it has itself


class _NothingToSend(Exception):
    """All that was to be handed over was withdrawn."""


class _Sending:
    """Texts that have to get consecutive places; one call of `send` or `send_many`.

    kind, about: of one text, where it is about an earlier message. may_be_known: the key is the caller's: something may have been stored under it before.
    """

    def __init__(
        self, texts: Sequence[str], key: str, may_be_known: bool, kind: str = CHAT, about: int | None = None
    ) -> None:
        self.texts = texts
        self.key = key
        self.may_be_known = may_be_known
        self.kind, self.about = kind, about
        self.has_call_of_its_own = len(texts) > 1 or about is not None
        self.size = sum(map(len, texts)) * 4 + len(texts) * MAX_KEY_CHARACTERS  # bytes at the most
        self.begun = False  # handed over: from then on only the room knows whether it is stored
        self.withdrawn = False  # it was not, and will not be
        self.is_uncertain = False  # it was told once that it may be stored
        self.is_callers = False  # it is being sent by the thread that waits for it
        self.done = threading.Event()
        self.messages: list[Message] = []
        self.error: PyroChatError | None = None


def _not_acknowledged(sending: _Sending, seconds: float | None) -> str:
    if sending.withdrawn:
        return f"not handed over within {seconds:g} s, and withdrawn: it is not sent"
    return (
        f"not acknowledged within {seconds:g} s: whether it was sent is unknown; sending it again with its key is safe"
    )


class Outbox:
    """Sends for one chat, one call at a time: in the thread of whoever sends, or, while that is busy, in one of its own."""

    def __init__(
        self, session: ClientSession, replica: Replica, reading: Reading, on_notice: Callable[[str], None],
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:  # fmt: skip
        self._patience_seconds = patience_seconds
        self._session = session
        self._replica = replica
        self._reading = reading
        self._on_notice = on_notice
        # Ordered in time, so that the index of keys in the log grows at its end.
        self._client_id = f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(6)}"
        self._changed = threading.Condition()  # guards what follows
        self._waiting: deque[_Sending] = deque()
        self._counter = 0
        self._mark_set = False  # an alarm is set, at which the mark is told if nobody has told it by then
        self._mark_due = False
        self._most_texts = MAX_BATCH_TEXTS  # in one call; fewer while the room limits us
        self._busy = False  # something is on its way
        self._is_waiting = False  # for a server that can get a text into the log: it was said
        self._closing = False
        self._thread: threading.Thread | None = None
        self.acknowledged = 0  # the highest id that the room has given to one of ours

    # -- from the user's threads -------------------------------------------------------------------------

    def send(
        self, texts: Sequence[str], key: str | None, timeout: float | None, kind: str = CHAT, about: int | None = None
    ) -> list[Message]:
        """Send and wait for the messages; raises SendTimeout, ChatClosed, and what the room raises.

        What ends the wait (Ctrl-C, a signal's handler that raises) reaches the caller as it is. A text that was not
        handed over by then is withdrawn; of one that was, the exception's notes tell the key.
        """
        if is_our_thread():
            raise PyroChatError(
                "this thread is PyroChat's own, and a send would wait for it: hand over to a thread of yours (for log "
                "records, logging.handlers.QueueHandler does)"
            )
        sending = _Sending(texts, self._new_key() if key is None else key, key is not None, kind, about)
        try:
            self._hand_in(sending, timeout)
            if not sending.done.wait(timeout):
                self._withdraw(sending)
                if not sending.done.is_set():
                    raise SendTimeout(_not_acknowledged(sending, timeout), sending.key)
        except SendTimeout:
            raise
        except BaseException as interruption:
            self._withdraw(sending)
            if sending.begun and sending.error is None:  # also where our thread has sent it again by now
                interruption.add_note(
                    f"the text was on its way: send it again with key={sending.key!r}, and it appears once"
                )
            raise
        if sending.error is not None:
            raise sending.error
        return sending.messages

    def _hand_in(self, sending: _Sending, timeout: float | None) -> None:
        """Send at once, in this thread, where nothing else is on its way: two changes of threads less for a message."""
        at_once = False
        try:
            with self._changed:
                if self._closing:
                    raise ChatClosed("the chat has been left")
                self._waiting.append(sending)
                if timeout is None and not self._busy and len(self._waiting) == 1:
                    at_once = self._busy = True
                else:
                    self._start()
                    self._changed.notify_all()
            if at_once:
                sending.is_callers = True
                self._post([sending])
                sending.is_callers = False  # if it still waits, it is the thread's now
        finally:
            if at_once:
                self._pause()

    def _withdraw(self, sending: _Sending) -> None:
        """Nobody waits for *sending* any more: if it was not handed over, it never is."""
        with self._changed:
            sending.withdrawn = not sending.begun
            if sending in self._waiting and (sending.withdrawn or sending.is_callers):
                self._waiting.remove(sending)

    def mark(self) -> None:
        """The read mark has moved: tell the room soon, unless an answer does."""
        if self._mark_set:
            return
        with self._changed:
            if self._mark_set or self._closing:
                return
            self._mark_set = True
        self._look_later(self._mark_delay())

    def _look_later(self, seconds: float) -> None:
        CallbackServer.of_this_process().call_later(seconds, self._look_at_mark)

    def _look_at_mark(self) -> None:
        """The alarm; deliveries may have kept coming, and their answers may have told the mark."""
        again = self._reading.told_at + self._mark_delay() - monotonic()
        if again > 0:
            self._look_later(again)
            return
        with self._changed:
            self._mark_set = False
            if not self._closing and self._reading.untold:
                self._mark_due = True
                self._start()
                self._changed.notify_all()

    def _mark_delay(self) -> float:
        return min(max(self._replica.member_count / 1000, 0.03), 1.0)

    @property
    def pending(self) -> int:
        """How many texts wait to be acknowledged."""
        with self._changed:
            return sum(len(sending.texts) for sending in self._waiting)

    def close(self, timeout: float) -> None:
        """Wait at most *timeout* seconds for what is waiting, then end; what is left is failed."""
        with self._changed:
            self._closing = True  # a mark that is due is told by the call that leaves
            self._changed.notify_all()
            self._changed.wait_for(lambda: not (self._waiting or self._mark_due or self._busy), timeout)

    def give_up(self) -> None:
        """Fail what is still waiting: the session has ended."""
        with self._changed:
            self._closing = True
            for sending in self._waiting:
                sending.error = SendTimeout("the chat was left before this was acknowledged", sending.key)
                sending.done.set()
            self._waiting.clear()
            self._changed.notify_all()

    def _new_key(self) -> str:
        self._counter += 1
        return f"{self._client_id}-{self._counter:08x}"

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="pyrochat-outbox", daemon=True)
            self._thread.start()

    # -- the thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        go_on(self._work, "the outbox", _defects)

    def _work(self) -> bool:
        """Send what waits, when it is the thread's turn; False at the end."""
        with self._changed:
            while self._busy or not (self._waiting or self._mark_due):
                if self._closing and not self._busy:
                    return False
                self._changed.wait()
            self._busy = True
            group = self._next_group()
            mark, self._mark_due = self._mark_due, False
        try:
            if group:
                self._post(group)
            if mark:
                self._tell_mark()
        finally:  # whatever went wrong: who comes next must not take it for still going on
            self._pause()
        return True

    def _pause(self) -> None:
        """What was on its way has arrived; if there is more, it is the thread's turn."""
        with self._changed:
            self._busy = False
            if self._waiting or self._mark_due:
                self._start()
            self._changed.notify_all()

    def _next_group(self) -> list[_Sending]:
        group: list[_Sending] = []
        count = size = 0
        for sending in self._waiting:
            count += len(sending.texts)
            size += sending.size
            if group and (sending.has_call_of_its_own or count > self._most_texts or size > MAX_BATCH_BYTES):
                break
            group.append(sending)
            if sending.has_call_of_its_own:
                break
        return group

    def _post(self, group: list[_Sending]) -> None:
        try:
            self._post_together(group)
        except _NothingToSend:
            return
        except (InvalidInput, LogUnavailable) as error:
            # All were refused for one: find out which. Their keys make the repeat safe.
            is_of_all = isinstance(error, LogUnavailable) and not any(sending.may_be_known for sending in group)
            if len(group) == 1 or is_of_all:
                self._finish(group, error)
                return
            for sending in group:
                self._post([sending])
        except RateLimited as error:  # they stay where they are, and go out again in smaller groups
            with self._changed:
                for sending in group:
                    sending.begun = False
            is_news, self._most_texts = self._most_texts == MAX_BATCH_TEXTS, _LIMITED_TEXTS
            if is_news:
                self._on_notice(f"the room limits what you send ({error}): the rest waits, and goes out by itself")
            time.sleep(min(error.retry_seconds, _AGAIN_SECONDS * 10))
        except ChatClosed:
            self.give_up()
        except PyroChatError as error:
            self._finish(group, error)
        except Exception as error:  # a defect: whoever waits must not wait for ever
            if any(sending.is_callers for sending in group):  # or a signal's handler has raised it: it is the caller's
                raise
            _defects.tell("a send", error)
            self._finish(group, PyroChatError(f"internal error: {error!r}"))
        else:
            self._finish(group, None)
            if not self._waiting:
                self._most_texts = MAX_BATCH_TEXTS

    def _post_together(self, group: list[_Sending]) -> None:
        since, moves = monotonic(), 0
        while True:
            try:
                messages = self._session.hand_over(lambda: self._begin(group))
                break
            except RoomClosing as error:  # it comes back, or another does
                if self._session.round.is_cluster:
                    self._session.move_on(str(error))
            except DiskFull as error:  # of this server
                if not self._session.round.is_cluster or moves >= self._session.round.count:
                    raise
                self._session.move_on(str(error))
                moves += 1
            except LogUnavailable as error:  # without a majority, or by this server alone
                if not self._session.round.is_cluster:
                    raise
                self._say_that_it_waits(group, error)
                if monotonic() - since >= self._patience_seconds:
                    self._session.move_on(str(error))
                    since = monotonic()
            time.sleep(_AGAIN_SECONDS)
        self._is_waiting = False
        count = sum(len(sending.texts) for sending in group)
        if len(messages) != count:
            raise ServerFault(f"the server answers {count:,} texts with {len(messages):,} messages")
        start = 0
        for sending in group:
            sending.messages = messages[start : start + len(sending.texts)]
            start += len(sending.texts)
        self.acknowledged = max(self.acknowledged, *(message.id for message in messages))

    def _say_that_it_waits(self, group: list[_Sending], error: LogUnavailable) -> None:
        for sending in group:
            sending.is_uncertain = sending.is_uncertain or isinstance(error, LogUncertain)
        if not self._is_waiting:
            self._is_waiting = True
            self._on_notice(f"what you send waits, and goes out by itself ({error})")

    def _begin(self, group: list[_Sending]) -> tuple[Question[list[Message]], tuple[object, ...]]:
        """The call that hands *group* over, without what was withdrawn meanwhile. Raises _NothingToSend."""
        with self._changed:
            group[:] = [sending for sending in group if not sending.withdrawn]
            for sending in group:
                sending.begun = True
        if not group:
            raise _NothingToSend
        texts = [text for sending in group for text in sending.texts]
        if group[0].about is not None:
            return POST, (texts[0], group[0].key, group[0].about, group[0].kind)
        if len(texts) == 1:
            return POST, (texts[0], group[0].key)
        return POST_MANY, (texts, group[0].key if len(group) == 1 else [sending.key for sending in group])

    def _finish(self, group: list[_Sending], error: PyroChatError | None) -> None:
        with self._changed:
            for sending in group:
                if isinstance(error, LogUncertain) or (error is not None and sending.is_uncertain):
                    error = LogUncertain(str(error))  # one for each: it has the key
                    error.key = sending.key
                sending.error = error
                sending.done.set()
                if sending in self._waiting:
                    self._waiting.remove(sending)
            self._changed.notify_all()

    def _tell_mark(self) -> None:
        if not self._reading.untold:
            return
        try:
            seconds = _MAJORITYS_SECONDS if self._session.round.is_cluster else _AGAIN_SECONDS
            self._session.ask(MARK_READ, self._reading.tell(), timeout=seconds)
        except PyroChatError as error:
            log.debug("the read mark was not taken: %s", error)
            if error.may_pass:
                self._reading.forget_told()  # so it is told again
