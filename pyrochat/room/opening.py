"""A session that is being opened: its "joined" is on its way to the log."""

from __future__ import annotations

from collections.abc import Callable

from pyrochat.pyro.dispatch import Later
from pyrochat.room.writer import Request

__all__ = ["Opening"]


class Opening(Later):
    """request: the writer's. tail: the log's. undo: ends the session again where it could not be opened."""

    def __init__(self, session_id: str, request: Request, tail: Callable[[], int], undo: Callable[[], object]) -> None:
        self._session_id = session_id
        self._request = request
        self._tail = tail
        self._undo = undo

    def then(self, call: Callable[[], None]) -> None:
        """See `Later`."""
        self._request.then(call)

    def result(self) -> tuple[str, int]:
        """The session's id, and the log's tail. Raises what the commit has raised."""
        try:
            self._request.wait()
        except BaseException:
            self._undo()
            raise
        return self._session_id, self._tail()
