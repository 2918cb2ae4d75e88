"""Fixtures of the tests of security: members from folders of their own, at whichever server; processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import pyrochat
from pyrochat import Chat
from tests.security.support import Join
from tests.support import QUICK
from tests.system.support import Machine


@pytest.fixture
def joined(config_dir: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Join]:
    """As `joined` everywhere else, but the usual server is only started where no ``at`` says another."""
    chats: list[Chat] = []

    def join(name: str, client: str = "", **options: object) -> Chat:
        if "at" not in options:
            options["at"] = request.getfixturevalue("server").at
        with monkeypatch.context() as patch:
            if client:
                patch.setenv("PYROCHAT_CONFIG_DIR", str(config_dir.with_name(f"config-{client}")))
            chats.append(pyrochat.join(name, **({"timing": QUICK} | options)))
        return chats[-1]

    yield join
    for chat in chats:
        chat.leave()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Where a test starts its processes; all are gone at its end."""
    machine = Machine(tmp_path)
    yield machine
    machine.switch_off()
