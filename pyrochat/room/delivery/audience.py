"""What stands between a room and the multicaster: a room as an audience, a session as an outlet."""

from __future__ import annotations

import math
from typing import Protocol

from pyrochat.core.cursors import Cursor
from pyrochat.pyro.link import Link
from pyrochat.pyro.wire import WireMark
from pyrochat.values.protocol import Timing

__all__ = ["Audience", "Outlet"]


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

    def confirmed(self, outlet: Outlet, answer: object) -> None:
        """A delivery was answered."""

    def lost(self, outlet: Outlet, reason: str) -> None:
        """The connection of *outlet* is gone."""

    def tick(self, now: float) -> None:
        """Called about four times a second."""


class Outlet:
    """A session as the multicaster sees it: its room, its cursor, its link."""

    __slots__ = (
        "asked_at",
        "audience",
        "busy",
        "cursor",
        "last_sent",
        "link",
        "member",
        "notices",
        "oneway",
        "parting",
        "sealed",
        "session_id",
        "turned",
    )

    def __init__(
        self, audience: Audience, session_id: str, member: str, link: Link, position: int, turned: bool
    ) -> None:
        self.audience = audience
        self.session_id = session_id
        self.member = member
        self.link = link
        self.cursor = Cursor(position)
        self.turned = turned  # PyroChat's own client: understands `welcome` and `closing`
        self.oneway = False  # it takes deliveries that ask for nothing
        self.busy = False  # a request that is no delivery (welcome, closing) is under way
        self.notices: list[str] = []  # to be said before the next delivery
        self.parting = False  # it has been told that the server is being stopped
        self.sealed = 0  # it has the room's seal on the messages up to here
        self.last_sent = 0.0
        self.asked_at = (
            -math.inf
        )  # when it was last asked, or took a part of what asks; -inf: the next delivery has to ask

    @property
    def owes(self) -> bool:
        """Whether an answer of it is outstanding: nothing else can be asked before it is here."""
        return self.cursor.outstanding or self.busy

    @property
    def ready(self) -> bool:
        """Whether a delivery may go out: nothing is outstanding, or a small one may follow what is."""
        if self.busy or self.link.unsent:
            return False
        return not self.cursor.outstanding or (self.oneway and self.cursor.has_window())
