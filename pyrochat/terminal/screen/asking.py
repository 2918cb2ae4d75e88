"""Questions to a room, asked in threads of their own: the screen never waits for an answer."""

import threading
from collections.abc import Callable

from textual.app import App
from textual.notifications import SeverityLevel
from textual.widgets import TextArea

from pyrochat.terminal.hints import as_options
from pyrochat.terminal.room import OpenRoom
from pyrochat.terminal.screen.dialogs import Pages
from pyrochat.values.errors import PyroChatError
from pyrochat.values.visible import visible

_ROOMY_LINES = 30


def ask_room(
    app: App[None], ask: Callable[[], Pages | str | list[str]], tell: Callable[[list[str]], None] = lambda lines: None
) -> None:
    """Call *ask* in another thread, and show in *app* what it returns: a dialog, a text as a notice, lines by *tell*."""

    def run() -> None:
        try:
            answer = ask()
        except PyroChatError as error:
            app.call_later(complain, app, error)
        else:
            app.call_later(show, answer)

    writing = _written(app)

    def show(answer: Pages | str | list[str]) -> None:
        if isinstance(answer, str):
            if answer:
                say(app, answer)
        elif isinstance(answer, list):
            if answer:
                tell(answer)
        elif _written(app) != writing:  # a dialog would take the keys of somebody who writes on
            say(app, "the room has answered while you were writing: ask again to see it")
        else:
            app.push_screen(answer)

    threading.Thread(target=run, name="pyrochat-asking", daemon=True).start()


def say(app: App[None], text: str, severity: SeverityLevel = "information") -> None:
    """Say *text* beside the conversation; on a small screen in place of what was said before."""
    if app.size.height < _ROOMY_LINES:
        app.clear_notifications()
    app.notify(visible(text), severity=severity, markup=False)


def complain(app: App[None], error: object) -> None:
    """Say what went wrong."""
    say(app, as_options(str(error)), "error")


def _written(app: App[None]) -> str:
    """What stands in the composer."""
    return "".join(area.text for area in app.screen.query(TextArea))


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
