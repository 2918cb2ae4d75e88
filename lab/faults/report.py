"""What a run has shown: figures with their bounds, anomalies, how to have it again."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.faults.anomalies import Anomaly
from lab.faults.checker import check
from lab.faults.events import FAILED, OK, UNKNOWN
from lab.faults.history import History

_SHOWN = 20
REORDERED = ("sender's order", "real-time order", "out of order", "replicas differ", "views differ")


@dataclass(slots=True)
class Report:
    """One run. figures: ``(what, figure, bound, whether it is kept)``; troubles: what kept the bench from going on.

    It is good where every bound is kept, and there is neither an anomaly nor a trouble.
    """

    title: str
    figures: list[tuple[str, str, str, bool]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    recoveries: dict[str, float] = field(default_factory=dict)  # the longest, in seconds, after each kind of fault
    anomalies: list[Anomaly] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether everything is as it has to be."""
        return not self.anomalies and not self.troubles and all(kept for *_, kept in self.figures)

    def add(self, what: str, figure: str, bound: str = "", kept: bool = True) -> None:
        """One more figure."""
        self.figures.append((what, figure, bound, kept))

    def recovered(self, kind: str, seconds: float) -> None:
        """After a fault of this kind, maybe among others, it took so long until everybody was back."""
        self.recoveries[kind] = max(seconds, self.recoveries.get(kind, 0.0))

    def check(self, history: History) -> None:
        """Let the checker look, and take down what the history amounts to."""
        self.anomalies += check(history)
        outcomes = Counter(send.outcome for send in history.sends)
        stored = {content.text for replica in history.replicas for content in replica.contents}
        made_it = sum(send.outcome == UNKNOWN and send.text in stored for send in history.sends)
        kinds = Counter(anomaly.kind for anomaly in self.anomalies)
        self.add("messages acknowledged", f"{outcomes[OK]:,}")
        self.add("sends failed, as the room said", f"{outcomes[FAILED]:,}")
        self.add("sends whose fate was unknown", f"{outcomes[UNKNOWN]:,} ({made_it:,} of them are in the log)")
        self.add("deliveries compared", f"{sum(len(replica.ids) for replica in history.replicas):,}")
        self.add("confirmations compared", f"{len(history.answers):,}")
        reordered = sum(kinds[kind] for kind in REORDERED)
        others = len(self.anomalies) - kinds["lost"] - kinds["twice"] - reordered
        counted = {
            "lost": kinds["lost"],
            "duplicated": kinds["twice"],
            "reordered": reordered,
            "other anomalies": others,
        }
        for what, count in counted.items():
            self.add(what, str(count), "0", count == 0)

    def show(self, console: Console, replay: str, kept: Path | None) -> None:
        """Print it; with *replay*, and where the files are, if it is not good."""
        if self.faults:
            table = Table(title="faults injected", title_justify="left")
            table.add_column("fault")
            table.add_column("times", justify="right")
            if self.recoveries:
                table.add_column("longest recovery", justify="right")
            for kind, count in sorted(self.faults.items()):
                recovery = [f"{self.recoveries[kind]:.2f} s"] if kind in self.recoveries else []
                table.add_row(kind, str(count), *recovery)
            console.print(table)
        table = Table(title=escape(self.title), title_justify="left")
        for column in ("", "figure", "bound"):
            table.add_column(column, justify="left" if not column else "right")
        for what, figure, bound, is_kept in self.figures:
            table.add_row(what, figure if is_kept else f"[bold red]{figure}[/]", bound)
        console.print(table)
        for line in [*self.troubles, *map(str, self.anomalies[:_SHOWN])]:
            console.print(f"[red]{escape(line)}[/]")
        if len(self.anomalies) > _SHOWN:
            console.print(f"… and {len(self.anomalies) - _SHOWN:,} more")
        if not self.is_good:
            console.print(f"to have it again: {escape(replay)}", soft_wrap=True)
            if kept is not None:
                console.print(f"the files of this run: {escape(str(kept))}", soft_wrap=True)


def percentile(values: list[float], share: float) -> float:
    """The smallest value that *share* (0 to 1) of all are not above; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
