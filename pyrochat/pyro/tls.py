"""TLS under Pyro5's protocol. Contexts are our own; Pyro5's configuration knows nothing of them."""

import selectors
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from Pyro5.errors import ConnectionClosedError, ProtocolError

from pyrochat.pyro.connection import WOULD_BLOCK, Connection
from pyrochat.pyro.forks import not_for_children
from pyrochat.trust.certificates import certificate_in_pem, expired_at, fingerprint
from pyrochat.trust.files import read_small
from pyrochat.values.addresses import Address, shown_address
from pyrochat.values.errors import InvalidArgument, RoomSilent, RoomUnreachable, UntrustedServer
from pyrochat.values.wire_errors import wire_text


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What a server shows, and what it demands.

    certificate, key: files in PEM; both may be the same one. client_ca: the authorities whose
    certificates clients have to show (mutual TLS); None demands nothing.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def shown(self) -> bytes:
        """The certificate itself, in DER. Raises InvalidArgument."""
        return certificate_in_pem(_read(self.certificate), self.certificate)

    def context(self) -> ssl.SSLContext:
        """For the listening side. Raises InvalidArgument for files that can't be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(context, self.certificate, self.key)
        if self.client_ca is not None:
            _trust(context, self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class ServerHandshake:
    """The beginning of a connection to a TLS port, in steps that never wait."""

    def __init__(self, connection: Connection, context: ssl.SSLContext) -> None:
        self._connection = connection
        self._context = context
        self._wrapped = False

    def step(self) -> int | None:
        """Go on as far as the peer lets us: the selector's event to wait for, None when TLS stands.

        Raises OSError, ConnectionClosedError, and ProtocolError for a plain client.
        """
        try:
            if not self._wrapped:
                first = self._connection.sock.recv(1, socket.MSG_PEEK)
                if not first:
                    raise ConnectionClosedError("the peer closed the connection")
                if first == b"P":  # the first letter of every frame of Pyro5's
                    refusal = UntrustedServer(
                        "this server speaks TLS: join with the line that its operator gives (with its fingerprint=)"
                    )
                    raise ProtocolError(wire_text(refusal))
                wrapped = self._context.wrap_socket(
                    self._connection.sock, server_side=True, do_handshake_on_connect=False
                )
                self._connection.sock = not_for_children(wrapped)
                self._wrapped = True
            assert isinstance(self._connection.sock, ssl.SSLSocket)
            self._connection.sock.do_handshake()
        except ssl.SSLWantWriteError:
            return selectors.EVENT_WRITE
        except WOULD_BLOCK:
            return selectors.EVENT_READ
        return None


@dataclass(frozen=True, slots=True)
class ClientTls:
    """What a client demands of a server's certificate.

    fingerprint: SHA-256 that it has to have; None where an authority vouches for it. ca: a file with
    authorities in PEM; None for those that the system trusts. certificate, key: our own, in PEM, for a
    server that demands one. is_proved: any is taken, because the server's proof of its key names its certificate
    (`trust.proofs`).
    """

    fingerprint: bytes | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    is_proved: bool = False

    def wrap(self, sock: socket.socket, address: Address) -> ssl.SSLSocket:
        """TLS over the connected *sock*, within its timeout. Raises UntrustedServer, RoomSilent, InvalidArgument."""
        where = shown_address(address)
        context = self._context()
        try:
            wrapped = context.wrap_socket(sock, server_hostname=address[0])
        except ssl.SSLCertVerificationError as error:
            raise UntrustedServer(
                f"the certificate of {where} is not to be trusted ({error.verify_message}): nothing was sent. "
                "Ask its operator for the right fingerprint= or tls_ca="
            ) from None
        except TimeoutError:
            raise RoomSilent(f"{where} doesn't answer TLS's greeting: does it speak TLS?") from None
        except ValueError as error:
            raise InvalidArgument(f"{address[0]!r} can't be a server's name ({error})") from None
        except (ssl.SSLEOFError, ConnectionError) as error:
            raise RoomUnreachable(
                f"the connection to {where} was cut in TLS's greeting ({_reason(error)}): is the server there, and with TLS?"
            ) from None
        except OSError as error:  # of many kinds, where the other side speaks no TLS
            raise UntrustedServer(
                f"no TLS connection to {where} ({_reason(error)}): if its operator says that it was started without "
                "TLS, join it without fingerprint= and tls_ca=, and see what you remember of it: pyrochat servers list"
            ) from None
        try:
            self._examine(certificate_of(wrapped), where)
        except UntrustedServer:
            wrapped.close()
            raise
        return wrapped

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.fingerprint is not None or self.is_proved:
            context.check_hostname = False  # the fingerprint says more than a name could
            context.verify_mode = ssl.CERT_NONE
        elif self.ca is not None:
            _trust(context, self.ca)
        else:
            context.load_default_certs()
        if self.certificate is not None:
            _load(context, self.certificate, self.key or self.certificate)
        return context

    def _examine(self, certificate: bytes, where: str) -> None:
        if self.fingerprint is None:
            return  # the handshake has
        seen = fingerprint(certificate)
        if seen != self.fingerprint:
            raise UntrustedServer(
                f"THE CERTIFICATE OF {where} IS NOT THE ONE YOU KNOW: its fingerprint is {seen.hex()}, "
                f"expected {self.fingerprint.hex()}. Nothing was sent. Somebody may be in between; "
                "if its operator confirms the new one, join with fingerprint= and that"
            )
        expired = expired_at(certificate)
        if expired is not None:
            raise UntrustedServer(
                f"the certificate of {where} is not valid (limit: {expired:%Y-%m-%d %H:%M} UTC): "
                "nothing was sent. Its operator has to give the server a new one"
            )


def certificate_of(sock: socket.socket) -> bytes:
    """The certificate that the peer has shown, in DER; empty without TLS."""
    return (sock.getpeercert(binary_form=True) or b"") if isinstance(sock, ssl.SSLSocket) else b""


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    _read(certificate), _read(key)
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (ssl.SSLError, OSError) as error:
        raise InvalidArgument(f"{certificate} and {key} are no certificate with its key ({_reason(error)})") from None


def _trust(context: ssl.SSLContext, authorities: Path) -> None:
    _read(authorities)
    try:
        context.load_verify_locations(authorities)
    except (ssl.SSLError, OSError) as error:
        raise InvalidArgument(f"{authorities} holds no certificates in PEM ({_reason(error)})") from None


def _read(path: Path) -> bytes:
    try:
        return read_small(path)
    except OSError as error:
        raise InvalidArgument(f"can't read {path}: {error.strerror}") from None


def _reason(error: OSError) -> str:
    reason = getattr(error, "reason", None) or error.strerror or str(error)
    return str(reason).replace("_", " ").lower()
