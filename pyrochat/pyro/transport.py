"""The transport of a room's daemon: many idle connections, few threads.

Stock Pyro5 gives each connection a thread of a pool with a global size, and its accept loop waits for
whoever doesn't speak. Here one thread accepts, shakes hands, and gathers requests from all connections
without ever waiting for one; a worker is lent to a connection when a whole request is there, stays while
the calls keep coming (no hand-over in between), and goes back when there has been none for
0.25 s. An idle member costs a descriptor and no thread; who is silent, slow, or stops in the middle costs
nobody anything, and is closed after 10 s (`core.pace`).
"""

import contextlib
import logging
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from Pyro5 import errors as pyro_errors
from Pyro5.errors import ProtocolError

from pyrochat.clock import monotonic
from pyrochat.core.pace import Pace
from pyrochat.core.places import Bounds
from pyrochat.pyro.budget import Budgets
from pyrochat.pyro.connection import Connection, shut_down
from pyrochat.pyro.frames import Frame
from pyrochat.pyro.late_answers import LateAnswers
from pyrochat.pyro.listener import Listener
from pyrochat.pyro.strangers import Strangers
from pyrochat.pyro.tls import ServerHandshake
from pyrochat.pyro.waker import selector_with_waker
from pyrochat.pyro.workers import Pools
from pyrochat.threads import Defects, go_on

log = logging.getLogger(__name__)

MAX_GREETING_BYTES = 64 * 1024  # in a message of a stranger's
_REST_SECONDS = 0.05
_DRAIN_SECONDS = 2.0  # so long what a refused peer still sends is read, so that it gets to read why


class Transport:
    """What a Pyro5 daemon takes for its transport server.

    daemon: its `meet` sees each newcomer, its `greet` and `serve` take the frames, its `refusal` words a refusal.
    bounds: how many strangers there may be, and up to which descriptor newcomers have a place. tls: the context for
    TLS; None for a plain port. budgets: for what peers make us keep.
    """

    def __init__(
        self, daemon: Any, sock: socket.socket, bounds: Bounds, tls: ssl.SSLContext | None = None,
        budgets: Budgets | None = None, pace: Pace | None = None,
    ) -> None:  # fmt: skip
        self._pace = pace = pace or Pace()
        self.daemon = daemon
        self.locationStr = ""
        self._bounds = bounds
        self._tls = tls
        self._selector, self._waker = selector_with_waker()
        self._listener = Listener(sock, self._selector)
        self._watching: set[Connection] = set()
        self._handshakes: dict[Connection, ServerHandshake] = {}
        self._strangers = Strangers(bounds)
        self._made_room = 0  # so many strangers have gone since the last sweep
        self._handed_back: deque[tuple[Connection, bool]] = deque()  # to be taken up; whether they are watched
        self._late_answers = LateAnswers(self._hand_back)
        self._pools = Pools(self._serve, pace)
        self._budgets = budgets or Budgets.of()
        self._defects = Defects(log)
        self._next_sweep = 0.0
        self._resting: dict[Connection, None] = {}  # nobody watches them, and no worker has them
        self._connections: set[Connection] = set()
        self._connections_mutex = threading.Lock()
        self._stopping = False

    @property
    def sockets(self) -> list[socket.socket]:
        """The listening socket (part of Pyro5's interface)."""
        return [self._listener.sock] if self._listener.sock else []

    @property
    def connection_count(self) -> int:
        """How many connections are open, idle ones included."""
        return len(self._connections)

    # -- the watching thread ---------------------------------------------------------------------------

    def loop(self, loopCondition: Callable[[], bool] = lambda: True) -> None:
        """Accept and watch until `shutdown`; runs in the thread that calls it."""
        self._next_sweep = monotonic() + 1.0
        self._next_end_of_rests = 0.0
        go_on(lambda: not self._stopping and loopCondition() and self._round(), "the accepting thread", self._defects)
        for connection in [*self._watching, *self._resting, *(connection for connection, _ in self._handed_back)]:
            self._forget(connection)
        self._selector.close()
        self._waker.close()

    def _round(self) -> bool:
        """Wait for something to happen, and do what that wants. True: this is no end."""
        for key, _ in self._selector.select(_REST_SECONDS if self._resting or self._listener.is_resting else 1.0):
            if key.fileobj is self._waker:
                self._waker.rest()
            elif key.data is None:
                for accepted in self._listener.accept():
                    self._let_in(accepted)
            elif key.data.sock.fileno() >= 0:
                self._guarded(self._look_at, key.data)
        while self._handed_back:
            connection, watched = self._handed_back.popleft()
            if not watched or self._unwatch(connection):  # else a worker has it by now
                self._guarded(self._take_up, connection)
        now = monotonic()
        if self._resting and now >= self._next_end_of_rests:  # not each time: there may be hundreds
            self._next_end_of_rests = now + _REST_SECONDS
            self._end_rests()
        self._listener.look(now)
        if now >= self._next_sweep:
            self._next_sweep = now + 1.0
            self._sweep(now)
        return True

    def _guarded(self, do: Callable[[Connection], None], connection: Connection) -> None:
        """*do* something for *connection*: what goes wrong costs that one, and nobody else."""
        try:
            do(connection)
        except BaseException as error:
            self._defects.tell("serving a connection", error)
            self._unwatch(connection)
            self._forget(connection)

    def _let_in(self, accepted: socket.socket) -> None:
        try:
            connection = Connection(accepted, MAX_GREETING_BYTES, self._budgets)
        except BaseException as error:
            accepted.close()
            if isinstance(error, OSError):  # reset before we looked at it
                return
            raise
        self._guarded(self._give_place, connection)

    def _give_place(self, connection: Connection) -> None:
        made_room = self._make_room(connection)
        if connection.sock.fileno() >= self._bounds.last_descriptor and not made_room:
            connection.send_at_once(self.daemon.refusal_when_full(connection))
            connection.close()
            return
        with self._connections_mutex:
            self._connections.add(connection)
        if self._tls is not None:
            self._handshakes[connection] = ServerHandshake(connection, self._tls)
        self._strangers.add(connection)
        self.daemon.meet(connection)
        self._take_up(connection)

    def _make_room(self, newcomer: Connection) -> bool:
        """Let as many strangers go as *newcomer* needs; whether any has gone."""
        needed, candidates = self._strangers.making_room(newcomer)
        gone = 0
        for connection in candidates:
            if gone >= needed:
                break
            gone += self._let_go(connection)
        self._made_room += gone
        return gone > 0

    def heard(self, connection: Connection) -> None:
        """A stranger's request was served: it was idle till now, or is a stranger no more. Any thread may call."""
        self._strangers.look_at(connection)

    def _let_go(self, connection: Connection) -> bool:
        """End *connection*; False where it is being served, so that it is another's turn."""
        if connection in self._resting:
            del self._resting[connection]
        elif connection.is_pending or not self._unwatch(connection):
            return False
        self._forget(connection)
        return True

    def _watch(self, connection: Connection) -> None:
        try:
            event = selectors.EVENT_WRITE if connection.unsent else selectors.EVENT_READ
            self._selector.register(connection.sock, event, connection)
            self._watching.add(connection)
        except (KeyError, ValueError, OSError):  # closed meanwhile
            self._forget(connection)

    def _end_rests(self) -> None:
        resting, self._resting = self._resting, {}
        for connection in resting:
            self._guarded(self._take_up, connection)  # or it rests on

    def _take_up(self, connection: Connection) -> None:
        """Watch *connection* again, unless its next request is here already, or has to wait."""
        if connection.is_resting:
            self._resting[connection] = None
            return
        try:
            frame = None if connection.unsent else connection.next_frame()
        except ProtocolError as error:
            self._refuse(connection, str(error))
            frame = None
        if frame is None:
            self._watch(connection)
        else:
            self._pools.lend(connection, frame)

    def _unwatch(self, connection: Connection) -> bool:
        """False where it was not watched: a worker has it."""
        if connection not in self._watching:  # the selector would say so too, but describes the socket when it does
            return False
        self._watching.remove(connection)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.sock)
        return True

    def _look_at(self, connection: Connection) -> None:
        """Bytes have come: shake hands, or gather them; lend a worker when the request is whole."""
        try:
            if connection.refused_at is not None:
                connection.drain()
                return
            if connection.is_pending and self._late_answers.park(connection):
                self._unwatch(connection)
                return
            handshake = self._handshakes.get(connection)
            if handshake is not None and not self._shake_hands(connection, handshake):
                return
            if connection.is_resting and not connection.unsent:  # its answer, or TLS's greeting, has cost a lot
                self._unwatch(connection)
                self._resting[connection] = None
                return
            if connection.unsent:
                connection.flush()
                if connection.unsent:
                    return
                self._selector.modify(connection.sock, selectors.EVENT_READ, connection)
            else:
                connection.receive()
            frame = connection.next_frame()
            if frame is not None and connection.trusted and self.daemon.is_quick(frame):
                # One only: of a thousand in a row, refused one by one, all others would have to wait for the last.
                frame = connection.next_frame() if self._serve_here(connection, frame) else None
            if frame is not None:
                self._unwatch(connection)
                self._pools.lend(connection, frame)
        except ProtocolError as error:
            self._refuse(connection, str(error))
        except ssl.SSLError as error:  # TLS has told the peer why: give it time to read that
            log.debug("no TLS: %s", error)
            self._selector.modify(connection.sock, selectors.EVENT_READ, connection)
            connection.end_of_words()
        except (OSError, pyro_errors.PyroError) as error:
            log.debug("connection closed: %s", error)
            self._unwatch(connection)
            self._forget(connection)

    def _serve_here(self, connection: Connection, frame: Frame) -> bool:
        """Serve a call that never waits without a worker: a post costs no change of threads on its way in.

        True where its answer is out.
        """
        pending = self.daemon.serve(connection, frame)
        if pending is not None:
            self._late_answers.wait_for(connection, pending, parked=False)
            return False
        connection.served()
        if connection.unsent:
            self._selector.modify(connection.sock, selectors.EVENT_WRITE, connection)
            return False
        if connection.is_resting:
            self._unwatch(connection)
            self._resting[connection] = None
            return False
        return True

    def _shake_hands(self, connection: Connection, handshake: ServerHandshake) -> bool:
        """One step of the handshake; True when it is over. Raises what ends the connection."""
        begun = time.thread_time()
        try:
            wanted = handshake.step()
        finally:
            self.daemon.charge(connection, time.thread_time() - begun)
        if wanted is not None:
            self._selector.modify(connection.sock, wanted, connection)
            return False
        del self._handshakes[connection]
        self._unwatch(connection)
        self._watch(connection)  # for reading, whatever the handshake has waited for
        return True

    def _refuse(self, connection: Connection, reason: str) -> None:
        """Say *reason*, and give the peer time to read it."""
        connection.send_at_once(self.daemon.refusal(connection, reason))
        connection.end_of_words()

    def _sweep(self, now: float) -> None:
        self._made_room += sum(map(self._let_go, self._strangers.too_many()))
        if self._made_room:
            log.info("%d idle connections without a key made room for others", self._made_room)
            self._made_room = 0
        stuck_since = now - self._pace.frame_seconds
        for connection in list(self._watching):
            if (
                (connection.reader.has_begun and connection.frame_begun < stuck_since)
                or (not (connection.trusted or connection.settled) and connection.born < stuck_since)
                or (connection.unsent and connection.progress_at < stuck_since)
                or (connection.refused_at is not None and connection.refused_at < now - _DRAIN_SECONDS)
            ):
                self._unwatch(connection)
                self._forget(connection)

    # -- the workers -------------------------------------------------------------------------------------

    def _serve(self, connection: Connection, first: Frame) -> None:
        """Serve *connection* as long as it speaks; then it is watched again, detached, or closed."""
        try:
            has_it = self._serve_calls(connection, first)
        except (OSError, pyro_errors.PyroError) as error:
            log.debug("connection closed: %s", error)
            self._forget(connection)
            return
        except BaseException as error:
            self._defects.tell("serving a connection", error)
            self._forget(connection)
            return
        if has_it and self._stopping:
            self._forget(connection)
        elif has_it:
            self._hand_back(connection, watched=False)

    def _serve_calls(self, connection: Connection, first: Frame) -> bool:
        """True where *connection* is still this thread's afterwards. Raises what ends it."""
        frame: Frame | None = first
        workers = self._pools.of(connection, first)  # they lend this thread
        try:
            while frame is not None and not self._stopping:
                if self._pools.of(connection, frame) is not workers:
                    self._pools.lend(connection, frame)
                    return False
                if connection.identity is None:
                    self.daemon.greet(connection, frame)
                else:
                    pending = self.daemon.serve(connection, frame)
                    if pending is not None:
                        self._late_answers.wait_for(connection, pending, parked=True)
                        return False
                connection.served()
                if connection.unsent or connection.is_resting or workers.short or not workers.linger:
                    break  # the watching thread sends the rest, and waits for what comes
                frame = connection.wait_frame(self._pace.linger_seconds)
        except ProtocolError as error:
            self._refuse(connection, str(error))
        return True

    def _hand_back(self, connection: Connection, watched: bool) -> None:
        self._handed_back.append((connection, watched))
        self.wakeup()

    def _forget(self, connection: Connection) -> None:
        with self._connections_mutex:
            self._connections.discard(connection)
        self._handshakes.pop(connection, None)
        self._strangers.remove(connection)
        try:
            self.daemon.clientDisconnect(connection)
        except Exception as error:
            self._defects.tell("cleaning up after a connection", error)
        connection.close()

    # -- the end -------------------------------------------------------------------------------------------

    def wakeup(self) -> None:
        """Make the watching thread look around."""
        self._waker.wake()

    def shutdown(self) -> None:
        """Stop accepting and close all connections; idempotent."""
        self._stopping = True
        self.wakeup()
        self.close()

    def close(self) -> None:
        """Part of Pyro5's interface: see `shutdown`."""
        self._stopping = True
        self._listener.close()
        with self._connections_mutex:
            connections, self._connections = self._connections, set()
        for connection in connections:
            if not connection.detached:
                shut_down(connection.sock)
        self._pools.stop()
        self.wakeup()
