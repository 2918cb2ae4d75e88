"""Who has a log open: one server at a time, whichever path it has come by.

Two locks are held as long as a log is open. A lock file beside it keeps away whoever comes to the same folder,
servers of earlier versions too. A lock on the file itself keeps away who comes by a hard link, or by a mount of the
file alone: on one byte far behind any log's end, where SQLite has none of its own. On Linux that lock belongs to the
descriptor (an "open file description lock"), elsewhere to the process. flock(2) would not do: NFS makes it a lock of
the whole file, which shuts out SQLite's own. On a file system without working locks nobody is kept away.

Closing *any* descriptor of a file gives up all of SQLite's locks on it in this process (POSIX, fcntl(2)). So the
descriptor here is opened before SQLite opens the file and closed after, and a log that this process has open
already is found out without opening it.

A forked child closes its copy of the descriptor, and leaves the locks to its parent: it would hold them beyond its end.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading
from pathlib import Path

import filelock

from pyrochat.trust.files import make_folder, make_private
from pyrochat.values.errors import CannotHost, LogInUse

_BYTE = 1 << 62
_MODE = 0o600
_FileId = tuple[int, int]
_mutex = threading.Lock()  # guards what follows
_held: dict[_FileId, LogLock] = {}  # of this process


class LogLock:
    """The lock of the log of *room* at *path*, held until `release`; file and folder are made where they are missing.

    descriptor: of the file, to read it where SQLite doesn't help. Raises LogInUse, CannotHost.
    """

    def __init__(self, path: Path, room: str) -> None:
        self._path = path
        with contextlib.ExitStack() as undo, _mutex:
            try:
                make_folder(path.parent)
                self._check_own(room)
                beside = filelock.FileLock(path.with_suffix(".lock"), blocking=False, thread_local=False, mode=_MODE)
                beside.acquire()
                undo.callback(beside.release)
                if not os.access(path.parent, os.W_OK):
                    raise CannotHost(f"can't write in {path.parent}: choose another folder with data=")
                make_private(path)
                self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, _MODE)
                undo.callback(os.close, self.descriptor)
                _lock(self.descriptor, fcntl.F_WRLCK)
                undo.callback(_lock, self.descriptor, fcntl.F_UNLCK)  # a forked child may have the descriptor too
            except (filelock.Timeout, BlockingIOError):
                raise LogInUse(
                    f"another server has the log of room {room!r} open ({path}): stop it, or choose another data="
                ) from None
            except (OSError, NotImplementedError) as error:  # the second: a file system that knows no locks
                reason = (error.strerror if isinstance(error, OSError) else None) or error
                where = getattr(error, "filename", None) or path.parent
                raise CannotHost(f"can't use {where} ({reason}): choose another folder with data=") from None
            self._id = _id_of(os.fstat(self.descriptor))
            _held[self._id] = self
            undo.callback(_held.pop, self._id)
            self._undo = undo.pop_all()

    def _check_own(self, room: str) -> None:
        """Raise LogInUse where this process has the file open itself."""
        with contextlib.suppress(FileNotFoundError):
            holder = _held.get(_id_of(os.stat(self._path)))
            if holder is not None:
                where = self._path if holder._path == self._path else f"{self._path}, the same file as {holder._path}"
                raise LogInUse(
                    f"another server has the log of room {room!r} open, in this very process ({where}): close that "
                    "one first, or choose another data="
                )

    def release(self) -> None:
        """Let others have the log. Idempotent."""
        with _mutex:
            self._undo.close()


def _id_of(status: os.stat_result) -> _FileId:
    return status.st_dev, status.st_ino


def _lock(descriptor: int, kind: int) -> None:
    """Take or give up the lock on our byte. Raises BlockingIOError where another has it, OSError."""
    try:
        if hasattr(fcntl, "F_OFD_SETLK"):
            request = struct.pack("hhqqi4x", kind, os.SEEK_SET, _BYTE, 1, 0)
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, request)
        else:
            operation = fcntl.LOCK_UN if kind == fcntl.F_UNLCK else fcntl.LOCK_EX | fcntl.LOCK_NB
            fcntl.lockf(descriptor, operation, 1, _BYTE)
    except PermissionError:  # EACCES: the other error that POSIX allows for it
        raise BlockingIOError from None


def _leave_to_parent() -> None:
    global _mutex
    _mutex = threading.Lock()  # it may be held
    for held in _held.values():
        os.close(held.descriptor)  # no lock of SQLite's is given up by that: a child has none
    _held.clear()


os.register_at_fork(after_in_child=_leave_to_parent)
