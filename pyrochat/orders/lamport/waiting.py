"""What a site says of the texts that have no place yet: not each of them, only those that wait for so long that somebody may see it."""

from collections.abc import Callable, Sequence

from pyrochat.core.graph.messages import Text

LOOK_SECONDS = 0.15
MOST_TEXTS = 100
MOST_BYTES = 64 * 1024
_NEVER = float("inf")


class WaitingTexts:
    """Not synchronized. due: when `look` wants to be called even where nothing comes. said: what was said last.

    Times are seconds on any clock that only grows.
    """

    def __init__(self) -> None:
        self.due = _NEVER
        self.said: list[Text] = []
        self._seen: set[str] = set()  # the keys of those that waited at the last look

    def look(self, is_waiting: bool, texts: Callable[[int], Sequence[Text]], now: float) -> list[Text] | None:
        """What there is to say now, in place of what was said before; None: nothing new. is_waiting: whether there is any such
        text; texts: gives so many of them, in their order."""
        if self.due == _NEVER and is_waiting:
            self.due = now + LOOK_SECONDS
        if now < self.due:
            return None
        waiting = texts(MOST_TEXTS)
        lasting = _bounded([text for text in waiting if text.key in self._seen])
        self._seen = {text.key for text in waiting}
        self.due = now + LOOK_SECONDS if waiting else _NEVER
        if lasting == self.said:
            return None
        self.said = lasting
        return lasting


def _bounded(texts: Sequence[Text]) -> list[Text]:
    """As many of *texts*, from the first on, as `MOST_BYTES` hold."""
    found, size = [], 0
    for text in texts:
        size += len(text.body)
        if size > MOST_BYTES:
            break
        found.append(text)
    return found
