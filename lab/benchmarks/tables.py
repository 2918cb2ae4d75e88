"""The results as Markdown."""

import statistics
from collections.abc import Mapping, Sequence

from lab.benchmarks.peers.interface import PROMISES, Peer
from lab.benchmarks.report import BOUNDS, Report, Row


def figure(value: float) -> str:
    """Three significant digits, for people: 1234567 is 1,230,000."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        digits = len(str(int(abs(value)))) - 3
        return f"{round(value, -digits):,.0f}"
    return f"{value:.3g}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are aligned to the right."""
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown(
    report: Report, peers: Mapping[str, Peer], machine: Mapping[str, str], command: str, plots: Sequence[str]
) -> str:
    """The whole document. plots: the names of image files beside it."""
    parts = [
        "# Benchmark results",
        f"Made by `{command}`. Every figure is the median of its rounds, in which the contestants took turns; every "
        "ratio is the median of the ratios of each round. One machine, loopback: a server process, one process with "
        "all members, one with the sender, for every peer alike.",
        "## What has to be reached",
        _bounds_table(report),
        "## What the peers do not do",
        _promises_table(peers),
        "## Measured",
        *(_work_section(report, peers, work) for work in report.samples),
        *(f"![{name}]({name})" for name in plots),
        "## Machine",
        table(["what", "which"], [[name, fact] for name, fact in machine.items()]),
    ]
    return "\n\n".join(parts) + "\n"


def _bounds_table(report: Report) -> str:
    rows = [_bound_row(report.rows[key]) for key in BOUNDS if key in report.rows]
    return table(["row", "reach", "aim for", "measured", "rounds", "reached"], rows)


def _bound_row(row: Row) -> list[str]:
    against = f" ({row.against})" if row.against else ""
    measured = f"{figure(row.value)} {row.bound.unit}"
    rounds = ", ".join(figure(value) for value in row.values)
    reached = "yes" if row.is_reached else "**no**"
    return [row.bound.title + against, row.bound.reach_text, row.bound.aim, measured, rounds, reached]


def _promises_table(peers: Mapping[str, Peer]) -> str:
    rows = []
    for peer in peers.values():
        kept = ["**no**" if promise in peer.lacks else "yes" for promise in PROMISES]
        rows.append([peer.title, *kept, peer.remark])
    explained = (
        "durable: on disk before it is acknowledged; ordered: one order for all, whoever sends; confirmed: who has "
        "received and read what; history: newcomers get what was said before."
    )
    return table(["peer", *PROMISES, "how it is used here"], rows) + "\n\n" + explained


def _work_section(report: Report, peers: Mapping[str, Peer], work: str) -> str:
    contestants = report.samples[work]
    quantities = list(dict.fromkeys(name for found in contestants.values() for name in found))
    rows = []
    for contestant, found in contestants.items():
        cells = [figure(statistics.median(found[name])) if name in found else "" for name in quantities]
        rows.append([*_title_and_lacks(peers.get(contestant), contestant), *cells])
    remark = f"\n\n{report.remarks[work]}" if work in report.remarks else ""
    return f"### {work}{remark}\n\n{table(['', 'does not do', *quantities], rows)}"


def _title_and_lacks(peer: Peer | None, contestant: str) -> tuple[str, str]:
    return (contestant, "") if peer is None else (peer.title, ", ".join(peer.lacks))
