"""The server command: what it tells its operator, and what goes on in it while it serves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyrochat import Server
from pyrochat.commands.dashboard import Dashboard
from pyrochat.commands.server import _announce, show_until_closed
from tests.support import Running, eventually, stumbling


@pytest.mark.parametrize("tls", [False, True])
def test_found_12b_a_server_that_is_open_to_others_says_what_holds_only_with_tls(
    host_lobby: Callable[..., Server], capsys: pytest.CaptureFixture[str], tls: bool
) -> None:
    server = host_lobby(tls=tls)
    _announce(server, open_to_others=True)
    said = capsys.readouterr()
    assert "others join with: pyrochat-client NAME --at" in said.out
    assert ("--fingerprint" in said.out) == tls
    for word in ("nothing is encrypted", "can read everything", "write under the name", "--tls"):
        assert (word in said.err) != tls
    assert said.err.count("\n") == (not tls), "one line"


def test_found_10_a_dashboard_that_can_not_be_drawn_ends_no_server(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    kind = stumbling(Dashboard, "refresh", times=3, error=ZeroDivisionError())
    showing = Running(lambda: show_until_closed(server, kind(server), 0.001))
    eventually(lambda: kind.stumbles == 3)  # type: ignore[attr-defined]
    assert not showing.is_done
    server.close()
    showing.result()
    assert any(record.exc_info for record in caplog.records)
