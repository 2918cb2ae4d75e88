"""How a cluster is: which brokers answer, who leads, who lags, and what can still fail. Plain values; `looking` finds them."""

from typing import NamedTuple


class BrokerStatus(NamedTuple):
    """A broker. version: None where it does not answer; trouble says why. leads: whether the others follow it in what concerns
    them all. syncs: whether what it keeps is on disk before it says so; None: unknown."""

    name: str
    version: str | None = None
    leads: bool = False
    syncs: bool | None = None
    trouble: str = ""


class Copy(NamedTuple):
    """A broker's copy of a stream. is_current: it has all of it, or nearly. lag: how many entries it lacks."""

    broker: str
    is_current: bool
    lag: int = 0


class StreamStatus(NamedTuple):
    """A stream. leader: the broker that takes what is new; None where there is none. copies: on all its brokers, also on those
    that are away. messages: that it has; None where nobody says how it is."""

    name: str
    messages: int | None
    leader: str | None
    copies: tuple[Copy, ...]

    @property
    def spare(self) -> int:
        """How many more of its copies may be lost, and a majority is left; negative: so many are missing."""
        return sum(copy.is_current for copy in self.copies) - _majority(len(self.copies))


class ClusterStatus(NamedTuple):
    """brokers: all of them, as they are configured. streams: those that one of them knows."""

    brokers: tuple[BrokerStatus, ...]
    streams: tuple[StreamStatus, ...]

    @property
    def spare(self) -> int:
        """How many more machines may fail, and everything goes on; negative: so many have to come back, or catch up."""
        answering = sum(broker.version is not None for broker in self.brokers)
        return min([answering - _majority(len(self.brokers)), *(stream.spare for stream in self.streams)])

    @property
    def outlook(self) -> list[str]:
        """What can still fail, as sentences."""
        count = len(self.brokers)
        answering = sum(broker.version is not None for broker in self.brokers)
        if count == 1 and not answering:
            said = ["the only machine does not answer; nothing is stored"]
        elif answering < _majority(count):
            said = [
                f"no majority: {answering} of {_machines(count)} answer, {_majority(count)} are needed; nothing is stored"
            ]
        elif self.spare < 0:
            short = [stream.name for stream in self.streams if stream.spare < 0]
            said = [f"no majority of the copies of {_listed(short)} is current, or nobody leads them yet: wait"]
        elif count == 1:
            said = ["there is one machine only: nothing goes on without it"]
        elif self.spare == 0:
            said = ["no machine may fail now"]
        else:
            said = [f"{_machines(self.spare)} may fail"]
        behind = [stream.name for stream in self.streams if not all(copy.is_current for copy in stream.copies)]
        if behind and self.spare >= 0:
            said.append(f"not all copies of {_listed(behind)} are current")
        if any(broker.syncs is False for broker in self.brokers):
            names = _listed([broker.name for broker in self.brokers if broker.syncs is False])
            said.append(f"a power cut may lose what is acknowledged: set sync_interval: always at {names}")
        return said


def _majority(count: int) -> int:
    return count // 2 + 1


def _machines(count: int) -> str:
    return "1 machine" if count == 1 else f"{count} machines"


def _listed(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
