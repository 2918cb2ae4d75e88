"""The password of a server's rooms: who has given it, and how often anybody may guess.

Wrong ones are limited for each peer and for all together; while a limit holds, nobody it holds for is heard, not
even with the right one, else its answer would tell. So that guessing keeps nobody out who belongs here, a key
that has a name here is heard all the same, as long as it has not guessed wrong itself.
"""

import hashlib
import hmac
import threading
from dataclasses import dataclass

from pyrochat.clock import monotonic
from pyrochat.core.rates import Rate, TokenBuckets
from pyrochat.trust.proofs import Meeting, password_key
from pyrochat.values.errors import TooManyAttempts, WrongPassword

_OF_A_PEER = Rate(1.0, 0)
_IN_ALL = Rate(10.0, 20)
_OF_A_KNOWN_KEY = Rate(1 / 3600, 0)


@dataclass(frozen=True, slots=True)
class Guessing:
    """How many wrong passwords are heard a second: from one peer, and from all together.

    of_a_known_key: from one that has a name here, beside these two.
    """

    of_a_peer: Rate = _OF_A_PEER
    in_all: Rate = _IN_ALL
    of_a_known_key: Rate = _OF_A_KNOWN_KEY


class Passwords:
    """The right password, and who has guessed lately. Any thread may call."""

    def __init__(self, password: str, server_key: bytes, guessing: Guessing) -> None:
        self._key = password_key(password, server_key)
        self._digest = hashlib.sha256(password.encode()).digest()
        self._mutex = threading.Lock()  # guards what follows
        self._of_peers = TokenBuckets(guessing.of_a_peer)
        self._in_all = TokenBuckets(guessing.in_all)
        self._of_known_keys = TokenBuckets(guessing.of_a_known_key)

    def check_guest(self, peer: str, given: object) -> None:
        """A guest of *peer* has *given* the password itself. Raises WrongPassword, TooManyAttempts."""
        digest = None if given is None else hashlib.sha256(str(given).encode(errors="replace")).digest()
        self._check(peer, None, digest, self._digest)

    def check_proof(self, peer: str, known_key: bytes | None, given: bytes | None, meeting: Meeting) -> None:
        """Who has a key has *given* a proof of knowing the password. Raises WrongPassword, TooManyAttempts.

        known_key: that key, proved, where it has a name here.
        """
        self._check(peer, known_key, given, meeting.password_proof(self._key))

    def _check(self, peer: str, known_key: bytes | None, given: bytes | None, right: bytes) -> None:
        is_right = given is not None and hmac.compare_digest(given, right)
        with self._mutex:
            now = monotonic()
            limits = self._limits(peer, known_key, now)
            wait = max(buckets.charge(whose, 0, now) for buckets, whose in limits)
            if not wait and given is not None and not is_right:
                for buckets, whose in limits:
                    buckets.charge(whose, 1, now)
        if wait:
            raise TooManyAttempts(
                "a wrong password has just come from your address, or many have come: try again in a second"
            )
        if given is None:
            raise WrongPassword.missing()
        if not is_right:
            raise WrongPassword("the password is wrong: ask who hosts the room")

    def _limits(self, peer: str, known_key: bytes | None, now: float) -> list[tuple[TokenBuckets, str]]:
        """The buckets that hold for this guess, each with whose it is."""
        if known_key is not None and not self._of_known_keys.charge(known_key.hex(), 0, now):
            return [(self._of_known_keys, known_key.hex())]
        return [(self._of_peers, peer), (self._in_all, "")]
