"""Writing the results: one JSON, one Markdown, the plots."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from lab.benchmarks.contestants import PEERS
from lab.benchmarks.plots import Points, line_chart
from lab.benchmarks.report import Report
from lab.benchmarks.tables import markdown
from lab.benchmarks.work.arenas import MICROSECONDS, RATE
from lab.benchmarks.work.fan_out import work_name
from lab.benchmarks.work.growth import DELIVERY_WORK, POST_MICROSECONDS, POST_WORK

_FAN_OUT_MEMBERS = (10, 100, 1000)


def write_results(report: Report, machine: Mapping[str, str], command: str, folder: Path) -> None:
    """Write everything that there is into *folder*; plots of an earlier run are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    plots = dict(_plots(report))
    for name, drawing in plots.items():
        (folder / name).write_text(drawing)
    (folder / "results.json").write_text(
        json.dumps(_as_json(report, machine, command), indent=1, ensure_ascii=False) + "\n"
    )
    (folder / "results.md").write_text(markdown(report, PEERS, machine, command, list(plots)))


def _as_json(report: Report, machine: Mapping[str, str], command: str) -> dict[str, object]:
    rows = [
        {
            "row": row.bound.title,
            "key": row.key,
            "reach": row.bound.reach_text,
            "aim": row.bound.aim,
            "against": row.against,
            "rounds": list(row.values),
            "median": row.value,
            "reached": row.is_reached,
        }
        for row in report.rows.values()
    ]
    return {
        "command": command,
        "machine": dict(machine),
        "rows": rows,
        "samples": report.samples,
        "remarks": report.remarks,
        "lacks": {peer.name: list(peer.lacks) for peer in PEERS.values()},
    }


def _plots(report: Report) -> Iterator[tuple[str, str]]:
    if all(work_name(members) in report.samples for members in _FAN_OUT_MEMBERS):
        yield "fan-out.svg", line_chart("Fan-out: deliveries end to end", "members", RATE, _fan_out(report))
    if DELIVERY_WORK in report.samples:
        points = _growth(report, DELIVERY_WORK, MICROSECONDS)
        yield "cost-per-delivery.svg", line_chart("Cost of a delivery", "members", MICROSECONDS, {"PyroChat": points})
    if POST_WORK in report.samples:
        points = _growth(report, POST_WORK, POST_MICROSECONDS)
        yield (
            "cost-per-post.svg",
            line_chart("Cost of a post", "messages in the log", POST_MICROSECONDS, {"PyroChat": points}),
        )


def _fan_out(report: Report) -> dict[str, Points]:
    series: dict[str, Points] = {}
    for peer in report.samples[work_name(_FAN_OUT_MEMBERS[0])]:
        series[PEERS[peer].title] = [
            (members, report.median(work_name(members), peer, RATE)) for members in _FAN_OUT_MEMBERS
        ]
    return series


def _growth(report: Report, work: str, quantity: str) -> Points:
    return [(float(size), report.median(work, size, quantity)) for size in report.samples[work]]
