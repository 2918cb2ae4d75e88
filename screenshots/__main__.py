"""``python -m screenshots [FOLDER]``: several people chat in a room of their own, and the screen of one is drawn."""

import asyncio
import contextlib
import datetime
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrochat
from pyrochat import Chat, Message, Server
from pyrochat.room.door.door import Access
from pyrochat.terminal.screen.app import ChatApp
from pyrochat.terminal.settings import Settings

PEOPLE = ("Ana", "Erick", "Igor", "Zoë")
TALK = (  # hours since the morning, who, what
    (0.0, "Erick", "Good morning! The new build is on the lab server."),
    (0.1, "Ana", "Thanks. Did the long run finish?"),
    (0.2, "Igor", "It did, 41 million messages and every replica the same.\nThe report: https://lab.example/runs/41"),
    (0.3, "Erick", "And nobody lost a message, although I pulled the plug twice 😀"),
    (2.0, "Zoë", "日本語 also arrives in order. See #8"),
    (2.2, "Igor", "@Ana can you look at the figures before lunch?"),
    (2.3, "Ana", "On it. The loop that measures is *only* this:"),
    (
        2.4,
        "Ana",
        "```python\nfor message in chat.listen(timeout=1.0):\n    late.append(now() - message.time)  # seconds\n```",
    ),
    (3.1, "Erick", "Take your time: the server of the other team is down until two anyway."),
    (3.2, "Zoë", "They should try ours 😉"),
    (4.0, "Ana", "Here they are:\n- median 3.6 ms\n- p99 5.6 ms"),
    (4.1, "Igor", "@Ana perfect. I'll put them into the report."),
    (4.2, "Ana", "Thanks, everybody!"),
)
MORNING = datetime.datetime(2026, 11, 25, 8, 40)
SECONDS = 10.0
_FONT_FACES = re.compile(r"@font-face\s*\{[^}]*\}")


def main() -> None:
    """Draw all pictures into the folder."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        os.environ["PYROCHAT_CONFIG_DIR"] = str(Path(place) / "config")
        clock = Clock()
        with Server(
            ["lobby"],
            Path(place) / "data",
            nameserver=False,
            access=Access(new_rooms="members"),
            now_us=lambda: clock.now_us,
        ) as server:
            asyncio.run(_draw(server.at, Path(place), folder, clock))


class Clock:
    """The server's: a day's talk takes a moment here. now_us: microseconds since 1970."""

    now_us = int(MORNING.timestamp() * 1e6)


@contextlib.contextmanager
def _others(at: str) -> Iterator[dict[str, Chat]]:
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(_joined(name, at)) for name in PEOPLE if name != "Ana"}


def _joined(name: str, at: str, read: str = "auto") -> Chat:
    """*name* with a key of their own: direct rooms are for two keys."""
    before = os.environ["PYROCHAT_CONFIG_DIR"]
    os.environ["PYROCHAT_CONFIG_DIR"] = f"{before}-{name.encode().hex()}"
    try:
        return pyrochat.join(name, at=at, read=read)
    finally:
        os.environ["PYROCHAT_CONFIG_DIR"] = before


async def _draw(at: str, place: Path, folder: Path, clock: Clock) -> None:
    said: dict[str, Message] = {}
    with _others(at) as others:
        ana = _joined("Ana", at, "manual")
        ana.create_room("coffee")
        coffee = ana.join_room("coffee", read="manual")
        igor = ana.direct("Igor", read="manual")
        friend = others["Zoë"].join_room("coffee")
        ana.set_topic("releases, and the server of the other team")
        for hours, name, text in TALK:
            clock.now_us = int((MORNING + datetime.timedelta(hours=hours)).timestamp() * 1e6)
            said[text] = (ana if name == "Ana" else others[name]).send(text)
        figures = next(message for text, message in said.items() if text.startswith("Here"))
        others["Igor"].send("the p99 too, on that machine?", about=figures.id)
        ana.edit(figures.id, "Here they are:\n- median 3.6 ms\n- p99 5.6 ms\n- lost 0")
        for name, reaction in (("Erick", "🎉"), ("Zoë", "🎉"), ("Igor", "👍")):
            others[name].react(figures.id, reaction)
        with others["Igor"].direct("Ana") as direct:
            direct.send("Lunch at noon?")
        for name in ("Erick", "Igor", "Zoë"):
            others[name].unread()
        friend.send("The new beans are here, @Ana")
        for size, theme, name in (((120, 28), "textual-dark", "dark"), ((80, 24), "textual-light", "light")):
            app = ChatApp([ana, coffee, igor], Settings(theme=theme), place / name)
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
