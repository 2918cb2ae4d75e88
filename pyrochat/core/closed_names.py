"""What closed rooms are called, for one who may enter them.

A title is only a label: several closed rooms may have the same, and an open room too. Who sees two of them tells them apart
by the beginning of their ids. No name of a closed room that has a ``+`` can be an open one's.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pyrochat.values.rules import CLOSED, fold

_DIGITS = 6  # of an id

Titled = tuple[str, str]
"""A closed room's title, and its id or object id."""


def names_of(rooms: Sequence[Titled], open_ones: Iterable[str]) -> dict[str, str]:
    """The name of each of *rooms*, by its id: the title, where that is nobody else's. open_ones: the open rooms' names."""
    taken = Counter(fold(title) for title, _ in rooms)
    taken.update(map(fold, open_ones))
    return {id: title if taken[fold(title)] == 1 else _full_name(title, id) for title, id in rooms}


def found_by(name: str, rooms: Mapping[str, str], titles: Sequence[Titled]) -> list[str]:
    """The ids of the closed rooms that somebody means by *name*. rooms: as `names_of` says."""
    wanted = fold(name)
    by_name = [id for id, shown in rooms.items() if fold(shown) == wanted]
    return by_name or [id for title, id in titles if wanted in (fold(title), fold(_full_name(title, id)))]


def _full_name(title: str, id: str) -> str:
    return f"{title}{CLOSED}{id.rpartition(CLOSED)[2][:_DIGITS]}"
