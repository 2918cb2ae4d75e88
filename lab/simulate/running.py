"""Many runs, one seed after the other, and what came of them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.simulate.simulation import Anomaly, Simulation


@dataclass
class Result:
    """Of *runs* runs. anomalies: by kind, how many; first: of each kind the first, with its seed. stuck: runs in which so
    many disks were lost that no quorum was left, so nothing could be said about progress."""

    runs: int = 0
    anomalies: Counter[str] = field(default_factory=Counter)
    first: dict[str, tuple[int, str]] = field(default_factory=dict)
    texts: int = 0
    inputs: int = 0
    messages: int = 0
    views: int = 0
    stuck: int = 0

    @property
    def broken(self) -> int:
        """Runs with an anomaly."""
        return self.anomalies.total()

    def rows(self) -> list[tuple[str, str]]:
        """What to show."""
        about = [("runs", f"{self.runs:,}"), ("texts", f"{self.texts:,}"), ("messages", f"{self.messages:,}")]
        about += [("views", f"{self.views:,}")] * bool(self.views)
        about += [("without a quorum for good", f"{self.stuck:,}")] * bool(self.stuck)
        about += [("runs with an anomaly", f"{self.broken:,}")]
        found = [(f"  {kind}", f"{count:,}, first: {self.first[kind][1]}") for kind, count in self.anomalies.items()]
        return about + found


def run_many(run: Callable[[int], Simulation], seed: int, runs: int, progress: Callable[[int, int], None]) -> Result:
    """Runs from the seeds *seed*, *seed* + 1, …; progress: called after each with how many there were, and were broken."""
    result = Result()
    for number in range(seed, seed + runs):
        simulation = run(number)
        try:
            simulation.play()
        except Anomaly as anomaly:
            result.anomalies[anomaly.kind] += 1
            result.first.setdefault(anomaly.kind, (number, f"seed {number}, {anomaly}"))
        result.runs += 1
        result.texts += simulation.texts
        result.inputs += simulation.inputs
        result.messages += simulation.network.messages
        result.views += simulation.views
        result.stuck += simulation.is_stuck
        progress(result.runs, result.broken)
    return result
