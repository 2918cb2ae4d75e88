"""`pyrochat-server` with one more object, whose `post` does nothing: what a call costs by itself."""

from typing import Any

from lab.benchmarks.peers.pyrochat_peer import EMPTY_OBJECT
from pyrochat.commands import server as command
from pyrochat.pyro.daemon import Daemon
from pyrochat.pyro.dispatch import expose
from pyrochat.room.server import Server


@expose
class Empty:
    """Takes what a room takes."""

    def post(self, text: str, key: str | None = None) -> None:
        """Do nothing."""


class ServerWithEmptyMethod(Server):
    """A server whose daemon has an `Empty` beside its rooms."""

    def _start_daemon(self, *arguments: Any) -> Daemon:
        daemon = super()._start_daemon(*arguments)
        daemon.register(Empty(), EMPTY_OBJECT)
        return daemon


if __name__ == "__main__":
    command.Server = ServerWithEmptyMethod  # type: ignore[attr-defined]
    command.run()
