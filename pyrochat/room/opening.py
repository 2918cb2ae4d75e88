"""A session that is being opened: its "joined" is on its way to the log."""

from collections.abc import Callable

from pyrochat.core.order import Submission
from pyrochat.pyro.dispatch import Later


class Opening(Later):
    """submission: to the order. tail: the log's. undo: ends the session again where it could not be opened."""

    def __init__(
        self, session_id: str, submission: Submission, tail: Callable[[], int], undo: Callable[[], object]
    ) -> None:
        self._session_id = session_id
        self._submission = submission
        self._tail = tail
        self._undo = undo

    def then(self, call: Callable[[], None]) -> None:
        """See `Later`."""
        self._submission.then(call)

    def result(self) -> tuple[str, int]:
        """The session's id, and the log's tail. Raises what the commit has raised."""
        try:
            self._submission.wait()
        except BaseException:
            self._undo()
            raise
        return self._session_id, self._tail()
