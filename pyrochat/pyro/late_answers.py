"""Requests whose result comes later: which connections wait for one, and who takes care of them meanwhile."""

import logging
import threading
from collections.abc import Callable

from Pyro5 import errors as pyro_errors

from pyrochat.pyro.connection import Connection, shut_down
from pyrochat.pyro.dispatch import Pending
from pyrochat.threads import Defects

log = logging.getLogger(__name__)

_defects = Defects(log)


class LateAnswers:
    """Sends an answer as soon as there is a result, in the thread that has made it.

    hand_back: called, in any thread, with a connection that has to be looked at then (there is more to send, or its
    next request is here), and whether it is watched.
    """

    def __init__(self, hand_back: Callable[[Connection, bool], None]) -> None:
        self._hand_back = hand_back
        self._mutex = threading.Lock()  # guards `is_pending` and `is_parked` of all connections

    def wait_for(self, connection: Connection, pending: Pending, parked: bool) -> None:
        """Answer *connection* when *pending* has its result. parked: nobody watches the connection meanwhile."""
        connection.is_pending, connection.is_parked = True, parked
        pending.later.then(lambda: self._finish(connection, pending))

    def park(self, connection: Connection) -> bool:
        """*connection*'s next request has come: whether that has to wait for an answer, and nobody may watch it."""
        with self._mutex:
            if connection.is_pending:
                connection.is_parked = True
            return connection.is_pending

    def _finish(self, connection: Connection, pending: Pending) -> None:
        lost = False
        try:
            answer = pending.answer()
            if answer is not None:
                connection.post(answer)
        except (OSError, pyro_errors.PyroError) as error:
            log.debug("connection lost before its answer: %s", error)
            lost = True
        except BaseException as error:  # a defect: it costs this connection
            _defects.tell("answering a call", error)
            lost = True
        connection.served()
        with self._mutex:
            connection.is_pending = False
            parked, connection.is_parked = connection.is_parked, False
        if lost:
            shut_down(connection.sock)  # whoever watches it notices
        if parked or connection.unsent or connection.reader.has_begun:
            self._hand_back(connection, not parked)
