"""A process whose threads and sockets were replaced: eventlet's and gevent's `monkey_patch` do that.

What they put there has no `select.poll`, and sockets that are none of Python's own: nothing here would work, each
thing in its own obscure way. So it is refused in one place, before anything has begun.
"""

import _socket
import _thread
import select
import socket
from types import BuiltinFunctionType

from pyrochat.values.errors import Unavailable


def check_not_patched(error: type[Unavailable] = Unavailable) -> None:
    """Raise *error* where this process has no threads, sockets or polls of the operating system any more."""
    replaced = {
        "select.poll": not hasattr(select, "poll"),
        "select.select": not isinstance(select.select, BuiltinFunctionType),
        "socket.socket": not issubclass(socket.socket, _socket.socket),
        "threads": not isinstance(_thread.start_new_thread, BuiltinFunctionType),
    }
    names = [name for name, is_replaced in replaced.items() if is_replaced]
    if names:
        raise error(
            f"something has replaced {', '.join(names)} in this process (monkey_patch of eventlet or gevent?): leave them "
            "as they are (socket=False, select=False, thread=False, os=False), or use pyrochat in a process of its own"
        )
