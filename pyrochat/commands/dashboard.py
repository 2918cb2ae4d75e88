"""What the server's operator sees in a terminal: rooms, members, how far each lags, messages per second; of a cluster, who is there."""

import contextlib
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pyrochat.clock import monotonic
from pyrochat.room.server import Server
from pyrochat.room.status import RoomStatus

_MOST_SESSIONS = 12


class Dashboard:
    """A table that is drawn anew at each `refresh`. A context manager."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._tails: dict[str, int] = {}
        self._drawn_at = monotonic()
        self._live = Live(console=Console(), auto_refresh=False, transient=True)

    def refresh(self) -> None:
        """Draw what is true now."""
        now = monotonic()
        status = self._server.status()
        self._live.update(Group(self._rooms(status, now - self._drawn_at), self._sessions(status)), refresh=True)
        self._tails = {room.room: room.tail for room in status}
        self._drawn_at = now

    def _rooms(self, status: list[RoomStatus], seconds: float) -> Table:
        table = Table(title=f"PyroChat at {self._server.at} — Ctrl-C ends it", title_justify="left")
        table.add_column("room")
        for heading in ("messages", "per second", "members", "sessions", "most behind"):
            table.add_column(heading, justify="right")
        for room in status:
            rate = (room.tail - self._tails.get(room.room, room.tail)) / max(seconds, 0.001)
            lag = max((session.lag for session in room.sessions if session.connected), default=0)
            table.add_row(
                Text(room.room), f"{room.tail:,}", f"{rate:,.1f}",
                f"{room.members:,}", f"{len(room.sessions):,}", f"{lag:,}",
            )  # fmt: skip
        troubles = [trouble for room in status for trouble in (room.loss, room.trouble) if trouble]
        captions = [self._server.others, *dict.fromkeys(troubles)]
        if any(captions):
            table.caption = Text("\n".join(filter(None, captions)), style="bold red" if troubles else "")
        return table

    def _sessions(self, status: list[RoomStatus]) -> Table:
        rows = [(s.lag, room.room, s) for room in status for s in room.sessions]
        rows.sort(key=lambda row: (row[2].connected, -row[0], row[2].name))
        table = Table(
            title=f"the {min(len(rows), _MOST_SESSIONS)} furthest behind of {len(rows)}", title_justify="left"
        )
        for heading in ("member", "room", "state"):
            table.add_column(heading)
        table.add_column("behind", justify="right")
        for lag, room, session in rows[:_MOST_SESSIONS]:
            state = "connected" if session.connected else "lost"
            table.add_row(Text(session.name), Text(room), state, f"{lag:,}")
        return table

    def __enter__(self) -> Self:
        self._live.start()
        self.refresh()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone
            self._live.stop()
