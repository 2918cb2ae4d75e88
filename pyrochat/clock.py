"""The clock that durations are measured with, out of reach of what stops the others.

A program's tests may freeze time (freezegun and its like put constants in the place of `time.monotonic` and
`time.time`): a wait that asks those for its deadline would never end. The operating system's own clock is asked here
instead, under a name that is left alone. The times of messages (`room.clock`) may be frozen.
"""

import time

_read, _MONOTONIC = time.clock_gettime, time.CLOCK_MONOTONIC


def monotonic() -> float:
    """Seconds since some moment, the same for all processes of this machine; never goes back."""
    return _read(_MONOTONIC)
