"""What a round on three machines has shown: counted from its history, and from the copies that the machines have in the end."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lab.faults.checker import check
from lab.faults.events import OK
from lab.faults.history import SYSTEM, History
from lab.faults.machines.poster import CLIENT as POSTER
from lab.faults.machines.round import Fault, Round
from lab.faults.machines.trio import LISTENER
from lab.faults.report import REORDERED
from pyrochat.storage.verifying import verify_file
from pyrochat.values.errors import PyroChatError

_GAPS = ("out of order", "torn join", "left behind")
_SHOWN = 5  # anomalies
COUNTED = ("lost", "twice", "gaps", "reordered", "others", "views")


@dataclass
class Verdict:
    """gap: the longest time that a sender was not acknowledged, silence: that a listener got nothing, seconds. counts: of what must
    not be, see `COUNTED`; "views" are joins and leaves too many or too few. same: whether all copies are whole, and end with
    one digest."""

    fault: Fault
    number: int
    gap: float
    silence: float
    acknowledged: int
    same: bool
    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        """Whether nothing was lost, doubled or reordered, and nobody was told what is not true."""
        return self.same and not self.problems and not any(self.counts.values())

    @property
    def is_good(self) -> bool:
        """Whether it is right, and was quick enough."""
        return self.is_right and max(self.gap, self.silence) <= self.fault.bound


def judge(fault: Fault, number: int, round: Round, history: History, begun: int, logs: Sequence[Path]) -> Verdict:
    """The verdict on *round*. begun: when the fault did (`time.monotonic_ns()`). logs: the files of all machines."""
    anomalies = check(history)
    counts = Counter(_column(anomaly.kind) for anomaly in anomalies)
    problems = [*round.problems, *(str(anomaly) for anomaly in anomalies[:_SHOWN])]
    broken = sum(silence.broken_by(history) for silence in round.silences)
    if broken:
        problems.append(f"{broken} sends were acknowledged without a majority")
    if not round.problems:  # else it did not come to its end
        for what, stands, right in _changes(round, history):
            if stands != right:
                counts["views"] += abs(stands - right)
                problems.append(f'"{what}" stands {stands} times in the log, {right} are right')
    digests = [_digest(log) for log in logs]
    same = len(set(digests)) == 1 and not digests[0].startswith("not")
    if not same:
        problems.append(f"the copies end with {', '.join(digests)}")
    return Verdict(
        fault, number, longest_gap(history, begun, round.uncounted), longest_silence(history, begun, round.uncounted),
        sum(send.outcome == OK for send in history.sends), same, counts, round.notes, problems,
    )  # fmt: skip


def _column(kind: str) -> str:
    if kind in ("lost", "twice"):
        return kind
    return "gaps" if kind in _GAPS else "reordered" if kind in REORDERED else "others"


def _changes(round: Round, history: History) -> list[tuple[str, int, int]]:
    """How often somebody has joined or left, by the longest replica, and how often that would be right."""
    longest = max(history.replicas, key=lambda replica: replica.last)
    found = Counter(content.text.rpartition(" ")[2] for content in longest.contents if content.kind == SYSTEM)
    clients = {replica.member for replica in history.replicas if replica.member and replica.tail}
    return [("joined", found["joined"], len(clients) + round.joined), ("left", found["left"], round.left)]


def _digest(log: Path) -> str:
    """The digest at the end of *log*, all of which fits; or why there is none."""
    try:
        _, verdict = verify_file(log, lambda done, total: None)
    except PyroChatError as error:
        return f"not readable ({error})"
    if verdict.damage is not None:
        return f"not whole ({verdict.damage})"
    return f"{verdict.whole_up_to}:{verdict.digest.hex()}"


def longest_gap(history: History, since: int, uncounted: Iterable[str] = ()) -> float:
    """The longest time, in seconds, that a sender (none of the *uncounted*) was not acknowledged for anything, from *since* on."""
    # the poster sends only when it is told to
    ends: dict[str, list[int]] = {}
    for send in history.sends:
        if send.outcome == OK and send.ended is not None and send.client != POSTER and send.member not in uncounted:
            ends.setdefault(send.client, []).append(send.ended)
    return max((_longest(times, since) for times in ends.values()), default=0.0)


def longest_silence(history: History, since: int, uncounted: Iterable[str] = ()) -> float:
    """The longest time, in seconds, that a listener (none of the *uncounted*) was shown nothing, from *since* on."""
    listeners = (r for r in history.replicas if r.member.startswith(LISTENER) and r.member not in uncounted)
    return max((_longest(replica.times, since) for replica in listeners), default=0.0)


def _longest(times: Iterable[int], since: int) -> float:
    pairs = itertools.pairwise(sorted(times))
    return max(((after - before) / 1e9 for before, after in pairs if after > since), default=0.0)


def show(verdicts: Sequence[Verdict], console: Console) -> None:
    """Print the table, and below it the other figures, and what was not right."""
    table = Table(title="three machines", title_justify="left")
    table.add_column("fault")
    for heading in ("round", "longest gap", "listener's", "bound", "acknowledged", *COUNTED, "digests"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for verdict in verdicts:
        table.add_row(
            verdict.fault.what, str(verdict.number), f"{verdict.gap:.2f} s", f"{verdict.silence:.2f} s", f"{verdict.fault.bound:g} s",
            f"{verdict.acknowledged:,}", *(str(verdict.counts[what]) for what in COUNTED), "equal" if verdict.same else "DIFFER",
            "good" if verdict.is_good else "right, but slow" if verdict.is_right else "WRONG",
            style="" if verdict.is_good else "bold red",
        )  # fmt: skip
    console.print(table)
    for verdict in verdicts:
        if verdict.notes:
            console.print(
                f"{verdict.fault.name} {verdict.number}: {'; '.join(verdict.notes)}", highlight=False, markup=False
            )
        for problem in verdict.problems:
            console.print(Text(f"{verdict.fault.name} {verdict.number}: {problem}", style="red"))
