"""A Pyro name server in threads of this process, for where none answers.

Pyro5's own, behind our daemon: a stock one would let any stranger inflate bombs, hold the accept loop and
burn regular expressions in the process that hosts the rooms. Who registers what is as open as ever.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from Pyro5 import core, nameserver
from Pyro5.errors import NamingError

from pyrochat.pyro.connection import Connection
from pyrochat.pyro.daemon import Daemon
from pyrochat.pyro.dispatch import expose
from pyrochat.values.errors import CannotHost

__all__ = ["EmbeddedNameServer"]

MAX_NAMES = 10_000
_VISITOR = "visitor"


class _NameServer(nameserver.NameServer):  # type: ignore[misc]
    """Takes URIs as plain values, and no regular expressions."""

    @expose
    def register(self, name: str, uri: Any, safe: bool = False, metadata: Iterable[str] | None = None) -> None:
        """See Pyro5."""
        match uri:
            case {"state": [str(protocol), str(object_id), sockname, host, port]}:
                place = f"./u:{sockname}" if sockname else f"{host}:{port}"
                uri = f"{protocol}:{object_id}@{place}"
        if name not in self.storage and len(self.storage) >= MAX_NAMES:
            raise NamingError(f"there are {MAX_NAMES:,} names already: remove some")
        super().register(name, uri, safe, metadata)

    @expose
    def list(self, prefix: Any = None, regex: Any = None, return_metadata: bool = False) -> Any:
        """See Pyro5."""
        _check_plain(regex)
        return super().list(prefix, None, return_metadata)

    @expose
    def remove(self, name: Any = None, prefix: Any = None, regex: Any = None) -> Any:
        """See Pyro5."""
        _check_plain(regex)
        return super().remove(name, prefix)


class EmbeddedNameServer:
    """A name server on *host*:*port*, until it is closed. Raises CannotHost where the address can't be had."""

    def __init__(self, host: str, port: int) -> None:
        try:
            self._daemon = Daemon(host, port, greet=self._greet, bid_farewell=lambda connection: None)
        except CannotHost as error:
            raise CannotHost(
                f"no name server answers at {host}:{port} and none can be started there ({error}): "
                "set PYRO_NS_PORT to a free port"
            ) from None
        names = _NameServer()
        self._daemon.register(names, core.NAMESERVER_NAME)
        names.register(core.NAMESERVER_NAME, str(self._daemon.uriFor(core.NAMESERVER_NAME)))
        self._thread = threading.Thread(target=self._daemon.requestLoop, name="pyrochat-nameserver", daemon=True)
        self._thread.start()

    @staticmethod
    def _greet(connection: Connection, data: object) -> str:
        connection.identity, connection.settled = _VISITOR, True
        return "hello"

    def close(self) -> None:
        """Stop it; what was registered there is gone."""
        self._daemon.shutdown()
        self._thread.join(2.0)


def _check_plain(regex: object) -> None:
    if regex:
        raise NamingError("this name server takes no regular expressions: give a prefix")
