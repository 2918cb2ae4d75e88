"""`join`: from a name and a room to a Chat."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path

from pyrochat.client.chat import Chat
from pyrochat.client.credentials import Credentials
from pyrochat.client.finding import AtAddress, ByNameServer, Finder
from pyrochat.client.known import KnownServers
from pyrochat.client.known_logs import KnownLogs
from pyrochat.client.poster import Poster
from pyrochat.client.reading import AUTO
from pyrochat.folders import config_folder, is_in_config_folder, key_file, known_logs_file, known_servers_file
from pyrochat.pyro.patched import check_not_patched
from pyrochat.pyro.tls import ClientTls
from pyrochat.trust.certificates import checked_fingerprint
from pyrochat.trust.files import close_folder
from pyrochat.trust.keys import Key
from pyrochat.values.errors import InvalidArgument
from pyrochat.values.protocol import DEFAULT_ROOM, Timing, checked_timing
from pyrochat.values.rules import checked_flag, checked_name, checked_password, checked_path, checked_place


def join(
    name: str,
    room: str = DEFAULT_ROOM,
    at: str | None = None,
    *,
    read: str = AUTO,
    progress: Callable[[int, int], object] | None = None,
    timing: Timing | None = None,
    password: str | None = None,
    fingerprint: str | None = None,
    tls_ca: str | PathLike[str] | None = None,
    tls_cert: str | PathLike[str] | None = None,
    tls_key: str | PathLike[str] | None = None,
    accept_new_key: bool = False,
) -> Chat:
    """Join *room* as *name*; returns a `Chat` whose replica has the whole history.

    The name belongs to this user's key, which is made on first use in the configuration folder.

    at: ``host:port`` of the room's server, or the room's URI; several with commas between them: the first that is there, and
    the next when that is gone; None asks the Pyro name server (PYRO_NS_HOST and
    PYRO_NS_PORT say where that is).
    read: ``"auto"`` confirms what handlers, `listen` and `unread` have shown; ``"manual"`` leaves it
    to `mark_read` and `unread`; ``"never"`` confirms nothing (a logging bot under a person's name).
    progress: called now and then with ``(messages here, messages in all)`` while the history comes.
    timing: the failure detector's times, where the server's differ from the defaults; `progress_seconds` of it is how
    long a history may not come before this raises.
    password: of a private room.
    fingerprint: SHA-256 (hexadecimal) of the certificate that the server has to show; it is remembered, so
    it is needed once. tls_ca: instead, a PEM file with the authorities that vouch for the certificate.
    tls_cert, tls_key: our own certificate and its key, in PEM, where the server demands one.
    accept_new_key: the server may be another than the one that is remembered for this room; it is remembered then.

    Raises InvalidName, InvalidRoomName, NameServerNotFound, RoomNotFound, RoomUnreachable, NameTaken,
    VersionMismatch, ServerFull, UntrustedServer, WrongPassword, Banned, ServerFault for a server that answers nonsense.
    """
    check_not_patched()
    name, room = checked_name(name), checked_place(room)
    timing = checked_timing(timing)
    finder, credentials = _way_in(name, room, at, password, fingerprint, tls_ca, tls_cert, tls_key, accept_new_key)
    chat = Chat(name, room, finder, credentials, read, timing)
    chat._open(progress)
    return chat


def open_poster(
    name: str,
    room: str = DEFAULT_ROOM,
    at: str | None = None,
    *,
    password: str | None = None,
    fingerprint: str | None = None,
    tls_ca: str | PathLike[str] | None = None,
    tls_cert: str | PathLike[str] | None = None,
    tls_key: str | PathLike[str] | None = None,
) -> Poster:
    """Connect to *room* as *name* to post there without being a member; see `join`."""
    check_not_patched()
    name, room = checked_name(name), checked_place(room)
    return Poster(name, room, *_way_in(name, room, at, password, fingerprint, tls_ca, tls_cert, tls_key))


def _way_in(
    name: str, room: str, at: str | None, password: str | None, fingerprint: str | None,
    tls_ca: str | PathLike[str] | None, tls_cert: str | PathLike[str] | None, tls_key: str | PathLike[str] | None,
    accept_new_key: bool = False,
) -> tuple[Finder, Credentials]:  # fmt: skip
    """How *room* is found, and what is shown there."""
    close_folder(config_folder(), is_in_config_folder)
    key = Key.kept_at(key_file())
    known, logs = KnownServers(known_servers_file()), KnownLogs(known_logs_file())
    tls = None
    accept_new_key = checked_flag(accept_new_key, "accept_new_key")
    if tls_key is not None and tls_cert is None:
        raise InvalidArgument("a key goes with its certificate: give tls_cert too")
    if fingerprint is not None and tls_ca is not None:
        raise InvalidArgument("a certificate is checked by its fingerprint or by authorities: give one of the two")
    if fingerprint is not None or tls_ca is not None or tls_cert is not None:
        tls = ClientTls(
            None if fingerprint is None else checked_fingerprint(fingerprint), _path(tls_ca, "tls_ca"),
            _path(tls_cert, "tls_cert"), _path(tls_key, "tls_key"),
        )  # fmt: skip
    credentials = Credentials(name, key, checked_password(password))
    finder: Finder = (
        ByNameServer(room, credentials, known, tls, logs, accept_new_key)
        if at is None
        else AtAddress(at, room, credentials, known, tls, logs, accept_new_key)
    )
    return finder, credentials


def _path(given: str | PathLike[str] | None, what: str) -> Path | None:
    return (
        None if given is None else checked_path(given, what).absolute()
    )  # it is read again whenever the connection is lost
