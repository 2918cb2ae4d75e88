"""The file that this client keeps its draft in, while another client of the same user may be in the same room."""

import contextlib
from pathlib import Path

import filelock

from pyrochat.terminal.writing.drafts import Draft, keep, recall
from pyrochat.trust.files import close_to_others, make_folder

_MOST_CLIENTS = 16  # of one user in one room at the same time, each with a file of its own


class DraftFile:
    """The first file that no running client holds: *path* itself, or one beside it. draft: what was in it.

    What is left of clients that have ended is taken over: their unsent texts go out after ours, and a draft of theirs
    is ours where there is none. Where no file can be had, nothing is kept. notices: what the user has to know of that.
    """

    def __init__(self, path: Path) -> None:
        self._path: Path | None = None
        self._held: filelock.BaseFileLock | None = None
        self.draft = Draft()
        self.notices: list[str] = []
        for number in range(_MOST_CLIENTS):
            candidate = path if not number else path.with_name(f"{path.stem}~{number}.json")
            held = _lock(candidate)
            if held is None:
                continue
            if self._path is None:
                self._path, self._held, self.draft = candidate, held, recall(candidate, self.notices.append)
                continue
            if candidate.exists():
                self._take_over(candidate)
            _let_go(held)
        if self._path is None:
            self.notices.append(f"what you write is not kept for the next time: no file can be had in {path.parent}")

    def _take_over(self, other: Path) -> None:
        theirs, ours = recall(other, self.notices.append), self.draft
        self.keep(Draft(ours.text or theirs.text, ours.unsent + theirs.unsent, (*theirs.typed, *ours.typed)))
        if ours.text and theirs.text:
            keep(other, Draft(theirs.text))  # it waits for its turn
        else:
            other.unlink(missing_ok=True)  # what could not be read is moved away

    def keep(self, draft: Draft) -> None:
        """Write it down, if it is another one than before. Raises Unavailable."""
        if self._path is not None and draft != self.draft:
            keep(self._path, draft)
            self.draft = draft

    def close(self) -> None:
        """Let others have the file."""
        if self._held is not None:
            _let_go(self._held)
            self._held = None


def _let_go(held: filelock.BaseFileLock) -> None:
    """The lock's file goes first: whoever opened it meanwhile finds that it is nobody's any more, and makes another."""
    with contextlib.suppress(OSError):
        Path(held.lock_file).unlink()
    held.release()


def _lock(path: Path) -> filelock.BaseFileLock | None:
    held = filelock.FileLock(path.with_suffix(".lock"), blocking=False, mode=0o600)
    with contextlib.suppress(OSError, filelock.Timeout):
        make_folder(path.parent)
        close_to_others(path.parent)
        held.acquire()
        return held
    return None
