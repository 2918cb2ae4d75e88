"""The server command: what goes on in it while it serves."""

from __future__ import annotations

import pytest

from pyrochat import Server
from pyrochat.commands.dashboard import Dashboard
from pyrochat.commands.serving import show_until_closed
from tests.support import Running, eventually, stumbling


def test_found_10_a_dashboard_that_can_not_be_drawn_ends_no_server(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    kind = stumbling(Dashboard, "refresh", times=3, error=ZeroDivisionError())
    showing = Running(lambda: show_until_closed(server, kind(server), seconds=0.001))
    eventually(lambda: kind.stumbles == 3)  # type: ignore[attr-defined]
    assert not showing.is_done
    server.close()
    showing.result()
    assert any(record.exc_info for record in caplog.records)
