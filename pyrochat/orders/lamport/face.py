"""What a site of a totally ordered room answers to others, whatever carries their calls. *key*: the public key that the caller
has proved."""

import logging
from collections.abc import Sequence
from typing import Any

from pyrochat.core.graph.bodies import site_id
from pyrochat.core.graph.disk import Row
from pyrochat.orders.lamport.presence import Who
from pyrochat.orders.lamport.site import LamportSite
from pyrochat.orders.sites.face import LOOKING, SiteFace, is_address
from pyrochat.values.errors import InvalidArgument, LogUnavailable, OtherLog, RoomClosing, VersionMismatch

log = logging.getLogger(__name__)

ORDERED = "ordered"
_MOST_CHARACTERS = 64 << 20  # of what is said in pieces
_WRITING_SECONDS = 2.5


class Face(SiteFace):
    """See `SiteFace`. site: None as long as it looks."""

    def __init__(self, look_id: str) -> None:
        super().__init__(look_id)
        self.site: LamportSite | None = None
        self._pieces: dict[str, list[str]] = {}

    def meet(self, key: str, at: object) -> list[object]:
        """``[state, root, who, stays]`` of this site, or its look id in the place of who; a caller says where it is, if others can get
        there. stays: see `LamportSite.stays`."""
        self._called_from(at)
        if self.site is None or self.site.disk.root is None:
            return [LOOKING, "", self.look_id, False]
        return [ORDERED, self.site.disk.root.hex(), self.site.who().packed(), self.site.stays()]

    def push(self, key: str, root: object, who: object, said: object, rows: object) -> list[object]:
        """*who*, of the server with *key*, says something: ``[view's number, is first, is last, piece]`` each, and what
        stands beside the streams; returns who this site is, and where others are, when it is on disk.

        Raises InvalidArgument, OtherLog, RoomClosing, VersionMismatch, ServerFull, LogUnavailable.
        """
        site, caller = self._checked(key, root, who)
        done = site.hear(caller, self._joined(caller.site, said), rows_from_wire(rows))
        if not done.wait(_WRITING_SECONDS):
            raise LogUnavailable("the site is busy")
        return [site.who().packed(), list(self.addresses())]

    def beside(self, key: str, root: object, who: object) -> list[object]:
        """All that stands beside the streams. Raises as `push` does."""
        site, _ = self._checked(key, root, who)
        return rows_to_wire(site.rows())

    @staticmethod
    def refuse_causal() -> None:
        """Raise VersionMismatch for a site of a causal room, which has met this one."""
        raise VersionMismatch('the room of this name is a totally ordered one here: join it with order="lamport"')

    def _checked(self, key: str, root: object, who: object) -> tuple[LamportSite, Who]:
        site = self.site
        if site is None or site.disk.root is None:
            raise RoomClosing("this site looks for the room itself: try again in a moment")
        if root != site.disk.root.hex():
            raise OtherLog("this is another room of the same name, which was founded by itself")
        caller = Who.of(who)
        if site_id(key, caller.nonce) != caller.site:
            raise InvalidArgument("a site's id is made of its server's key and its nonce")
        if is_address(caller.at):
            self.met(caller.at)
        return site, caller

    def _joined(self, caller: str, said: Any) -> list[tuple[int, str]]:
        """The messages that are whole by now."""
        whole: list[tuple[int, str]] = []
        try:
            for number, is_first, is_last, piece in said:
                pieces = [] if is_first else self._pieces.pop(caller, [])
                pieces.append(str(piece))
                if sum(map(len, pieces)) > _MOST_CHARACTERS:
                    raise ValueError("too long")
                if is_last:
                    whole.append((int(number), "".join(pieces)))
                else:
                    self._pieces[caller] = pieces
        except (TypeError, ValueError) as error:
            raise InvalidArgument(f"not what a site says: {error}") from None
        return whole


def rows_to_wire(rows: Sequence[Row]) -> list[object]:
    """*rows* as plain values."""
    return [[row.stream, row.label, row.version, row.data.decode()] for row in rows]


def rows_from_wire(fields: Any) -> list[Row]:
    """What `rows_to_wire` made *fields* of. Raises InvalidArgument."""
    try:
        rows = [Row(stream, label, version, data.encode()) for stream, label, version, data in fields]
        if not all(isinstance(r.stream, str) and isinstance(r.label, str) and type(r.version) is int for r in rows):
            raise ValueError("no row")
        return rows
    except (TypeError, ValueError, AttributeError) as error:
        raise InvalidArgument(f"not what stands beside a stream: {error}") from None


def addresses_of(said: object) -> list[str]:
    """Where sites are, as another has said."""
    return [str(at) for at in said if is_address(at)] if isinstance(said, list | tuple) else []
