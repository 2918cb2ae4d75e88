"""What the server command tells its operator."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyrochat import Server
from pyrochat.commands.server import _announce


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
