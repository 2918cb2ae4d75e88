"""How the screen reads a terminal: as Textual does, but that nothing that comes from there ends the program."""

import logging
import os
import selectors

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from pyrochat.terminal.screen.widths import held_in_place
from pyrochat.terminal.writing.typed_bytes import TypedBytes
from pyrochat.threads import Defects

_SECONDS = 0.1
_BYTES = 4096

_defects = Defects(logging.getLogger("pyrochat"))


def set_title(app: App[None], title: str) -> None:
    """Give the terminal's window *title*, which is harmless; where the screen is a terminal."""
    if isinstance(app._driver, TerminalDriver) and title != app._driver.title:
        app._driver.title = title
        app._driver.write(f"\x1b]2;{title}\x07")


def tell_terminal(app: App[None], who: str, text: str) -> None:
    """Let the terminal show a notification, if it is one that does: by OSC 9 (iTerm2, kitty), by OSC 777 (rxvt, VTE)."""
    if isinstance(app._driver, TerminalDriver):
        app._driver.write(
            f"\x1b]9;{who}: {text}\x07\x1b]777;notify;{who.replace(';', ',')};{text.replace(';', ',')}\x07"
        )


class TerminalDriver(LinuxDriver):
    """Reads what `TypedBytes` makes of the terminal's bytes. title: the window's, as far as it was set."""

    title = ""

    def run_input_thread(self) -> None:
        """Part of Textual's interface: until the screen ends, or nobody types any more."""
        typed, self._parser = TypedBytes(), XTermParser(self._debug)
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                data = b""
                if selector.select(_SECONDS):
                    try:
                        data = os.read(self.fileno, _BYTES)
                    except OSError:  # the terminal is gone: the signal says so
                        return
                    if not data:
                        return
                self._take(typed.feed(data))

    def write(self, data: str) -> None:
        """Part of Textual's interface."""
        super().write(held_in_place(data))

    def _take(self, text: str) -> None:
        """A sequence that the parser stumbles over is dropped, with what was read together with it."""
        try:
            for message in self._parser.feed(text) if text else ():
                self.process_message(message)
            for message in self._parser.tick():
                self.process_message(message)
        except Exception as error:
            _defects.tell("what the terminal sends", error)
            self._parser = XTermParser(self._debug)
