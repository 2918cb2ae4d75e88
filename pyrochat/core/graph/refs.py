"""Which message has which name, here: names are everybody's (a site, and a number there), ids are this log's own.

And marks between logs: up to where a member has read here is an id; everywhere it is a *vector*, for each site up to
which of its messages (vector clocks, as in van Steen and Tanenbaum's chapter on coordination).
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping

from pyrochat.core.graph.bodies import Name

Vector = Mapping[str, int]


class Refs:
    """Grows with the log. A message that came in at two sites has two names; of what no log took the id is 0."""

    def __init__(self) -> None:
        self._ids: dict[str, array[int]] = {}  # of each site, by number; never falling, so that it can be searched
        self._exact: dict[Name, int] = {}  # where that is not the message's own
        self._sites: list[str] = [""]
        self._site_of = array("H")  # by id: which of the sites, 0 where that is not known yet
        self._number_of = array("q")

    def add(self, rows: Iterable[tuple[str, int, int]]) -> None:
        """(site, number, id) of more messages; of each site without a gap. What a forked site says twice counts once."""
        for site, number, id in rows:
            ids = self._ids.setdefault(site, array("q"))
            if number != len(ids) + 1:
                continue
            if number == 1:
                self._sites.append(site)
            last = ids[-1] if ids else 0
            ids.append(max(last, id))
            if id < last:
                self._exact[site, number] = id
            self._note(id, site, number)

    def _note(self, id: int, site: str, number: int) -> None:
        if (missing := id + 1 - len(self._site_of)) > 0:
            self._site_of.extend([0] * missing)
            self._number_of.extend([0] * missing)
        if id and not self._site_of[id]:
            self._site_of[id], self._number_of[id] = self._sites.index(site), number

    def id_of(self, name: Name) -> int:
        """The id here of the message *name*; 0 where it is not here."""
        site, number = name
        ids = self._ids.get(site, ())
        return self._exact.get(name, ids[number - 1]) if 0 < number <= len(ids) else 0

    def name_of(self, id: int) -> Name | None:
        """The name everywhere of the message *id*."""
        site = self._site_of[id] if 0 < id < len(self._site_of) else 0
        return (self._sites[site], self._number_of[id]) if site else None

    def vector(self, id: int) -> dict[str, int]:
        """What stands here up to the message *id*."""
        return {site: count for site, ids in self._ids.items() if (count := bisect_right(ids, id))}

    def covered(self, vector: Vector) -> int:
        """The last id up to which *vector* has everything that stands here; so never more than it says."""
        first_beyond = [
            ids[count] for site, ids in self._ids.items() if (count := max(0, vector.get(site, 0))) < len(ids)
        ]
        last = max((ids[-1] for ids in self._ids.values() if ids), default=0)
        return max(0, min(first_beyond) - 1) if first_beyond else last
