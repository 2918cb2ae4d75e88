"""Questions to a room, asked in threads of their own: the screen never waits for an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable

from textual.app import App

from pyrochat.terminal.room import OpenRoom
from pyrochat.terminal.screen.dialogs import Pages
from pyrochat.terminal.text import visible
from pyrochat.values.errors import PyroChatError

__all__ = ["Suspects", "ask_room", "complain"]


def ask_room(app: App[None], ask: Callable[[], Pages | str]) -> None:
    """Call *ask* in another thread, and show in *app* what it returns: a dialog, or a text as a notice."""

    def run() -> None:
        try:
            answer = ask()
        except PyroChatError as error:
            app.call_later(complain, app, error)
        else:
            app.call_later(show, answer)

    def show(answer: Pages | str) -> None:
        if isinstance(answer, str):
            app.notify(visible(answer), markup=False)
        else:
            app.push_screen(answer)

    threading.Thread(target=run, name="pyrochat-asking", daemon=True).start()


def complain(app: App[None], error: object) -> None:
    """Say what went wrong."""
    app.notify(visible(str(error)), severity="error", markup=False)


class Suspects:
    """Who was lost and may come back, in each room, as the rooms said last."""

    def __init__(self) -> None:
        self._known: dict[str, list[str]] = {}
        self._asking = False

    def of(self, room: OpenRoom) -> list[str]:
        """The names."""
        return self._known.get(room.name, [])

    def ask(self, room: OpenRoom) -> None:
        """Ask *room*, unless it can't be reached or an answer is still awaited."""
        if self._asking or room.chat.state != "connected":
            return
        self._asking = True

        def run() -> None:
            try:
                self._known[room.name] = room.chat.suspected()
            except PyroChatError:
                pass  # it is asked again
            finally:
                self._asking = False

        threading.Thread(target=run, name="pyrochat-suspected", daemon=True).start()
