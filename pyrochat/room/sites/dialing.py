"""Calling another site: a connection on which both servers have proved their keys."""

import contextlib

from pyrochat.pyro.remote import Most, RemoteObject
from pyrochat.pyro.serializers import ValueBounds
from pyrochat.pyro.tls import ClientTls
from pyrochat.trust.certificates import fingerprint
from pyrochat.trust.keys import PUBLIC_KEY_BYTES, Key, verifies
from pyrochat.trust.proofs import NONCE_BYTES, Meeting, new_nonce, password_key
from pyrochat.values.addresses import Address
from pyrochat.values.errors import UntrustedServer, VersionMismatch, WrongPassword
from pyrochat.values.protocol import PROTOCOL_VERSION
from pyrochat.values.rules import decoded_hex

_MOST = Most(4 << 20, ValueBounds(100_000, 8))
CALL_SECONDS = 3.0


class PyroWire:
    """See `orders.sites.wire.Wire`. object_id: of the other's face. label, key: this site's. password: the room's, if it has one.

    Raises UntrustedServer, VersionMismatch, WrongPassword, and what `RemoteObject` raises.
    """

    def __init__(
        self, address: Address, object_id: str, label: str, key: Key, password: str | None, tls: ClientTls | None,
        seconds: float = CALL_SECONDS,
    ) -> None:  # fmt: skip
        nonce = new_nonce()
        greeting = {
            "site": label, "version": PROTOCOL_VERSION, "key": key.public.hex(), "nonce": nonce.hex(), "room": object_id,
        }  # fmt: skip
        with contextlib.ExitStack() as undo:
            self._remote = remote = RemoteObject(address, object_id, greeting, timeout=seconds, tls=tls)
            undo.callback(remote.close)
            answer = remote.greeting if isinstance(remote.greeting, dict) else {}
            if answer.get("version") != PROTOCOL_VERSION:
                raise VersionMismatch(
                    "the other site speaks another version of PyroChat's protocol: upgrade the older one"
                )
            certificate = fingerprint(remote.certificate) if remote.certificate else b""
            meeting = Meeting(
                label, key.public, nonce, object_id, _bytes(answer, "key", PUBLIC_KEY_BYTES),
                _bytes(answer, "nonce", NONCE_BYTES), certificate,
            )  # fmt: skip
            if not verifies(meeting.server_key, _bytes(answer, "signature", 64), meeting.for_server()):
                raise UntrustedServer("the other site can't show that its key is its own: nothing was sent to it")
            proof = None
            if answer.get("password"):
                if password is None:
                    raise WrongPassword.missing()
                proof = meeting.password_proof(password_key(password, meeting.server_key)).hex()
            remote.call("prove", key.sign(meeting.for_client()).hex(), proof)
            undo.pop_all()
        self.key = meeting.server_key.hex()

    def call(self, method: str, *arguments: object) -> object:
        """See `Wire`."""
        return self._remote.call(method, *arguments, most=_MOST)

    def close(self) -> None:
        """See `Wire`."""
        self._remote.close()


def _bytes(answer: dict[str, object], name: str, size: int) -> bytes:
    found = decoded_hex(answer.get(name), size)
    if found is None:
        raise UntrustedServer(f"the other site's greeting has no proper {name}")
    return found
