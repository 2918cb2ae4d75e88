"""What a run has found: samples of every piece of work, and the rows that have a bound."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Bound:
    """What a row has to reach. at_least: whether more is better."""

    title: str
    reach: float
    aim: str
    at_least: bool
    unit: str = "×"

    def is_reached_by(self, value: float) -> bool:
        """Whether *value* is good enough."""
        return value >= self.reach if self.at_least else value <= self.reach

    @property
    def reach_text(self) -> str:
        """For people."""
        return f"{'≥' if self.at_least else '≤'} {self.reach:g} {self.unit}"


BOUNDS = {
    "fan-out": Bound("fan-out at 100 members, `send_many`, against the best peer", 1.5, "4 ×", True),
    "singles": Bound(
        "the same with single sends from 20 threads of one process, against threads and JSON lines", 0.8, "1.5 ×", True
    ),
    "server-cpu": Bound("server CPU per delivery, fan-out at 100, against ngircd", 1.0, "0.5 ×", False),
    "latency-p50": Bound(
        "latency to the last of 100 at 100/s: p50 against NATS core", 1.0, "equal to threads and JSON lines", False
    ),
    "latency-p99": Bound(
        "latency to the last of 100 at 100/s: p99 against JetStream", 1.0, "equal to threads and JSON lines", False
    ),
    "posts-empty": Bound("durable posts/s, 100 senders, against the same daemon's empty method", 0.7, "0.85 ×", True),
    "posts-jetstream": Bound("durable posts/s, 100 senders, against JetStream sync always, one node", 1.0, "2 ×", True),
    "cpu-growth": Bound("server CPU per delivery at 1,000 members against 100", 1.3, "1.0 ×", False),
    "log-growth": Bound("a post into a log of 1,000,000 against one of 1,000", 1.2, "1.0 ×", False),
    "joining": Bound(
        "joining with 100,000 messages against reading them from SQLite in one process", 3.0, "1.5 ×", False
    ),
    "remarks-joining": Bound(
        "joining 100,000 texts with 20,000 edits and reactions, against 120,000 texts", 1.2, "1.0 ×", False
    ),
    "remarks-history": Bound("the same, reading the history by bare calls", 1.2, "1.0 ×", False),
    "remarks-current": Bound("what a message is now, p99", 1.0, "< 0.1 ms", False, "ms"),
    "confirmations": Bound("live confirmations on against off, 1,000 members", 0.8, "0.95 ×", True),
    "idle-cpu": Bound("idle with 1,000 members: the server's share of a core", 3.0, "< 1 %", False, "%"),
    "search": Bound("the slowest kind of search in 1,000,000 messages, p99", 200.0, "< 50 ms", False, "ms"),
    "search-posts": Bound("durable posts/s, 100 senders, with a search index against without", 0.9, "1.0 ×", True),
    "start-log": Bound("a start with 1,000,000 messages, above an empty one", 0.5, "0.1 s", False, "s"),
    "start-rooms": Bound("a start with 1,000 rooms that nobody uses", 3.0, "1 s", False, "s"),
    "rooms-memory": Bound("1,000 rooms that nobody uses, above an empty server", 120.0, "20 MiB", False, "MiB"),
    "idle-memory": Bound("idle with 1,000 members: the server's memory a member", 150.0, "< 50 KiB", False, "KiB"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A bound, and what each round has measured; against: what it was compared with, where that is found out."""

    key: str
    values: Sequence[float]
    against: str = ""

    @property
    def bound(self) -> Bound:
        """What it has to reach."""
        return BOUNDS[self.key]

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)

    @property
    def is_reached(self) -> bool:
        """Whether the median is good enough."""
        return self.bound.is_reached_by(self.value)


@dataclass(slots=True)
class Report:
    """Samples: by work, contestant and quantity, one for each round."""

    samples: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)

    def add(self, work: str, contestant: str, quantities: Mapping[str, float]) -> None:
        """One round of *contestant* at *work*."""
        found = self.samples.setdefault(work, {}).setdefault(contestant, {})
        for quantity, value in quantities.items():
            found.setdefault(quantity, []).append(value)

    def of(self, work: str, contestant: str, quantity: str) -> list[float]:
        """The samples, in the order of the rounds."""
        return self.samples[work][contestant][quantity]

    def median(self, work: str, contestant: str, quantity: str) -> float:
        """The median of the rounds."""
        return statistics.median(self.of(work, contestant, quantity))

    def row(self, key: str, values: Sequence[float], against: str = "") -> None:
        """What has been measured for the row *key*."""
        self.rows[key] = Row(key, list(values), against)

    def remark(self, work: str, text: str) -> None:
        """How *work* was done, in a sentence."""
        self.remarks[work] = text
