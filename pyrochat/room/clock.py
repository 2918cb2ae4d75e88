"""The machine's clock, which messages get their times from. It may be wrong, and jump: ids decide the order."""

from __future__ import annotations

import time

__all__ = ["wall_clock_us"]


def wall_clock_us() -> int:
    """Microseconds since 1970 (UTC), as the machine believes."""
    return time.time_ns() // 1000
