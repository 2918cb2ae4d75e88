"""What was sent before, to be taken back into the composer and sent again."""

from collections.abc import Iterable

MOST_TYPED = 200


class TypedText:
    """The texts, the oldest first, and a place among them; beyond the newest is what is being written now."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.texts = list(texts)[-MOST_TYPED:]
        self._at = len(self.texts)
        self._now = ""

    def add(self, text: str) -> None:
        """*text* was sent; the place is behind it."""
        if not self.texts or self.texts[-1] != text:
            self.texts = [*self.texts, text][-MOST_TYPED:]
        self._at, self._now = len(self.texts), ""

    def older(self, now: str) -> str | None:
        """The text before this one, with *now* in the composer; None where there is none."""
        if self._at == 0:
            return None
        if self._at == len(self.texts):
            self._now = now
        self._at -= 1
        return self.texts[self._at]

    def newer(self) -> str | None:
        """The text after this one, at last what was being written; None where there is none."""
        if self._at == len(self.texts):
            return None
        self._at += 1
        return self._now if self._at == len(self.texts) else self.texts[self._at]
