"""A day in front of the screen: three people, two rooms, quitting and coming back twice, a server that is killed. At every
step the screen says what the API says."""

from __future__ import annotations

import os
from pathlib import Path

import pyrochat
from pyrochat import Chat
from tests.support import eventually
from tests.system.support import PATIENCE_SECONDS, Machine, free_port
from tests.system.test_terminal import BLUR, ENTER, FOCUS, QUIT, Screen, in_terminal

SIZE = (130, 30)


def joined(name: str, at: str, config: Path, room: str = "lobby", read: str = "auto") -> Chat:
    """*name* with the key that is kept in *config*."""
    before = os.environ["PYROCHAT_CONFIG_DIR"]
    os.environ["PYROCHAT_CONFIG_DIR"] = str(config)
    try:
        return pyrochat.join(name, room, at, read=read)
    finally:
        os.environ["PYROCHAT_CONFIG_DIR"] = before


def shown_counts(screen: Screen, room: str) -> tuple[int, int] | None:
    """How many unread messages and mentions the list of rooms says that *room* has; None: it is not there (yet)."""
    for line in screen.lines:
        words = line.split("│")[0].split()
        if room in words[1:2]:
            counts = {word[0] == "@": int(word.lstrip("@")) for word in words[2:]}
            return counts.get(False, 0), counts.get(True, 0)
    return None


def test_at_every_step_the_screen_says_what_the_api_says(machine: Machine) -> None:
    port = free_port()
    options = ("--new-rooms", "members", "--port", str(port))
    server = machine.server(*options)
    config = machine.folder / "config-ana"
    igor, zoe = (joined(name, server.at, machine.folder / f"config-{name}") for name in ("Igor", "Zoe"))
    igor.create_room("coffee")
    environment = {"PYROCHAT_CONFIG_DIR": str(config)}

    def counts(room: str) -> tuple[int, int]:
        with joined("Ana", server.at, config, room, "never") as ana:
            return ana.unread_count, len(ana.mentions())

    def agree(screen: Screen, room: str, expected: tuple[int, int]) -> None:
        eventually(
            lambda: shown_counts(screen, room) == expected, PATIENCE_SECONDS,
            lambda: f"{room}, {expected}:\n" + "\n".join(screen.lines),
        )  # fmt: skip
        eventually(lambda: counts(room) == expected, PATIENCE_SECONDS, lambda: f"{room}: {counts(room)}")

    with igor, zoe, igor.join_room("coffee") as coffee:
        with in_terminal(machine, "pyrochat-client", "Ana", "--at", server.at, size=SIZE, **environment) as (
            ana,
            process,
        ):
            ana.see("3 here")
            ana.type("/join coffee" + ENTER)
            ana.see("coffee", "2 here")
            ana.type("half a ")
            agree(ana, "lobby", (0, 0))
            ana.type(BLUR + "draft")
            ana.see("half a draft")  # so it knows, too, that nobody looks
            igor.send("one")
            zoe.send("@Ana: two")
            coffee.send("three")
            agree(ana, "lobby", (2, 1))
            agree(ana, "coffee", (1, 0))
            ana.type(FOCUS)
            agree(ana, "coffee", (0, 0))
            ana.type(QUIT)
            assert process.wait(20) == 0
        igor.send("four, @all")
        coffee.send("five")
        with in_terminal(machine, "pyrochat-client", "Ana", "--at", server.at, size=SIZE, **environment) as (
            ana,
            process,
        ):
            ana.see("2 coffee")
            ana.see("half a draft")
            agree(ana, "lobby", (3, 2))
            ana.see("five")
            agree(ana, "coffee", (0, 0))
            ana.type("\x1b1")
            ana.see("── new ")
            agree(ana, "lobby", (0, 0))
            server.kill()
            ana.see("reconnecting")
            ana.type("written while nobody was there" + ENTER)
            ana.see("written while", "…")
            server = machine.server(*options)
            ana.see("written while", "✓✓")
            mine = eventually(lambda: next((m for m in igor.history() if m.text.startswith("written")), None))
            for chat in (igor, zoe):
                chat.wait_for(mine.id, PATIENCE_SECONDS)
                chat.mark_read(mine.id)
            ana.see("written while", "●")
            with joined("Ana", server.at, config, read="never") as asking:
                assert asking.confirmations(mine.id).read_by == {"Igor", "Zoe"}
            ana.type(QUIT)
            assert process.wait(20) == 0
        zoe.leave()
        with in_terminal(machine, "pyrochat-client", "Ana", "--at", server.at, size=SIZE, **environment) as (
            ana,
            process,
        ):
            ana.see("written while", "●")
            agree(ana, "lobby", (0, 0))
            agree(ana, "coffee", (0, 0))
            ana.type("\x1b2")
            ana.see("half a draft")
            ana.type(QUIT)
            assert process.wait(20) == 0
        assert "Traceback" not in ana.text
        locks = list((machine.folder / "data").rglob("*.lock"))
        assert len(locks) <= 3, locks
