"""``pyrochat-server names`` and ``rooms``: what their lists show."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pyrochat.commands.registry import list_names
from pyrochat.commands.rooms import list_rooms
from pyrochat.room.door.registry import Registry


def test_found_14_a_wrong_clock_at_a_claim_spoils_no_list(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry(data)
    registry.claim("Ana", b"k" * 32)
    registry.claim("Igor", b"o" * 32)
    registry.remember_room("kitchen", "Ana")
    registry.close()
    db = sqlite3.connect(data / "names.sqlite3")
    db.execute("UPDATE names SET since_us = ? WHERE name = 'Ana'", (-(1 << 62),))
    db.execute("UPDATE names SET since_us = ? WHERE name = 'Igor'", (1 << 62,))
    db.execute("UPDATE rooms SET since_us = ?", (1 << 62,))
    db.commit()
    db.close()
    list_names(data)
    list_rooms(data)
    shown = capsys.readouterr().out
    assert "9000-01-01" in shown
    assert "kitchen" in shown
    assert "Ana" in shown
