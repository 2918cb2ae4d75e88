"""Marks between sites, as vectors: how far each member has got, of each site's messages. Only growing; they need no order."""

import threading
from collections.abc import Mapping, Sequence

from pyrochat.core.graph.bodies import Name
from pyrochat.core.graph.refs import Refs
from pyrochat.core.marks import Mark

_MOST_MEMBERS = 10_000


class Vectors:
    """Any thread may call."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()  # guards what follows
        self._here: dict[str, None] = {}  # members who have said something at this site
        self._heard: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
        self._counted: dict[str, Mark] = {}

    def told(self, marks: Mapping[str, Mark]) -> None:
        """Members of this site have got somewhere."""
        with self._mutex:
            self._here.update(dict.fromkeys(marks))

    def here(self) -> list[str]:
        """The members of this site that have said how far they are."""
        with self._mutex:
            return list(self._here)

    def hear(self, rows: Sequence[Sequence[object]]) -> None:
        """``[member, delivered, read]`` of other sites; what is none is passed over."""
        with self._mutex:
            for row in rows:
                match row:
                    case [str(member), dict(delivered), dict(read)]:
                        if member not in self._heard and len(self._heard) >= _MOST_MEMBERS:
                            continue
                        known = self._heard.setdefault(member, ({}, {}))
                        _grow(known[0], delivered)
                        _grow(known[0], read)
                        _grow(known[1], read)

    def heard(self) -> list[list[object]]:
        """What `hear` was given, by all."""
        with self._mutex:
            return [[member, dict(delivered), dict(read)] for member, (delivered, read) in self._heard.items()]

    def covered(self, refs: Refs) -> dict[str, Mark]:
        """As marks of this log: of each member that has got further here, since this was asked last."""
        with self._mutex:
            news = {}
            for member, (delivered, read) in self._heard.items():
                mark = refs.covered(delivered), refs.covered(read)
                if mark != self._counted.get(member, (0, 0)):
                    self._counted[member] = news[member] = mark
            return news

    def readers(self, name: Name | None, id: int, members: Sequence[str]) -> list[Mark]:
        """See `Order.readers`; *name*: of message *id*."""
        with self._mutex:
            return [self._reader(name, id, member) for member in members]

    def _reader(self, name: Name | None, id: int, member: str) -> Mark:
        if name is None or member not in self._heard:
            return 0, 0
        delivered, read = (vector.get(name[0], 0) >= name[1] for vector in self._heard[member])
        return id if delivered else 0, id if read else 0


def _grow(vector: dict[str, int], news: Mapping[object, object]) -> None:
    for site, number in news.items():
        if isinstance(site, str) and type(number) is int:
            vector[site] = max(vector.get(site, 0), number)
