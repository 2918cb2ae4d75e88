"""``python -m screenshots [FOLDER]``: several people chat in a room of their own, and the screen of one is drawn."""

import asyncio
import contextlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrochat
from pyrochat import Chat
from pyrochat.terminal.screen.app import ChatApp
from pyrochat.terminal.settings import Settings

PEOPLE = ("Ana", "Erick", "Igor", "Zoë")
TALK = (
    ("Erick", "Good morning! The new build is on the lab server."),
    ("Ana", "Thanks. Did the long run finish?"),
    ("Igor", "It did, 41 million messages and every replica the same.\nThe report: https://lab.example/runs/41"),
    ("Erick", "And nobody lost a message, although I pulled the plug twice 😀"),
    ("Zoë", "日本語 also arrives in order. See #8"),
    ("Igor", "@Ana can you look at the figures before lunch?"),
    ("Ana", "On it. I'll write them up here, and then we can close the issue."),
    ("Erick", "Take your time: the server of the other team is down until three anyway."),
    ("Zoë", "They should try ours 😉"),
    ("Ana", "Here they are:\n  median   3.6 ms\n  p99      5.6 ms\n  lost     0"),
    ("Igor", "@Ana perfect. I'll put them into the report."),
    ("Ana", "Thanks, everybody!"),
)
SECONDS = 10.0
_FONT_FACES = re.compile(r"@font-face\s*\{[^}]*\}")


def main() -> None:
    """Draw all pictures into the folder."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        os.environ["PYROCHAT_CONFIG_DIR"] = str(Path(place) / "config")
        with pyrochat.host("lobby", data=Path(place) / "data", nameserver=False, new_rooms="members") as server:
            asyncio.run(_draw(server.at, Path(place), folder))


@contextlib.contextmanager
def _others(at: str) -> Iterator[dict[str, Chat]]:
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(pyrochat.join(name, at=at)) for name in PEOPLE if name != "Ana"}


async def _draw(at: str, place: Path, folder: Path) -> None:
    with _others(at) as others:
        ana = pyrochat.join("Ana", at=at, read="manual")
        ana.create_room("coffee")
        coffee = ana.join_room("coffee", read="manual")
        friend = others["Zoë"].join_room("coffee")
        for name, text in TALK:
            (ana if name == "Ana" else others[name]).send(text)
        for name in ("Erick", "Igor", "Zoë"):
            others[name].unread()
        friend.send("The new beans are here, @Ana")
        for size, theme, name in (((120, 28), "textual-dark", "dark"), ((80, 24), "textual-light", "light")):
            app = ChatApp([ana, coffee], Settings(theme=theme), place / name)
            async with app.run_test(size=size) as pilot:
                await _until(lambda app=app: "●" in _text(app), pilot.pause)
                _save(app, folder / f"{name}.svg")
                if name == "dark":
                    await _dialogs(app, pilot, others, folder)


async def _dialogs(app: ChatApp, pilot: object, others: dict[str, Chat], folder: Path) -> None:
    press, pause = pilot.press, pilot.pause  # type: ignore[attr-defined]
    await press("ctrl+f", *"report", "enter")
    await _until(lambda: "found" in _text(app), pause)
    _save(app, folder / "search.svg")
    await press("escape", "f2")
    await _until(lambda: "read by" in _text(app), pause)
    _save(app, folder / "readers.svg")
    await press("escape")
    await pause()


async def _until(condition: Callable[[], bool], pause: Callable[[float], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the screen did not come to show what it should")
        await pause(0.05)  # type: ignore[misc]
    await pause(0.3)  # type: ignore[misc]


def _text(app: ChatApp) -> str:
    return app.export_screenshot(simplify=True).replace("&#160;", " ")


def _save(app: ChatApp, file: Path) -> None:
    drawn = app.export_screenshot(title="PyroChat", simplify=True)
    file.write_text(_FONT_FACES.sub("", drawn).replace("Fira Code", "ui-monospace") + "\n")  # nothing is loaded
    sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
