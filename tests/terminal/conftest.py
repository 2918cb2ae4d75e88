"""Fixtures of the terminal's tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyrochat import Server


@pytest.fixture
def restarted(server: Server, host_lobby: Callable[..., Server]) -> Callable[[], Server]:
    """Closes the server (if it is not closed) and starts another at its port, with its data."""

    def restart() -> Server:
        server.close()
        return host_lobby(port=server.port)

    return restart
