"""Numbers out of samples: medians, percentiles, ratios of what was measured in the same round."""

import math
import statistics
from collections.abc import Mapping, Sequence


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that *percent* of them don't exceed; raises ValueError where there is none."""
    if not samples:
        raise ValueError("no samples, no percentile")
    rank = math.ceil(len(samples) * percent / 100)
    return sorted(samples)[max(rank, 1) - 1]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Round by round; both have to have the same number of rounds."""
    return [our / their for our, their in zip(ours, theirs, strict=True)]


def best(samples: Mapping[str, Sequence[float]]) -> str:
    """Whose median is the highest."""
    return max(samples, key=lambda name: statistics.median(samples[name]))
