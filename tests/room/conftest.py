"""Rooms without a server: a real multicaster, a real reader, any log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyrochat import Timing
from pyrochat.core.log import Log
from pyrochat.core.pace import Pace
from pyrochat.orders.local import LocalOrder
from pyrochat.room.clock import wall_clock_us
from pyrochat.room.delivery.encoded_log import BlockReader
from pyrochat.room.delivery.multicast import Multicaster
from pyrochat.room.door.identity import Identity
from pyrochat.room.door.names import Names
from pyrochat.room.room import Room
from pyrochat.trust.keys import Key
from pyrochat.values.rules import fold
from tests.support import QUICK, QUICK_PACE


@pytest.fixture
def open_room() -> Iterator[Callable[..., Room]]:
    """Makes rooms: ``open_room(log, kind=Room, multicaster=Multicaster, timing=…, index=…, …)``; all closed at the end."""
    opened: list[tuple[Room, Multicaster, BlockReader]] = []

    def make(
        log: Log, kind: type[Room] = Room, multicaster: type[Multicaster] = Multicaster, timing: Timing = QUICK,
        index: Path | None = None, key: Key | None = None, now_us: Callable[[], int] = wall_clock_us,
        pace: Pace = QUICK_PACE,
    ) -> Room:  # fmt: skip
        cast, reader = multicaster(pace=pace), BlockReader()
        room = kind(
            log, LocalOrder(log.room, now_us), key or Key.made(), timing, Names(), cast, reader, index, pace=pace
        )
        opened.append((room, cast, reader))
        return room

    yield make
    for room, cast, reader in opened:
        room.close()
        cast.close("over", 0.0)
        reader.close()
        room.close_log()


@pytest.fixture
def identity() -> Callable[[Room, str], Identity]:
    """An identity as a handshake makes it, its name claimed."""

    def make(room: Room, name: str) -> Identity:
        made = Identity(name, fold(name), b"key")
        room._names.claim(made.member, made.key, made)
        return made

    return make
