"""The closed log: what all views that have ended have made of a totally ordered room. It is the same for all."""

from collections.abc import Iterable

from pyrochat.core.graph.lamport import View
from pyrochat.core.graph.messages import Entry, Text


class ClosedLog:
    """In memory; who keeps it elsewhere puts another in its place."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries: list[Entry] = []
        self.view = View(0, ())  # the newest
        self._keys: set[str] = set()
        self.extend(entries)

    def __len__(self) -> int:
        return len(self.entries)

    def has(self, key: str) -> bool:
        """Whether the text of that key is here."""
        return key in self._keys

    def since(self, start: int) -> tuple[Entry, ...]:
        """What follows the first *start* entries."""
        return tuple(self.entries[start:])

    def extend(self, entries: Iterable[Entry]) -> None:
        """*entries* follow."""
        for entry in entries:
            self.entries.append(entry)
            if isinstance(entry, View):
                self.view = entry
            else:
                self._keys.add(entry.key)

    def new(self, texts: Iterable[Text]) -> list[Text]:
        """Those of *texts* that are not here, once each."""
        found: dict[str, Text] = {}
        for text in texts:
            if not self.has(text.key):
                found.setdefault(text.key, text)
        return list(found.values())
