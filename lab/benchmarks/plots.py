"""Line charts as SVG, both axes logarithmic."""

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 170, 50, 60
_COLOURS = (
    "#c2255c",
    "#1971c2",
    "#2f9e44",
    "#e8590c",
    "#7048e8",
    "#0c8599",
    "#868e96",
    "#f08c00",
    "#343a40",
    "#a61e4d",
)
_LABEL_GAP = 15


def ticks(low: float, high: float) -> list[float]:
    """The powers of ten around *low* and *high*."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def line_chart(title: str, x_title: str, y_title: str, series: Mapping[str, Points]) -> str:
    """One line for each series, with its name at its right end; all values have to be above 0."""
    xs = ticks(*_range(series, 0))
    ys = ticks(*_range(series, 1))

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x = _LEFT + _share(point[0], xs) * (_WIDTH - _LEFT - _RIGHT)
        y = _HEIGHT - _BOTTOM - _share(point[1], ys) * (_HEIGHT - _TOP - _BOTTOM)
        return round(x, 1), round(y, 1)

    parts = [_text(_LEFT, 28, title, size=16, weight="bold")]
    for x in xs:
        column, _ = place((x, ys[0]))
        parts += [_line(column, _TOP, column, _HEIGHT - _BOTTOM, "#e9ecef")]
        parts += [_text(column, _HEIGHT - _BOTTOM + 18, _short(x), anchor="middle")]
    for y in ys:
        _, row = place((xs[0], y))
        parts += [
            _line(_LEFT, row, _WIDTH - _RIGHT, row, "#e9ecef"),
            _text(_LEFT - 8, row + 4, _short(y), anchor="end"),
        ]
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 16, x_title, anchor="middle"))
    parts.append(_text(_LEFT, _TOP - 8, y_title))
    placed = {name: [place(point) for point in points] for name, points in series.items()}
    labels = _spread({name: points[-1][1] for name, points in placed.items()})
    for (name, points), colour in zip(placed.items(), _COLOURS * len(placed), strict=False):
        path = " ".join(f"{x},{y}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points]
        parts.append(_text(points[-1][0] + 8, labels[name] + 4, name, colour=colour))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="system-ui, sans-serif">\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _range(series: Mapping[str, Points], axis: int) -> tuple[float, float]:
    values = [point[axis] for points in series.values() for point in points]
    return min(values), max(values)


def _share(value: float, scale: Sequence[float]) -> float:
    return math.log(value / scale[0]) / math.log(scale[-1] / scale[0])


def _spread(rows: Mapping[str, float]) -> dict[str, float]:
    """The same from top to bottom, but no two closer than a line of text."""
    spread: dict[str, float] = {}
    last = -math.inf
    for name, row in sorted(rows.items(), key=lambda item: item[1]):
        spread[name] = last = max(row, last + _LABEL_GAP)
    return spread


def _short(value: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}"/>'


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    size: int = 12,
    weight: str = "normal",
    colour: str = "#343a40",
) -> str:
    style = f'text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="{colour}"'
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'
