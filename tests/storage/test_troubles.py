"""What goes wrong is told once for each kind, and again when it was over for a while."""

from __future__ import annotations

import logging

import pytest

from pyrochat.storage.troubles import Troubles


def test_found_27e_each_kind_is_told_once_until_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    troubles = Troubles("the disk", again_seconds=0)
    for _ in range(3):
        troubles.say("read EIO", "can't be read")
        troubles.say("write EIO", "can't be written", logging.ERROR)
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "the disk: can't be read"), ("ERROR", "the disk: can't be written"),
    ]  # fmt: skip
    troubles.over("read")
    troubles.say("write EIO", "can't be written")
    troubles.say("read EIO", "can't be read, again")
    assert [record.message for record in caplog.records[2:]] == ["the disk: can't be read, again"]
    troubles.over()
    troubles.say("write EIO", "can't be written, again")
    assert len(caplog.records) == 4


def test_found_27e_what_comes_and_goes_is_not_told_each_time(caplog: pytest.LogCaptureFixture) -> None:
    troubles = Troubles("the disk", again_seconds=3600)
    for _ in range(3):
        troubles.say("read EIO", "can't be read")
        troubles.over("read")
    assert len(caplog.records) == 1
