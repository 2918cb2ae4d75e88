"""The operator's socket while several servers of a folder start at once; what is asked by it: `system/test_operators_redaction`."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from pyrochat.room import operating
from pyrochat.room.operating import OperatorSocket, ask_server


def test_who_starts_beside_it_does_not_take_away_a_socket_that_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class BesideAnother(socket.socket):
        """Before it listens another server starts in the folder."""

        def listen(self, backlog: int = 8, /) -> None:
            assert ask_server(tmp_path, "greet", name="Ana") is None
            super().listen(backlog)

    monkeypatch.setattr(operating, "not_for_children", lambda made: BesideAnother(fileno=made.detach()))
    with contextlib.closing(OperatorSocket(tmp_path, {"greet": lambda name: f"hello {name}"})):
        assert ask_server(tmp_path, "greet", name="Ana") == "hello Ana"
    assert list(tmp_path.iterdir()) == []
