"""The sites of a causal room, as people see them."""

import re
from typing import NamedTuple

LABEL_DIGITS = 6
"""Of a site's id, at least, behind a label that two sites were given: ``erick~1a2b3c``."""


_DIGITS_BEHIND = re.compile(rf"~[0-9a-f]{{{LABEL_DIGITS},}}(?=\.[0-9]+$)")


def is_distinct(ref: str) -> bool:
    """Whether *ref*, a message's name everywhere, has the beginning of its site's id."""
    return _DIGITS_BEHIND.search(ref) is not None


def may_mean(wanted: str, ref: str) -> bool:
    """Whether who says *wanted* may mean the message *ref*: in the one of them the label may be as it was before another site
    was known that had got it too."""
    plain = _DIGITS_BEHIND.sub("", wanted)
    return wanted == ref or (plain in (wanted, ref) and plain == _DIGITS_BEHIND.sub("", ref))


class SiteSeen(NamedTuple):
    """A site of a causal room. label: what it is called. at: ``host:port``. seconds: since it was last heard of; 0 for the one
    that is asked, None where that has not heard of it since its start."""

    label: str
    at: str
    seconds: float | None

    @property
    def is_silent(self) -> bool:
        """Whether people should know that it is not heard of."""
        return self.seconds is None or self.seconds > _SILENT_SECONDS


_SILENT_SECONDS = 10.0  # each is asked now and then only, the more seldom the more there are
