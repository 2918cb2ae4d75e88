"""Times: microseconds since 1970 (UTC), and what of that a message can hold."""

from datetime import UTC, datetime, timedelta

MOST_TIME_US = 221_845_392_000_000_000  # the year 9000: a datetime can hold it in any time zone
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def clamped_time_us(time_us: int) -> int:
    """*time_us*, or the nearest time from 1970 to 9000: a clock may be wrong, and messages need a time."""
    return min(max(time_us, 0), MOST_TIME_US)


def moment(time_us: int) -> datetime:
    """The aware datetime in UTC for *time_us*, clamped; ``moment(…).astimezone()`` is local."""
    return _EPOCH + timedelta(microseconds=clamped_time_us(time_us))
