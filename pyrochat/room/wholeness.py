"""Is a room's log all that it ever was? What shows that it is not, and what follows.

A log can't know that its end is missing; somebody has to have seen more, and prove it. The room gives each
client its seal on what it has; a client that shows a seal on a message which the log does not have (like
that) any more stops the room until its operator has decided. A claim without a seal stops nobody. What the
operator has decided is settled: the log goes on under another identity, and a seal on an earlier one proves
nothing any more.
"""

from __future__ import annotations

import logging

from pyrochat.core.log import Log
from pyrochat.core.room import loss_text
from pyrochat.room.door.identity import Resumption
from pyrochat.trust.keys import Key
from pyrochat.trust.seals import checked_seal, make_seal
from pyrochat.values.errors import LogLost, OtherLog

__all__ = ["Wholeness"]

logger = logging.getLogger(__name__)

_SEAL_SECONDS = 2.0  # a new seal at most so often


class Wholeness:
    """What is known of the losses of *log*. key: the server's."""

    def __init__(self, log: Log, key: Key) -> None:
        self._log = log
        self._key = key
        self._seal = (0, "")
        self._sealed_at = 0.0
        if self.text is not None:
            logger.critical("%s", self.text)

    @property
    def text(self) -> str | None:
        """What to say while the operator has not decided; None while nothing is missing."""
        return None if self._log.loss is None else loss_text(self._log.room, self._log.loss)

    def check(self) -> None:
        """Raise LogLost while the operator has not decided."""
        if self._log.loss is not None:
            raise LogLost(self.text or "")

    def examine(self, name: str, resume: Resumption) -> str | None:
        """Is the replica that *resume* tells of the beginning of our log? Then None; else the loss, proven.

        Raises OtherLog where it comes from another log, or from what this one was before a loss was accepted; and
        LogLost where it differs and nothing proves that ours is to blame.
        """
        log = self._log
        is_ours = resume.log_id == log.identity
        if not is_ours and resume.position > log.forks.get(resume.log_id, -1):
            raise self._other_log(resume)
        if resume.position > log.tail:
            loss = f"{name} has message {resume.position}, the log ends at {log.tail}"
        elif resume.digest is not None and resume.digest != log.digest(resume.position):
            if not is_ours:
                raise self._other_log(resume)
            loss = f"what {name} has up to message {resume.position} is not what the log has"
        else:
            return None
        if not self._is_proven(resume):
            logger.warning("room %s: %s, but that is not proven", log.room, loss)
            raise LogLost(f"{loss}: ask the room's operator to look at its log, or join anew")
        return loss

    def _other_log(self, resume: Resumption) -> OtherLog:
        archived = self._log.archived.get(resume.log_id)
        if archived is not None:
            return OtherLog(
                f"room {self._log.room!r} was archived at message {archived}, and has begun a new log, with numbers of its "
                "own: join anew to get it"
            )
        return OtherLog(
            f"room {self._log.room!r} has another log now than the one that you have {resume.position} messages of: "
            "join anew to get it"
        )

    def _is_proven(self, resume: Resumption) -> bool:
        """Whether *resume* has our own seal on a message that the log doesn't have (like that) any more."""
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
