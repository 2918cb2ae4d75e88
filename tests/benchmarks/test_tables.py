from __future__ import annotations

from pathlib import Path

import pytest

from lab.benchmarks.peers.bare import Bare
from lab.benchmarks.peers.course import Course
from lab.benchmarks.peers.interface import Peer
from lab.benchmarks.report import Report
from lab.benchmarks.tables import figure, markdown, table

PEERS: dict[str, Peer] = {"course": Course(), "floor": Bare()}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234567, "1,230,000"), (1000, "1,000"), (12.345, "12.3"), (0.01234, "0.0123")],
)
def test_a_figure_has_three_digits(value: float, text: str) -> None:
    assert figure(value) == text


def test_a_table_aligns_figures_to_the_right() -> None:
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |"


def a_report() -> Report:
    report = Report()
    for rate in (10.0, 30.0, 20.0):
        report.add("fan-out to 100", "course", {"deliveries/s": rate})
    report.add("fan-out to 100", "floor", {"deliveries/s": 50.0, "loss %": 1.0})
    report.remark("fan-out to 100", "with care")
    report.row("fan-out", [1.0, 3.0, 2.0], "course")
    report.row("server-cpu", [1.25])
    return report


def test_the_document_says_what_was_reached() -> None:
    lines = markdown(a_report(), PEERS, {"cores": "2"}, "python -m lab benchmarks", ["plot.svg"]).splitlines()
    assert any(line.endswith("(course) | ≥ 1.5 × | 4 × | 2 × | 1, 3, 2 | yes |") for line in lines)
    assert any(line.endswith("| ≤ 1 × | 0.5 × | 1.25 × | 1.25 | **no** |") for line in lines)


def test_what_a_peer_does_not_do_stands_beside_its_figures() -> None:
    document = markdown(a_report(), PEERS, {"cores": "2"}, "python -m lab benchmarks", ["plot.svg"])
    assert "| threads and JSON lines | durable, confirmed | 20 |  |" in document
    assert "| bare sendall | durable, ordered, confirmed, history | 50 | 1 |" in document
    assert "with care" in document


def test_the_document_names_plots_and_machine() -> None:
    document = markdown(a_report(), PEERS, {"cores": "2"}, "python -m lab benchmarks", ["plot.svg"])
    assert "![plot.svg](plot.svg)" in document
    assert "| cores | 2 |" in document


def test_no_path_gets_into_the_document() -> None:
    assert str(Path.cwd()) not in markdown(a_report(), PEERS, {}, "python -m lab benchmarks", [])
