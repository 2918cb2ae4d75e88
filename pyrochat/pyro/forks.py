"""What a fork leaves to the parent.

A child has a copy of every descriptor and of every object, and none of the threads that move them: a lock may be held
for ever, a socket is the parent's connection. So in the child our sockets are closed, without a word to their other
ends (`shutdown` would end the parent's connection; an epoll is shared too), and what stands for a connection or a
server says so when it is used. Whoever wants to chat in the child begins anew there.
"""

import contextlib
import os
import selectors
import socket
import weakref
from collections.abc import Callable, Iterator
from typing import TypeVar

Descriptor = TypeVar("Descriptor", bound=socket.socket | selectors.BaseSelector)

_open: weakref.WeakSet[socket.socket | selectors.BaseSelector] = weakref.WeakSet()
_kept: list[dict[str, object]] = []  # in a child: nothing of the parent's is finalized


def not_for_children(descriptor: Descriptor) -> Descriptor:
    """*descriptor*, which children of this process close, and leave open for it."""
    _open.add(descriptor)
    return descriptor


class LeftToParent:
    """Stands in a child for something of the parent's: using it raises what *error* makes."""

    def __init__(self, error: Callable[[], Exception]) -> None:
        self._error = error

    def __getattr__(self, name: str) -> object:
        raise self._error()

    def __iter__(self) -> Iterator[object]:  # Python asks the class for these, and no attribute
        raise self._error()

    def __enter__(self) -> object:
        raise self._error()

    def __exit__(self, *_: object) -> None: ...

    def __bool__(self) -> bool:
        raise self._error()

    def __call__(self, *_: object) -> object:
        raise self._error()


def leave_to_parent(owner: object, error: Callable[[], Exception]) -> None:
    """In a child: whatever uses what is private in *owner* raises what *error* makes.

    What was there is kept for good: a destructor might wait for a lock that nobody opens any more, and a connection
    of SQLite's must not even be closed in a child (sqlite.org/howtocorrupt.html, 2.6).
    """
    _kept.append(dict(vars(owner)))
    private = [name for name in vars(owner) if name.startswith("_")]
    vars(owner).update(dict.fromkeys(private, LeftToParent(error)))


def _close_in_child() -> None:
    for descriptor in list(_open):
        if isinstance(descriptor, socket.socket):
            with contextlib.suppress(OSError):  # it was closed before the fork
                os.close(descriptor.detach())
        else:
            descriptor.close()
    _open.clear()


os.register_at_fork(after_in_child=_close_in_child)
