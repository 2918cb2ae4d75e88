"""What the operator reads of who comes and goes."""

from __future__ import annotations

import logging

import pytest

import pyrochat
from pyrochat import Server
from pyrochat.pyro.bounded_log import BoundedLog
from pyrochat.room import journal
from tests.support import QUICK, eventually


def test_found_31_a_session_that_another_connection_takes_over_is_said(
    server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_log", BoundedLog(journal._log._log))  # what other tests have said counts elsewhere
    with (
        caplog.at_level(logging.INFO, "pyrochat.room.journal"),
        pyrochat.join("Ana", at=server.at, timing=QUICK) as ana,
    ):
        first = ana._session._remote
        assert first is not None
        ana._session._connect()  # as after a loss that the server has not noticed yet
        first.close()
        assert ana.send("hi").id == 2
        eventually(lambda: len(caplog.messages) >= 2)  # the client may come back once more: its first line is gone
    assert caplog.messages[:2] == [
        "room lobby: Ana has joined, from 127.0.0.1",
        "room lobby: a session of Ana is taken over, from 127.0.0.1",
    ]
    eventually(lambda: caplog.messages[-1] == "room lobby: Ana has left, from 127.0.0.1")
