"""Sizes in bytes as people write and read them: ``10GiB``, ``512M``, ``1.5 GB``, plain bytes."""

import re

from pyrochat.values.errors import InvalidArgument

_UNITS = "KMGTP"
_SIZE = re.compile(rf"(\d{{1,15}}(?:\.\d{{1,6}})?)\s*(?:([{_UNITS}])(i?b)?|b)?", re.ASCII | re.IGNORECASE)


def parse_size(value: int | str, what: str) -> int:
    """The bytes that *value* stands for: K, M, G, T, P and KiB … count by 1,024, KB … by 1,000. Raises InvalidArgument.

    what: names the value in the error.
    """
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is not None:
        number, unit, suffix = found.groups()
        base = 1000 if suffix and suffix.lower() == "b" else 1024
        return int(float(number) * base ** (_UNITS.index(unit.upper()) + 1)) if unit else int(float(number))
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise InvalidArgument(f"{what} has to be a size, as 10GiB, 512M or a number of bytes, not {str(value)[:40]!r}")


def shown_size(count: float) -> str:
    """*count* bytes in the largest unit that it has one of: ``2 GiB``, ``1.5 MiB``, ``312 bytes``."""
    for power in range(len(_UNITS), 0, -1):
        if count >= 1024**power:
            return f"{count / 1024**power:.1f}".removesuffix(".0") + f" {_UNITS[power - 1]}iB"
    return f"{int(count)} bytes"
