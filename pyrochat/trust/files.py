"""The home of our small files and folders: read with bounds, written whole, open to their owner only.

What is made here has mode 0600, a folder 0700, whatever the umask says: that is the process's, and not ours to change.
What is there already is closed to others where it is ours. A link is the user's: what it leads to is read and
replaced, and the link stays.
"""

import contextlib
import errno
import fcntl
import json
import logging
import os
import secrets
import select
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from pyrochat.clock import monotonic
from pyrochat.values.errors import Unavailable

log = logging.getLogger(__name__)

MOST_BYTES = 4 * 1024 * 1024  # of a key, a certificate, a configuration, or what is known of 10,000 servers
_OTHERS = 0o077
_READ_BYTES = 65_536

Link = Callable[[Path, Path], object]


# -- reading ---------------------------------------------------------------------------------------------------


def read_small(path: Path, most_bytes: int = MOST_BYTES, wait_seconds: float = 0.0) -> bytes:
    """What the file *path* holds. Raises OSError, also where it has more than *most_bytes*.

    A pipe, a device or a folder in its place is refused: it may hang, or never end. With *wait_seconds* pipes and
    devices are read too, for so long at the most: a shell's ``<(command)`` is one.
    """
    with _opened(path, wait_seconds > 0) as descriptor:
        return _read(descriptor, path, most_bytes, wait_seconds)


def read_private(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """As `read_small`, for a key: one that others can read is closed to them, and a warning says so."""
    data = read_small(path, most_bytes)
    close_to_others(path, loudly=True)
    return data


def read_json(path: Path, most_bytes: int = MOST_BYTES) -> object:
    """The JSON in a file of our own. Raises OSError, and ValueError for what is none, or is nested too deeply."""
    data = read_small(path, most_bytes)
    close_to_others(path)
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


@contextlib.contextmanager
def _opened(path: Path, takes_pipes: bool) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)  # nothing waits for a pipe
    try:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(kind) or not (stat.S_ISREG(kind) or takes_pipes):
            raise OSError(errno.EINVAL, "it is a folder, a pipe or a device, and has to be a file", str(path))
        yield descriptor
    finally:
        os.close(descriptor)


def _read(descriptor: int, path: Path, most_bytes: int, seconds: float) -> bytes:
    deadline = monotonic() + seconds
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    data = bytearray()
    while len(data) <= most_bytes:
        if not poll.poll(max(0.0, deadline - monotonic()) * 1000):
            raise OSError(errno.ETIMEDOUT, f"nothing has come out of it for {seconds:g} s", str(path))
        chunk = os.read(descriptor, _READ_BYTES)
        if not chunk:
            return bytes(data)
        data += chunk
    raise OSError(errno.EFBIG, f"it has more than {most_bytes:,} bytes", str(path))


# -- writing ---------------------------------------------------------------------------------------------------


def keep(path: Path, make: Callable[[], bytes], link: Link = os.link) -> bytes:
    """What *path* holds; where there is no such file, what *make* returns, which is written there.

    Of several processes that make it at once one wins, and all get the same. Raises Unavailable.
    """
    target = _real(path)
    try:
        with contextlib.suppress(FileNotFoundError):
            return read_private(target)
        with contextlib.suppress(FileExistsError):
            write_new(target, make(), link)
        return read_private(target)
    except OSError as error:
        raise _unusable(path, error) from None


def write_new(path: Path, data: bytes, link: Link = os.link) -> None:
    """Write *data* to the new file *path*, whole or not at all. Raises FileExistsError, also for a link; Unavailable."""
    try:
        make_folder(path.parent)
        with _written(path, data) as fresh:
            put_in_place(fresh, path, link)
    except FileExistsError:
        raise
    except OSError as error:
        raise _unusable(path, error) from None


def write_private(path: Path, data: bytes) -> None:
    """Write *data* to *path* in place of what was there, whole or not at all. Raises Unavailable."""
    target = _real(path)
    try:
        make_folder(target.parent)
        with _written(target, data) as fresh:
            os.replace(fresh, target)
    except OSError as error:
        raise _unusable(path, error) from None


def put_in_place(fresh: Path, path: Path, link: Link = os.link) -> None:
    """Give the file *fresh* the name *path*. Raises FileExistsError where another file has it, and OSError.

    A file system without links (exFAT, Android's) has it renamed, by one process after the other.
    """
    try:
        link(fresh, path)
        return
    except FileExistsError:
        raise
    except OSError:
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        os.replace(fresh, path)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _written(path: Path, data: bytes) -> Iterator[Path]:
    """A file beside *path* that holds *data*, on disk. What is left of it is removed, also on a disk that is full."""
    fresh = path.with_name(f".{path.name[:128]}-{secrets.token_hex(8)}")
    try:
        with open(open_private(fresh), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield fresh
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink()


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _unusable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"can't use {path} ({error.strerror or error}): choose a folder that you can write "
        "(PYROCHAT_CONFIG_DIR for a user's files, data= for a server's)"
    )


# -- modes -----------------------------------------------------------------------------------------------------


def open_private(path: Path, flags: int = os.O_EXCL) -> int:
    """A descriptor that writes to *path*, made with mode 0600 where it is missing. Raises OSError.

    flags: O_EXCL, it has to be new; O_TRUNC, what it holds is replaced.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
    with contextlib.suppress(OSError):  # exFAT knows no modes
        os.fchmod(descriptor, 0o600)  # the umask may have taken more, and what is replaced may be open
    return descriptor


def make_private(path: Path) -> None:
    """Make *path* an empty file with mode 0600, or close the one that is there to others. Raises OSError.

    For what SQLite writes, which gives its journals the mode of the database. What is there is not opened: closing
    it would end the locks that SQLite has on it in this process.
    """
    try:
        os.close(open_private(path))
    except FileExistsError:
        close_to_others(path)


def make_folder(path: Path) -> None:
    """Make *path*, and what is missing above it, with mode 0700 (as the XDG base directories want it). Raises OSError."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):  # made by another process meanwhile
            folder.mkdir(0o700)
            with contextlib.suppress(OSError):
                folder.chmod(0o700)


def close_to_others(path: Path, loudly: bool = False) -> None:
    """Take from all but its owner what they may do with the file or folder *path*, where it is ours to say.

    loudly: a warning says so; what was open may have been read.
    """
    if not is_open_to_others(path):
        return
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode & ~_OTHERS)
    except OSError as error:  # another's, or on a file system that knows no modes or takes no changes
        if loudly:
            log.warning("%s is open to others on this machine, and can't be closed to them (%s)", path, error.strerror)
        return
    if loudly:
        log.warning("%s was open to others on this machine (mode %o): now only its owner can read it", path, mode)


def close_folder(folder: Path, is_ours: Callable[[str], bool]) -> None:
    """Close *folder* to others, if all names in it are ours: it may be one that is shared, ``/tmp`` even."""
    with contextlib.suppress(OSError):
        if all(map(is_ours, os.listdir(folder))):
            close_to_others(folder)


def is_open_to_others(path: Path, bits: int = _OTHERS) -> bool:
    """Whether the file or folder *path* has any of the mode's *bits*; False for a pipe, and where nothing is."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return bool((stat.S_ISREG(mode) or stat.S_ISDIR(mode)) and mode & bits)
