"""A Pyro name server in threads of this process, for where none answers.

Pyro5's own, behind our daemon: a stock one would let any stranger inflate bombs, hold the accept loop and
burn regular expressions in the process that hosts the rooms. Who registers what is as open as ever.
"""

import threading
from typing import Any

from Pyro5 import core, nameserver
from Pyro5.errors import NamingError, PyroError

from pyrochat.pyro.connection import Connection
from pyrochat.pyro.daemon import Daemon
from pyrochat.pyro.dispatch import expose
from pyrochat.pyro.naming import EMBEDDED_GREETING
from pyrochat.values.addresses import shown_address
from pyrochat.values.errors import CannotHost

MAX_NAMES = 10_000
MAX_BYTES = 2 * 1024 * 1024  # of names, URIs and metadata: all of them are one answer
_VISITOR = "visitor"


class _Storage(nameserver.MemoryStorage):  # type: ignore[misc]
    """Names and what they stand for, bounded in number and in bytes. Raises NamingError beyond."""

    def __init__(self, most_names: int) -> None:
        super().__init__()
        self._most_names = most_names
        self._sizes: dict[str, int] = {}
        self._size = 0

    def __setitem__(self, name: str, value: tuple[str, Any]) -> None:
        uri, metadata = value
        size = sum(len(text.encode(errors="replace")) for text in (name, uri, *(metadata or ())))
        more = size - self._sizes.get(name, 0)
        if name not in self and len(self) >= self._most_names:
            raise NamingError(f"there are {self._most_names:,} names already: remove some")
        if self._size + more > MAX_BYTES:
            raise NamingError(f"there are more than {MAX_BYTES:,} bytes of names already: remove some")
        super().__setitem__(name, value)
        self._sizes[name] = size
        self._size += more

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._size -= self._sizes.pop(name)


class _NameServer(nameserver.NameServer):  # type: ignore[misc]
    """Takes URIs as plain values, and no regular expressions. What is no name, no URI, no text is a NamingError."""

    def __init__(self, most_names: int) -> None:
        super().__init__(_Storage(most_names))

    @expose
    def lookup(self, name: Any, return_metadata: Any = False) -> Any:
        """See Pyro5."""
        return super().lookup(_text(name), return_metadata)

    @expose
    def register(self, name: Any, uri: Any, safe: Any = False, metadata: Any = None) -> None:
        """See Pyro5."""
        match uri:
            case {"state": [str(protocol), str(object_id), sockname, host, port]}:
                place = f"./u:{sockname}" if sockname else shown_address((str(host), port))
                uri = f"{protocol}:{object_id}@{place}"
        try:
            core.URI(_text(uri))
        except PyroError as error:
            raise NamingError(f"that is no URI: {error}") from None
        super().register(_text(name), uri, safe, _texts(metadata))

    @expose
    def set_metadata(self, name: Any, metadata: Any) -> None:
        """See Pyro5."""
        super().set_metadata(_text(name), _texts(metadata))

    @expose
    def list(self, prefix: Any = None, regex: Any = None, return_metadata: Any = False) -> Any:
        """See Pyro5."""
        _check_plain(regex)
        return super().list(prefix and _text(prefix), None, return_metadata)

    @expose
    def remove(self, name: Any = None, prefix: Any = None, regex: Any = None) -> Any:
        """See Pyro5."""
        _check_plain(regex)
        return super().remove(name and _text(name), prefix and _text(prefix))

    @expose
    def yplookup(self, meta_all: Any = None, meta_any: Any = None, return_metadata: Any = True) -> Any:
        """See Pyro5."""
        if meta_all and meta_any:
            raise NamingError("ask for all of some metadata, or for any of it, not for both")
        return super().yplookup(_texts(meta_all), _texts(meta_any), return_metadata)


class EmbeddedNameServer:
    """A name server on *host*:*port*, for *most_names*, until it is closed. Raises CannotHost where the address can't be had."""

    def __init__(self, host: str, port: int, most_names: int = MAX_NAMES) -> None:
        try:
            self._daemon = Daemon(host, port, greet=self._greet, bid_farewell=lambda connection: None)
        except CannotHost as error:
            raise type(error)(  # PortInUse too: somebody else may be starting one
                f"no name server answers at {shown_address((host, port))} and none can be started there ({error}): "
                "set PYRO_NS_PORT to a free port"
            ) from None
        self._thread = threading.Thread(target=self._daemon.requestLoop, name="pyrochat-nameserver", daemon=True)
        try:
            names = _NameServer(most_names)
            self._daemon.register(names, core.NAMESERVER_NAME)
            names.register(core.NAMESERVER_NAME, str(self._daemon.uriFor(core.NAMESERVER_NAME)))
            self._thread.start()
        except BaseException:
            self._daemon.end_unstarted()
            raise

    @staticmethod
    def _greet(connection: Connection, data: object) -> str:
        connection.identity, connection.settled = _VISITOR, True
        return EMBEDDED_GREETING

    def close(self) -> None:
        """Stop it; what was registered there is gone."""
        self._daemon.shutdown()
        self._thread.join(2.0)


def _check_plain(regex: object) -> None:
    if regex:
        raise NamingError("this name server takes no regular expressions: give a prefix")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise NamingError(f"names, prefixes and URIs have to be text, not {type(value).__name__}")
    return value


def _texts(values: object) -> set[str] | None:
    if values is None:
        return None
    if not isinstance(values, list | tuple | set):
        raise NamingError(f"metadata has to be a list of texts, not {type(values).__name__}")
    return {_text(value) for value in values}
