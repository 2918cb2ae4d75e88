"""The operator's socket while several servers of a folder start at once; what is asked by it: `system/test_operators_redaction`."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from pyrochat.room import operating
from pyrochat.room.operating import OperatorSocket, ask_to_redact


def test_who_starts_beside_it_does_not_take_away_a_socket_that_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class BesideAnother(socket.socket):
        """Before it listens another server starts in the folder."""

        def listen(self, backlog: int = 8, /) -> None:
            assert not ask_to_redact(tmp_path, "lobby", 1)
            super().listen(backlog)

    monkeypatch.setattr(operating, "not_for_children", lambda made: BesideAnother(fileno=made.detach()))
    with contextlib.closing(OperatorSocket(tmp_path, lambda room, id: (room, id) == ("lobby", 1))):
        assert ask_to_redact(tmp_path, "lobby", 1)
    assert list(tmp_path.iterdir()) == []
