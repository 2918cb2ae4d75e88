"""What the sites of a totally ordered room are called, the same at all of them: each has said once, beside the streams, what it wants to be
called, and who says what another has said before gets a number."""

from collections import Counter
from collections.abc import Collection

from pyrochat.core.graph.disk import Row

STREAM = "sites"
_MOST_CHARACTERS = 32


def own_row(rows: Collection[Row], site: str, wanted: str, time_us: int) -> Row | None:
    """What *site* has to say beside what stands there, as far as it knows; None: nothing. It stands behind all that, whatever its clock
    says."""
    named = [row for row in rows if row.stream == STREAM]
    data = wanted.encode()
    if any(row.label == site and row.data == data for row in named):
        return None
    return Row(STREAM, site, max([time_us, *(row.version + 1 for row in named)]), data)


def labels_of(rows: Collection[Row]) -> dict[str, str]:
    """The sites' labels by their ids: ``root``, ``root~2``, in the order in which they have said it."""
    found: dict[str, str] = {}
    times: Counter[str] = Counter()
    named = [row for row in rows if row.stream == STREAM]
    for row in sorted(named, key=lambda row: (row.version, row.label)):
        label = row.data.decode(errors="replace")[:_MOST_CHARACTERS]
        times[label] += 1
        found[row.label] = label if times[label] == 1 else f"{label}~{times[label]}"
    return found
