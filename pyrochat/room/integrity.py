"""The integrity of a room's log, with the server's key: `core.integrity` decides, here seals are made and checked."""

import logging

from pyrochat.core.integrity import DIFFERS, Resumption, examine, loss_text
from pyrochat.core.log import Log
from pyrochat.trust.keys import Key
from pyrochat.trust.seals import checked_seal, make_seal
from pyrochat.values.errors import LogLost, RoomClosing

logger = logging.getLogger(__name__)

_SEAL_SECONDS = 2.0  # a new seal at most so often


class Integrity:
    """What is known of the losses of *log*. key: the server's."""

    def __init__(self, log: Log, key: Key) -> None:
        self._log = log
        self._key = key
        self._seal = (0, "")
        self._sealed_at = 0.0

    @property
    def text(self) -> str | None:
        """What to say while the operator has not decided; None while nothing is missing."""
        return None if self._log.loss is None else loss_text(self._log.room, self._log.loss)

    def check(self) -> None:
        """Raise LogLost while the operator has not decided; RoomClosing where other servers have the log."""
        if self._log.loss is not None:
            raise (RoomClosing if self._log.loss.startswith(DIFFERS) else LogLost)(self.text or "")

    def examine(self, name: str, resume: Resumption) -> str | None:
        """See `core.integrity.examine`. What is not proven is logged."""
        try:
            return examine(self._log, name, resume, self._is_proven)
        except LogLost as error:
            logger.warning("room %s: %s, but that is not proven", self._log.room, str(error).partition(": ")[0])
            raise

    def _is_proven(self, resume: Resumption) -> bool:
        """Whether there is our own seal on a message that the log doesn't have (like that) any more."""
        if resume.proof is None:
            return False
        id, text = resume.proof
        seal = checked_seal(text, self._key.public, self._log.identity, id)
        return seal is not None and (id > self._log.tail or self._log.digest(id) != seal.digest)

    def seal(self, newest: bool, now: float) -> tuple[int, str]:
        """An id and our seal on the log up to it: not older than 2 s, or on the *newest* message."""
        if newest or now >= self._sealed_at + _SEAL_SECONDS:
            id, digest = self._log.tip
            if id > self._seal[0]:
                self._seal, self._sealed_at = (id, make_seal(self._key, self._log.identity, id, digest)), now
        return self._seal
