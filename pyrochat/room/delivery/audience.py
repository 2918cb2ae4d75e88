"""What stands between a room and the multicaster: a room as an audience, a session as an outlet."""

from __future__ import annotations

from typing import Protocol

from pyrochat.core.delivery import Receiver
from pyrochat.core.marks import Mark
from pyrochat.pyro.link import Link
from pyrochat.pyro.wire import WireMark
from pyrochat.values.protocol import Timing


class Outlet(Receiver):
    """A receiver with its connection, of the room *audience*."""

    __slots__ = ("audience", "link")

    def __init__(
        self, audience: Audience, session_id: str, member: str, link: Link, position: int, understands: bool
    ) -> None:
        super().__init__(session_id, member, position, understands)
        self.audience = audience
        self.link = link


class Audience(Protocol):
    """What the multicaster needs of a room."""

    timing: Timing

    def end(self) -> int:
        """The id of the last message that can be delivered."""

    def after(self, position: int) -> list[bytes] | None:
        """The encoded messages after *position*; None while they are being read."""

    def seal(self, newest: bool) -> tuple[int, str]:
        """An id and the room's seal on it; not older than 2 s, or on the newest message; the id is 0 for none."""

    def marks_since(self, version: int, limit: int) -> tuple[list[WireMark], int]:
        """The marks that changed after *version*, and the version reached."""

    def marks_version(self) -> int:
        """The newest version of the marks."""

    def member_count(self) -> int:
        """How many members the room has now."""

    def admitted(self, outlet: Outlet) -> bool:
        """The connection of *outlet* stands; False where its session has ended meanwhile."""

    def confirmed(self, outlet: Outlet, mark: Mark) -> None:
        """A delivery was answered with *mark*."""

    def lost(self, outlet: Outlet, reason: str) -> None:
        """The connection of *outlet* is gone."""

    def tick(self, now: float) -> None:
        """Called about four times a second."""
