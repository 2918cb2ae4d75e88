"""A client's session with its room: joined once, and taken up again whenever the connection is lost.

Two connections to the room's one port: on one we call the room, on the other, turned around, the room
calls us. Whichever is lost, both are made anew, and the session goes on at the replica's end.
"""

import contextlib
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from pyrochat.asides import aside_logger
from pyrochat.client.answers import JOIN, LEAVE, STANDING, Joined, Question, ask
from pyrochat.client.callback import Callback
from pyrochat.client.credentials import Credentials
from pyrochat.client.finding import Finder
from pyrochat.client.reading import Reading
from pyrochat.client.replica import Replica
from pyrochat.client.round import Round
from pyrochat.client.stalling import Stalling
from pyrochat.client.unnumbered import Unnumbered
from pyrochat.clock import monotonic
from pyrochat.pyro.callbacks import CallbackServer, Served
from pyrochat.pyro.remote import RemoteObject
from pyrochat.threads import Defects, go_on
from pyrochat.values.addresses import Address, shown_address
from pyrochat.values.errors import (
    CannotHost,
    ChatClosed,
    LogProblem,
    LogUnavailable,
    OtherLog,
    PyroChatError,
    Refused,
    RoomClosing,
    RoomSilent,
    RoomUnreachable,
    ServerFault,
    TooManyAttempts,
    UntrustedServer,
    WaitTimeout,
)
from pyrochat.values.message import Message
from pyrochat.values.protocol import CALLBACK_OBJECT, Timing

log = aside_logger(__name__)

_defects = Defects(log)

Value = TypeVar("Value")

CONNECTED = "connected"
RECONNECTING = "reconnecting"
REFUSED = "refused"
CLOSED = "closed"

ASK_SECONDS = 10.0  # that whoever asks the room something waits while it can't be reached
CALL_SECONDS = 10.0
_AGAIN_SECONDS = 0.1
FIRST_BACKOFF_SECONDS = 0.05
MOST_BACKOFF_SECONDS = 2.0
_PATIENT_ATTEMPTS = 4


class ClientSession:
    """Keeps one client in one room.

    finder: says where the room may be. on_state: called with ``(state, reason)`` whenever the state
    changes, on_notice with what the room says beside the log: in a thread that serves the network or comes back, and
    under our lock, so that states are told in order; on_unnumbered: see `Unnumbered`. All only pass it on. parting_seconds: see
    `close`. held_up: what keeps the room from going on, as it says; empty: nothing.
    """

    def __init__(
        self, credentials: Credentials, finder: Finder, replica: Replica, reading: Reading,
        on_state: Callable[[str, str], None], on_notice: Callable[[str], None], timing: Timing,
        parting_seconds: float = 3.0, on_unnumbered: Callable[[tuple[Message, ...], int], object] = lambda messages, after: None,
    ) -> None:  # fmt: skip
        self._parting_seconds = parting_seconds
        self._credentials = credentials
        self.round = Round(finder)
        self._replica = replica
        self._reading = reading
        self._on_state = on_state
        self._on_notice = on_notice
        self.unnumbered = Unnumbered(replica, on_unnumbered)
        self.held_up = ""
        self._timing = timing
        self._changed = threading.Condition()  # guards what follows
        self.state = RECONNECTING
        self.reason = ""
        self.address: Address = ("", 0)  # where the room was found last
        self.is_closed_room = False
        self._opening = Stalling(timing.progress_seconds, monotonic())
        self.known_log = ""  # the id of the log that this user knew here before we came
        self._connected_at = 0.0
        self._backoff = 0.0  # seconds before the next attempt to come back
        self._error: PyroChatError | None = None
        self._remote: RemoteObject | None = None
        self._served: Served | None = None
        self._session_id: str | None = None
        self.sessions = 1  # of our member, when we joined
        self._parting_reason = ""
        self._told: set[str] = set()  # why we are not back yet

    # -- opening ------------------------------------------------------------------------------------------

    def open(self) -> int:
        """Join; returns the log's end as it was then. Raises what keeps us out. `check_comes` says whether it comes."""
        patience = _PATIENT_ATTEMPTS
        first: PyroChatError | None = None
        while True:
            try:
                return self._connect()
            except TooManyAttempts:  # somebody else at our address mistypes
                patience -= 1
                if patience < 0:
                    raise
                time.sleep(1.0)
            except (RoomUnreachable, RoomClosing, CannotHost, LogUnavailable) as error:  # perhaps only there
                first = first or error
                if not self.round.next:
                    raise first from None

    def _connect(self) -> int:
        place = self.round.find()
        resume = None
        if self._session_id is not None:
            end = self._replica.end
            proof = self._replica.proof()
            resume = [self._session_id, self._replica.log_id, end, self._replica.digest(end).hex(), proof]
        with contextlib.ExitStack() as undo:
            remote, server_key = self._credentials.enter(place, self._session_id, self.round.seconds)
            undo.callback(remote.close)
            joined = ask(remote, JOIN, None, resume, seconds=CALL_SECONDS)
            standing = ask(remote, STANDING)
            if not self._replica.begin_chain(standing.origin):  # before anything is delivered from it
                raise OtherLog(
                    f"room {place.room!r} has another log now than the one that is here: join anew to get it"
                )
            line, _ = self._credentials.enter(place, joined.session_id, CALL_SECONDS)
            undo.callback(line.close)
            served = self._serve(line, joined, server_key, undo)
            self._reading.learn(min(standing.read, joined.tail))
            if self._session_id is None:
                self.sessions = joined.sessions
                self.known_log = self.round.known_log(place)
            self.round.let_in(place, server_key, remote.certificate, joined.log_id, joined.servers)
            with self._changed:
                if self.state == CLOSED:
                    raise ChatClosed("the chat has been left")
                if served.error is not None:  # before anybody listened to `_lost`
                    raise served.error
                self._remote, self._served, self.address = remote, served, place.address
                self.is_closed_room = place.closed is not None
                self.state, self.reason = CONNECTED, ""
                self._session_id, self._replica.log_id = joined.session_id, joined.log_id
                self._parting_reason = ""
                self._told.clear()
                self._connected_at = monotonic()
                self._changed.notify_all()
                self._tell_state(CONNECTED, "")
            undo.pop_all()
        self._expect(served, joined.tail)
        return joined.tail

    def _serve(self, line: RemoteObject, joined: Joined, server_key: bytes, undo: contextlib.ExitStack) -> Served:
        """Turn *line* around, and serve the room's calls on it; returns when the room has taken it up."""

        def lost(error: PyroChatError) -> None:
            callback.welcomed.set()  # don't wait for what won't come
            self._lost(served, error)

        def unreadable(error: ServerFault) -> None:
            server.break_off(served, error)

        self.unnumbered.replace(())
        self._hear_held_up("")
        callback = Callback(
            self._replica, self._reading, joined.log_id, server_key, self._heard_farewell, self._on_notice, unreadable,
            self.unnumbered, self._hear_held_up,
        )  # fmt: skip
        sock = line.call_and_turn_around("attach", joined.session_id, self._replica.end)
        server = CallbackServer.of_this_process()
        served = Served(sock, callback, CALLBACK_OBJECT, self._timing.silent_seconds, lost)
        server.serve(served)
        undo.callback(server.stop, served)
        self._reading.forget_told()
        if not callback.welcomed.wait(CALL_SECONDS) or served.ended:
            raise served.error or RoomUnreachable("the room did not take up the connection")
        return served

    @property
    def is_connected(self) -> bool:
        """Whether the room can be called right now, as far as we know."""
        return self.state == CONNECTED

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come: we have left, or the room won't have us back."""
        return self.state in (CLOSED, REFUSED)

    # -- calling --------------------------------------------------------------------------------------------

    def ask(self, question: Question[Value], *arguments: object, timeout: float | None = None) -> Value:
        """Ask the room; waits for a connection, and asks again where one is lost, and only then.

        So *question* has to be one that may be asked twice. Raises WaitTimeout after *timeout* seconds
        without an answer, ChatClosed, ServerFault for an answer that makes no sense, and what the room raises.
        """
        return self.hand_over(lambda: (question, arguments), timeout)

    def ask_again(self, question: Question[Value], *arguments: object, timeout: float | None = None) -> Value:
        """The same, and again while a room on several servers has no majority for what is asked."""
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - monotonic())
            try:
                return self.ask(question, *arguments, timeout=left)
            except LogUnavailable as error:
                if not self.round.is_cluster:
                    raise
                if deadline is not None and monotonic() + _AGAIN_SECONDS >= deadline:
                    raise WaitTimeout(f"not within {timeout:g} s: {error}") from error
            time.sleep(_AGAIN_SECONDS)

    def hand_over(
        self, prepare: Callable[[], tuple[Question[Value], tuple[object, ...]]], timeout: float | None = None
    ) -> Value:
        """The same; what to ask, and with what, is said by *prepare* when there is a connection, right before the call."""
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            remote = self._wait_for_remote(deadline)
            question, arguments = prepare()
            left = CALL_SECONDS if deadline is None else min(CALL_SECONDS, max(0.0, deadline - monotonic()))
            try:
                return ask(remote, question, *arguments, seconds=left)
            except RoomUnreachable as error:  # also where time is over: what comes after is no answer to anything
                self._lost(remote, error)

    @property
    def refusal(self) -> PyroChatError | None:
        """What keeps us out for good, if anything does."""
        return self._error

    def check_not_refused(self) -> None:
        """Raise what keeps us out for good, if anything does."""
        if self._error is not None:
            raise self._error

    def check_comes(self, tail: int) -> None:
        """While a history up to *tail* should come: raise what keeps us out for good, or RoomSilent where it has stopped."""
        self.check_not_refused()
        if not self._seconds_left(self._opening, self._served):
            raise RoomSilent(self._stalled(self._opening, tail))

    def _seconds_left(self, stalling: Stalling, served: Served | None) -> float:
        return stalling.left(self._replica.end, served.partly_at if served else 0.0, monotonic())

    def _stalled(self, stalling: Stalling, tail: int) -> str:
        meanwhile = f" ({self.reason})" if self.reason else ""
        return (
            f"the room answers, but its messages do not come: none after #{self._replica.end} of {tail} for "
            f"{stalling.seconds:g} s{meanwhile}; large packets may be lost on the way (a tunnel with a smaller MTU?)"
        )

    def _expect(self, served: Served, tail: int) -> None:
        """What is missing up to *tail* has to come on *served*; where it stops coming, the connection is given up."""
        server = CallbackServer.of_this_process()
        stalling = Stalling(self._timing.progress_seconds, monotonic())

        def look() -> None:
            if served.ended or self._replica.end >= tail:
                return
            if left := self._seconds_left(stalling, served):
                server.call_later(left, look)
            else:
                self._lost(served, RoomSilent(self._stalled(stalling, tail)))

        if self._replica.end < tail:
            server.call_later(stalling.seconds, look)

    def _wait_for_remote(self, deadline: float | None) -> RemoteObject:
        with self._changed:
            while self.state != CONNECTED or self._remote is None:
                if self.state == CLOSED:
                    raise ChatClosed("the chat has been left")
                if self._error is not None:
                    raise self._error
                left = None if deadline is None else deadline - monotonic()
                if left is not None and left <= 0:
                    raise WaitTimeout(f"no connection to the room in time ({self.reason})")
                self._changed.wait(left)
            return self._remote

    # -- losing, and coming back -----------------------------------------------------------------------------

    def move_on(self, reason: str) -> None:
        """Go to another server that has the room, where one answers."""
        remote = self._remote
        if remote is not None and self.round.turn_to_one_that_answers():
            self._lost(remote, RoomUnreachable(reason), reason)

    def _hear_held_up(self, why: str) -> None:
        self.held_up = why

    def _heard_farewell(self, reason: str) -> None:
        self._parting_reason = reason

    def _lost(self, which: RemoteObject | Served, error: PyroChatError, reason: str = "") -> None:
        """One of the two connections is of no use: drop both, and come back in a thread of its own. reason: what to tell.

        Where the room has delivered what makes no sense, it would again: that is the end.
        """
        with self._changed:
            if self.state != CONNECTED or which not in (self._remote, self._served):
                return
            self._drop()
            reason = reason or self._parting_reason
            if self.round.next and not isinstance(error, ServerFault):
                log.info("room %s at %s: %s", self._replica.room, shown_address(self.address), error)
                reason = f"{reason or f'{shown_address(self.address)} is gone'}; trying {self.round.next}"
            reason = reason or str(error)
            self.state, self.reason = RECONNECTING, reason
            self._changed.notify_all()
            if isinstance(error, ServerFault):
                self._give_up(error)
                return
            self._tell_state(RECONNECTING, reason)
        with contextlib.suppress(RuntimeError):  # the interpreter ends, and starts no thread any more
            threading.Thread(target=self._come_back, name="pyrochat-reconnect", daemon=True).start()

    def _drop(self) -> None:
        if self._remote is not None:
            self._remote.close()
        if self._served is not None:
            CallbackServer.of_this_process().stop(self._served)
        self._remote = self._served = None

    def _come_back(self) -> None:
        if monotonic() - self._connected_at >= MOST_BACKOFF_SECONDS:  # else it is lost as soon as it stands
            self._backoff = 0.0
        go_on(self._try_to_come_back, f"coming back to room {self._replica.room}", _defects)

    def _try_to_come_back(self) -> bool:
        """Once more, after a rest; False where that has succeeded, or there is nothing more to try."""
        if not self._rest():
            return False
        try:
            self._connect()
        except ChatClosed:
            return False
        except PyroChatError as error:
            if not self.round.failed(error):
                self._give_up(error)
                return False
            if self.round.next:
                self._tell_reason(f"{error}; trying {self.round.next}")
            elif self.round.is_cluster or isinstance(error, Refused | LogProblem | UntrustedServer):
                self._tell_reason(str(error))  # it takes somebody's doing
            else:
                log.info("room %s: not back yet: %s", self._replica.room, error)
            return True
        return False

    def _rest(self) -> bool:
        """Wait before the next attempt to come back, longer each time; not at all where a place is left that has not been
        tried yet. False where no attempt is to be made.
        """
        with self._changed:
            if self.round.next:
                return self.state == RECONNECTING
            self._changed.wait_for(lambda: self.state != RECONNECTING, self._backoff * random.uniform(0.5, 1.0))
            self._backoff = min(max(self._backoff * 2, FIRST_BACKOFF_SECONDS), MOST_BACKOFF_SECONDS)
            return self.state == RECONNECTING

    def _give_up(self, error: PyroChatError) -> None:
        """The room won't have us back, however often we ask."""
        with self._changed:
            if self.state != RECONNECTING:
                return
            self._error = error
            self.state, self.reason = REFUSED, str(error)
            self._changed.notify_all()
            self._tell_state(REFUSED, str(error))

    def _tell_reason(self, reason: str) -> None:
        """We are still not back, and here is why: told once for each reason."""
        with self._changed:
            if self.state != RECONNECTING or self.reason == reason:
                return
            self.reason = reason
            if reason in self._told:
                return
            self._told.add(reason)
            self._tell_state(RECONNECTING, reason)

    def _tell_state(self, state: str, reason: str) -> None:
        self._replica.touch()
        self._on_state(state, reason)

    # -- leaving -----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Leave the room, if it answers within `parting_seconds`, and end. Idempotent; needs no thread of its own."""
        with self._changed:
            if self.state == CLOSED:
                return
            remote = self._remote if self.state == CONNECTED else None
            self.state = CLOSED
            self._changed.notify_all()
        if remote is not None:
            with contextlib.suppress(PyroChatError):
                ask(remote, LEAVE, self._replica.end, self._reading.tell(), seconds=self._parting_seconds)
        with self._changed:
            self._drop()
        self._tell_state(CLOSED, "")
