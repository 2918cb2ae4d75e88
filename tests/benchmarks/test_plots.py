from __future__ import annotations

from xml.etree import ElementTree

import pytest

from lab.benchmarks.plots import line_chart, ticks

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(10, 1000, [10, 100, 1000]), (0.3, 7, [0.1, 1, 10]), (5, 5, [1, 10]), (10, 10, [10, 100])],
)
def test_ticks_are_powers_of_ten_around_the_values(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def chart() -> ElementTree.Element:
    series = {"PyroChat": [(10, 100.0), (1000, 10000.0)], "<other> & co": [(10, 100.0), (1000, 9900.0)]}
    return ElementTree.fromstring(line_chart("title", "members", "deliveries/s", series))


def points_of(line: ElementTree.Element) -> list[tuple[float, float]]:
    pairs = [pair.split(",") for pair in line.attrib["points"].split()]
    return [(float(x), float(y)) for x, y in pairs]


def test_a_series_is_a_line_and_its_name() -> None:
    root = chart()
    assert len(root.findall(f"{SVG}polyline")) == 2
    assert {"PyroChat", "<other> & co", "members"} <= {text.text for text in root.findall(f"{SVG}text")}


def test_more_is_further_right_and_higher() -> None:
    first, last = points_of(chart().findall(f"{SVG}polyline")[0])
    assert first[0] < last[0]
    assert first[1] > last[1]


def test_names_do_not_cover_each_other() -> None:
    rows = {text.text: float(text.attrib["y"]) for text in chart().findall(f"{SVG}text")}
    assert abs(rows["PyroChat"] - rows["<other> & co"]) >= 15
