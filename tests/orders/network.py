"""A network in memory: cut, slow to answer or gone as a test says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from pyrochat.orders.sites.face import SiteFace
from pyrochat.trust.keys import Key
from pyrochat.values.errors import RoomUnreachable

F = TypeVar("F", bound=SiteFace)


class MemoryNetwork(Generic[F]):
    """Which faces are where. split: groups of addresses that hear only each other; what is in none hears nobody."""

    def __init__(self) -> None:
        self.faces: dict[str, tuple[F, Key]] = {}
        self.groups: list[set[str]] | None = None
        self.calls = 0

    def split(self, *groups: Iterable[str]) -> None:
        self.groups = [set(group) for group in groups]

    def heal(self) -> None:
        self.groups = None

    def reaches(self, one: str, other: str) -> bool:
        return self.groups is None or any(one in group and other in group for group in self.groups)


class MemoryWire(Generic[F]):
    """See `Wire`. What crosses it is what JSON can say."""

    def __init__(self, network: MemoryNetwork[F], own: str, key: Key, address: str) -> None:
        self.network, self.own, self.address, self.own_key = network, own, address, key.public.hex()
        self._face, server = self._found()
        self.key = server.public.hex()
        self.closed = False

    def _found(self) -> tuple[F, Key]:
        if self.address not in self.network.faces or not self.network.reaches(self.own, self.address):
            raise RoomUnreachable(f"nobody at {self.address}")
        return self.network.faces[self.address]

    def call(self, method: str, *arguments: object) -> Any:
        if self.closed:
            raise RoomUnreachable("closed")
        face, _ = self._found()
        if face is not self._face:
            raise RoomUnreachable("it was started again")
        self.network.calls += 1
        answer = getattr(face, method)(self.own_key, *json.loads(json.dumps(arguments)))
        self._found()  # else the answer is lost
        return json.loads(json.dumps(answer))

    def close(self) -> None:
        self.closed = True
