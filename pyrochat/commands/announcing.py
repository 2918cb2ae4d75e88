"""What ``pyrochat-server`` says when its rooms are ready: where they are, what others type, and whether that leads to them."""

import ipaddress
import socket
import sys

from pyrochat.commands.streams import discard
from pyrochat.room.server import Server
from pyrochat.terminal.streams import write_status
from pyrochat.trust.certificates import expired_at
from pyrochat.values.addresses import Address
from pyrochat.values.protocol import DEFAULT_ROOM

EVERYWHERE = ("0.0.0.0", "::")
_SOMEWHERE: Address = ("192.0.2.1", 9)  # TEST-NET-1 (RFC 5737): where the default route leads


def announce(serving: Server, host: str | None, shown: str | None) -> None:
    """Print one line for each room, and one for others.

    host: what the operator has told the server to listen on, if anything. shown: by which host others reach it, where
    that is not *host*; None where nobody knows.
    """
    if serving.started_nameserver:
        _print(f"no name server answered: started one at {serving.started_nameserver}")
    for name in serving.rooms:
        _print(f"room {name!r} ready at {serving.uri(name)}")
    secure = f" --fingerprint {serving.fingerprint}" if serving.fingerprint else ""
    is_open = not _is_loopback(serving.listens_on)
    if is_open or secure:
        room = "" if serving.rooms[0] == DEFAULT_ROOM else f" --room {serving.rooms[0]}"
        others = "others" if is_open else "others on this machine"
        _print(f"{others} join with: pyrochat-client NAME{room} --at {serving.at}{secure}")
    for trouble in _troubles(serving, host, shown, is_open, bool(secure)):
        _warn(trouble)


def _troubles(serving: Server, host: str | None, shown: str | None, is_open: bool, is_secure: bool) -> list[str]:
    found = []
    expired = expired_at(serving.certificate) if serving.certificate else None
    if expired:
        found.append(f"the certificate is not valid (limit: {expired:%Y-%m-%d %H:%M} UTC): members will refuse it")
    if is_open and not is_secure:
        found.append(
            f"nothing is encrypted: whoever is on the way to port {serving.port} can read everything, and change it or "
            "write under the name of whoever has connected; only --tls prevents that"
        )
    if is_open and serving.listens_on in EVERYWHERE and shown is None:
        found.append(
            "this machine's address in the network can't be told (there is no default route): where others can't reach "
            f"{serving.at}, name the host that they reach it by, with --advertise"
        )
    elif is_open and shown is not None and _is_loopback(shown):
        found.append(f"others reach themselves at {shown}, and not this machine: give its address with --advertise")
    elif not is_open and host is not None and not _is_loopback(host):
        found.append(
            f"{host} is {serving.listens_on} here, which leads others to themselves: only programs on this machine reach "
            "the rooms. To let others in, give --lan, or this machine's address in the network with --host"
        )
    return found


def _is_loopback(host: str) -> bool:
    """Whether *host*, as it is written, is for programs on the same machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def network_address(towards: Address = _SOMEWHERE, name: str | None = None) -> str | None:
    """This machine's address in the network, None where it can't be told; nothing is sent to find it.

    towards: to which address it would send. name: this machine's, which may have an address where there is no route;
    but Debian gives it 127.0.1.1 then.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(towards)  # only chooses the interface
            return str(probe.getsockname()[0])
        except OSError:
            pass
    try:
        own = socket.getaddrinfo(name or socket.gethostname(), None, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return None
    return next((str(info[4][0]) for info in own if not _is_loopback(str(info[4][0]))), None)


def _print(text: str) -> None:
    """Print *text*. The rooms are served whether anybody can read that or not."""
    try:
        print(text, flush=True)
    except OSError as error:
        discard(sys.stdout)
        _warn(f"standard output can't be written ({error.strerror}): from now on nothing is, the rooms are served")


def _warn(text: str) -> None:
    write_status(f"warning: {text}")
