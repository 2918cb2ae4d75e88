"""Who this client is, and how it proves that to a server which has shown who it is."""

import contextlib
import shlex
from dataclasses import dataclass

from pyrochat.client.answers import PROVE, ask
from pyrochat.client.place import RoomPlace
from pyrochat.pyro.remote import RemoteObject
from pyrochat.trust.certificates import fingerprint
from pyrochat.trust.keys import PUBLIC_KEY_BYTES, Key, shown, verifies
from pyrochat.trust.proofs import NONCE_BYTES, Meeting, new_nonce, password_key
from pyrochat.values.addresses import shown_address
from pyrochat.values.errors import UntrustedServer, VersionMismatch, WrongPassword
from pyrochat.values.protocol import PROTOCOL_VERSION
from pyrochat.values.rules import decoded_hex


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name, the key that it belongs to, and the room's password, if there is one."""

    name: str
    key: Key
    password: str | None = None

    def enter(self, place: RoomPlace, session_id: str | None, timeout: float) -> tuple[RemoteObject, bytes]:
        """A connection to the room at *place* on which both sides have proved who they are; and the server's key.

        Raises UntrustedServer, VersionMismatch, WrongPassword, NameTaken, and what `RemoteObject` raises.
        """
        object_id = place.object_id
        nonce = new_nonce()
        greeting: dict[str, object] = {
            "name": self.name, "version": PROTOCOL_VERSION, "key": self.key.public.hex(), "nonce": nonce.hex(),
            "room": object_id,
        }  # fmt: skip
        if session_id is not None:
            greeting["session"] = session_id
        with contextlib.ExitStack() as undo:
            remote = RemoteObject(place.address, object_id, greeting, timeout=timeout, tls=place.tls)
            undo.callback(remote.close)
            certificate = fingerprint(remote.certificate) if remote.certificate else b""
            answer = remote.greeting if isinstance(remote.greeting, dict) else {}
            _check_version(answer.get("version"))
            meeting = Meeting(
                self.name, self.key.public, nonce, object_id, _bytes(answer, "key", PUBLIC_KEY_BYTES),
                _bytes(answer, "nonce", NONCE_BYTES), certificate,
            )  # fmt: skip
            if not verifies(meeting.server_key, _bytes(answer, "signature", 64), meeting.for_server()):
                raise UntrustedServer("the server can't show that its key is its own: nothing was sent to it")
            if place.server_key not in (None, meeting.server_key):
                raise UntrustedServer(
                    f"ROOM {place.room} AT {shown_address(place.address)} IS NOT ON THE SERVER THAT YOU KNOW: "
                    f"its key is {shown(meeting.server_key)}. Nothing was sent. Somebody may have rewritten the name "
                    "server, or hosts the room anew; if you trust who does (a client that is open comes in by itself then), "
                    f"say: pyrochat servers forget {shlex.quote(place.room)} (in Python: join(..., accept_new_key=True))"
                )
            password = self._password_proof(meeting, bool(answer.get("password")))
            ask(remote, PROVE, self.key.sign(meeting.for_client()).hex(), password)
            undo.pop_all()
        return remote, meeting.server_key

    def _password_proof(self, meeting: Meeting, wanted: bool) -> str | None:
        if not wanted:
            return None
        if self.password is None:
            raise WrongPassword.missing()
        return meeting.password_proof(password_key(self.password, meeting.server_key)).hex()


def _check_version(version: object) -> None:
    if version != PROTOCOL_VERSION:
        spoken = f"version {version}" if type(version) is int and 0 <= version < 10**6 else "no version"
        raise VersionMismatch(
            f"the server speaks {spoken} of PyroChat's protocol, this client {PROTOCOL_VERSION}: upgrade the older one"
        )


def _bytes(answer: dict[str, object], field: str, size: int) -> bytes:
    found = decoded_hex(answer.get(field), size)
    if found is None:
        raise UntrustedServer(f"the server's greeting has no proper {field}: is it a PyroChat server of this version?")
    return found
