"""Posting without being a member: one connection, no replica, no callback, and neither "joined" nor "left" in the log."""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from pyrochat.client.answers import POST_MANY, ask
from pyrochat.client.credentials import Credentials
from pyrochat.client.finding import Finder
from pyrochat.client.round import Round
from pyrochat.client.session import (
    CALL_SECONDS,
    CLOSED,
    CONNECTED,
    FIRST_BACKOFF_SECONDS,
    MOST_BACKOFF_SECONDS,
    RECONNECTING,
    REFUSED,
)
from pyrochat.clock import monotonic
from pyrochat.pyro.remote import RemoteObject
from pyrochat.values.errors import ChatClosed, LogUnavailable, PyroChatError, RateLimited, RoomClosing, RoomUnreachable
from pyrochat.values.message import Message

_PATIENCE_SECONDS = 30.0  # with servers that have no majority


class Poster:
    """Posts to a room under a name, which it holds while its connection is open. A context manager.

    For one thread that posts; any other may call `leave`. state: as a `Chat`'s. on_state: called with
    ``(state, reason)`` when that changes, in the thread that posts. Raises what `join` raises.
    """

    def __init__(self, name: str, room: str, finder: Finder, credentials: Credentials) -> None:
        self.name = name
        self.room = room
        self.state = RECONNECTING
        self.on_state: Callable[[str, str], object] = lambda state, reason: None
        self._round = Round(finder)
        self._credentials = credentials
        self._client_id = f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(6)}"
        self._counter = 0
        self._remote: RemoteObject | None = None
        self._ended = threading.Event()
        self._connect()

    def post(self, texts: Sequence[str]) -> list[Message]:
        """Post *texts* in one commit; returns their messages when they are on disk.

        Waits while the room is away or limits us: the key makes each call's repetition safe; where several servers may have
        the room also while they can't get it into the log, 30 s at the most. Raises ChatClosed after `leave`, and what the
        room refuses.
        """
        patient_until = monotonic() + _PATIENCE_SECONDS
        self._counter += 1
        key = f"{self._client_id}-{self._counter:08x}"
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            try:
                remote = self._remote or self._connect()
                messages = ask(remote, POST_MANY, list(texts), key)
            except RateLimited as error:
                self._pause(min(error.retry_seconds, MOST_BACKOFF_SECONDS))
                continue
            except RoomUnreachable as error:
                self._lose(str(error))
            except RoomClosing as error:
                self._round.turn_away()
                self._lose(str(error))
            except PyroChatError as error:
                is_passing = isinstance(error, LogUnavailable) and self._round.count > 1 and monotonic() < patient_until
                if not is_passing and (self._remote is not None or not error.may_pass):
                    self._refused(error)
                self._round.turn_away()
                self._lose(str(error))
            else:
                return messages
            self._pause(backoff)
            backoff = min(backoff * 2, MOST_BACKOFF_SECONDS)

    def leave(self) -> None:
        """End; a call that is under way fails. Any thread may call. Idempotent."""
        self._ended.set()
        self.state = CLOSED
        remote = self._remote
        if remote is not None:
            remote.close()

    def _connect(self) -> RemoteObject:
        self._check_open()
        place = self._round.find()
        remote, server_key = self._credentials.enter(place, None, CALL_SECONDS)
        self._round.let_in(place, server_key, remote.certificate, None)
        self._remote = remote
        if self._ended.is_set():
            remote.close()
        self._check_open()
        self._tell(CONNECTED, "")
        return remote

    def _lose(self, reason: str) -> None:
        self._check_open()
        remote, self._remote = self._remote, None
        if remote is not None:
            remote.close()
        if self.state != RECONNECTING:
            self._tell(RECONNECTING, reason)

    def _refused(self, error: PyroChatError) -> None:
        """Raise *error*; where it keeps us from coming back there is no hope for what follows either."""
        self._check_open()
        if self._remote is None:
            self._tell(REFUSED, str(error))
        raise error

    def _tell(self, state: str, reason: str) -> None:
        self.state = state
        self.on_state(state, reason)

    def _pause(self, seconds: float) -> None:
        self._ended.wait(seconds)
        self._check_open()

    def _check_open(self) -> None:
        if self._ended.is_set():
            raise ChatClosed("the chat has been left")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
