"""The plain client that is no member: lines in, none out. For pipes that have something to say and nothing to read."""

from pyrochat.client.poster import Poster
from pyrochat.terminal.commands import ChatCommand
from pyrochat.terminal.typed import Typist, Write


class PostingClient(Typist):
    """Posts with *poster* what is typed. See `Typist`."""

    def __init__(self, poster: Poster, complain: Write, status: Write | None = None) -> None:
        super().__init__(complain, status)
        self._poster = poster
        poster.on_state = self._show_state

    @property
    def state(self) -> str:
        """See `Typist`."""
        return self._poster.state

    def _post(self, texts: list[str]) -> None:
        self._poster.post(texts)

    def _answer(self, command: ChatCommand) -> None:
        self._say(f"error: /{command.name} is for members: leave --no-join out (//{command.name} sends it as a text)")

    def leave(self, timeout: float | None = None) -> None:
        """See `Typist`."""
        self._poster.leave()
