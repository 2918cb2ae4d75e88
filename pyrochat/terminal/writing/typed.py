"""What was sent before, to be taken back into the composer and sent again."""

from collections.abc import Iterable

from pyrochat.values.rules import fold

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

    def older_with(self, text: str, before: str | None) -> str | None:
        """The newest text with *text* in it, older than *before* (None: than all); None where there is none."""
        texts = self.texts
        if before is not None and before in texts:
            texts = texts[: len(texts) - 1 - texts[::-1].index(before)]
        return next((found for found in reversed(texts) if fold(text) in fold(found) and found != before), None)


def what_is_missing(before: str, after: str) -> str:
    """What was cut out of *before* to make *after*, in one place."""
    start = next((at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), len(after))
    cut = len(before) - len(after)
    return before[start : start + cut] if cut > 0 else ""


def parts_of(text: str, most_bytes: int) -> list[str]:
    """*text* in parts of *most_bytes* of UTF-8 at the most, cut at the ends of lines, or of words, where that can be."""
    parts: list[str] = []
    while len(text.encode(errors="replace")) > most_bytes:
        head = text.encode(errors="replace")[:most_bytes].decode(errors="ignore")
        cut = next((at + 1 for at in (head.rfind("\n"), head.rfind(" ")) if at > 0), len(head))
        parts.append(text[:cut].rstrip("\n"))
        text = text[cut:]
    return [part for part in [*parts, text] if part.strip()]
