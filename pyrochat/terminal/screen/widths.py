"""Emoji that terminals draw in different widths: what stands beside them stays in its column all the same.

A flag, a skin tone, a family, a heart with a selector is two cells wide here; many a terminal draws it in one, or in four,
and all that follows in the line would move. So each is written over blanks, and the cursor then put where the next cell is.
"""

import re

from rich.cells import cell_len

_TRIGGER = re.compile("[\u200d\ufe0f\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
_SEQUENCES = re.compile(
    "(?P<string>\x1b\\].*?(?:\x07|\x1b\\\\))"  # titles, links, the clipboard: nothing of it is drawn
    "|[0-9#*]\ufe0f\u20e3"
    "|[\U0001f1e6-\U0001f1ff]{2}"
    "|[^\x00-\x7f](?:[\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]|\u200d[\u2190-\U0001faff])+",
    re.DOTALL,
)


def held_in_place(written: str) -> str:
    """*written*, which goes to a terminal, with the cursor put behind each emoji that may be wider or narrower than it."""
    return _SEQUENCES.sub(_held, written) if _TRIGGER.search(written) else written


def _held(found: re.Match[str]) -> str:
    if found["string"]:
        return found[0]
    cells = cell_len(found[0])
    return f"\x1b7{' ' * cells}\x1b8\x1b7{found[0]}\x1b8\x1b[{cells}C"
