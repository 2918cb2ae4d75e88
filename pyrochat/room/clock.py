"""The machine's clock, which messages get their times from. It may be wrong, and jump: ids decide the order."""

import time


def wall_clock_us() -> int:
    """Microseconds since 1970 (UTC), as the machine believes."""
    return time.time_ns() // 1000
