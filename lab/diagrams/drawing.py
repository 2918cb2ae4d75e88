"""A space-time diagram as SVG: a line for each site, time to the right, an arrow for each message. Time is stretched where much happens, and
pressed together where nothing does."""

from collections.abc import Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

from lab.diagrams.trace import Call, Moment, Span, Trace

_LEFT, _TOP, _BETWEEN, _FOOT, _LEAST_WIDTH = 90, 64, 104, 52, 480
_LEAST, _MOST, _PER_SECOND = 14.0, 70.0, 500.0  # pixels between two points in time
_BURST_SECONDS = 0.004  # what one site says within this begins at one point
_CHARACTER = 6.6
_ROW = 15
_TITLE_CHARACTER = 9.6
_BEND = 9  # of what passes a line, so that it does not seem to touch it
COLOURS = {"events": "#1f6fb5", "marks": "#9a9a9a", "agreement": "#d9822b", "delivery": "#1f6fb5"}
_FILLS = {"said": "black", "numbered": "#9a9a9a", "shown": "white", "told": "#d33"}
_WORDS = {
    "events": "a text",
    "marks": "how far a clock is",
    "agreement": "agreeing on who is there",
    "delivery": "a delivery",
}


def kind_of(what: Sequence[str]) -> str:
    """The arrow for what a call says; empty: none."""
    if "events" in what or "delivery" in what:
        return "events" if "events" in what else "delivery"
    if any(word in what for word in ("prepare", "promised", "accept", "accepted", "decided", "join")):
        return "agreement"
    return "marks" if "marks" in what else ""


def draw(title: str, sites: Sequence[str], trace: Trace, begun: float, ended: float) -> str:
    """The SVG of what happened from *begun* to *ended*."""
    calls = [
        call for call in trace.calls if begun <= call.begun <= ended and kind_of(call.what) and call.target in sites
    ]
    calls = _gathered(sorted(calls, key=lambda call: call.begun))
    moments = sorted(moment for moment in trace.moments if begun <= moment.at <= ended)
    spans = [span for span in trace.spans if span.ended >= begun and span.begun <= ended]
    at = _scale([*(t for call in calls for t in (call.begun, call.ended)), *(moment.at for moment in moments),
                 *(t for span in spans for t in (span.begun, span.ended))])  # fmt: skip
    rows = {site: _TOP + 40 + number * _BETWEEN for number, site in enumerate(sites)}
    ends = [at[moment.at] + len(moment.text) * _CHARACTER + 20 for moment in moments]
    width = max(max(at.values()) + 40, *ends, 20 + len(title) * _TITLE_CHARACTER, _LEAST_WIDTH)
    height = _TOP + len(sites) * _BETWEEN + _FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}" '
        'font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width:.0f}" height="{height}" fill="white"/>',
        *(f'<marker id="{kind}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
          f'<path d="M0,0 L8,4 L0,8 z" fill="{colour}"/></marker>' for kind, colour in COLOURS.items()),
        f'<text x="16" y="26" font-size="15" font-weight="bold">{escape(title)}</text>',
        *(_span(span, rows, at, width) for span in spans),
        *(f'<line x1="{_LEFT - 10}" x2="{width - 12:.0f}" y1="{y}" y2="{y}" stroke="#333"/><text x="{_LEFT - 18}" y="{y + 4}" '
          f'text-anchor="end" font-weight="bold">{escape(site)}</text>' for site, y in rows.items()),
        *(_arrow(call, rows, at) for call in sorted(calls, key=lambda call: kind_of(call.what) != "marks")),
        *_labels(moments, rows, at),
        _legend({kind_of(call.what) for call in calls}, {moment.kind for moment in moments}, height),
        "</svg>",
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _gathered(calls: Sequence[Call]) -> list[Call]:
    """What one site says at once begins at once, unless something has come in between: no effect is drawn before its cause."""
    found: list[Call] = []
    for call in calls:
        begun = call.begun
        for mate in reversed(found):
            if mate.source == call.source and kind_of(mate.what) == kind_of(call.what):
                is_answer = any(one.target == call.source and mate.begun < one.ended <= call.begun for one in calls)
                if call.begun - mate.begun < _BURST_SECONDS and not is_answer:
                    begun = mate.begun
                break
        found.append(call._replace(begun=begun))
    return found


def _scale(times: Sequence[float]) -> dict[float, float]:
    """Where each point in time is, in pixels."""
    ordered = sorted(set(times))
    found, x = {ordered[0]: float(_LEFT)}, float(_LEFT)
    for before, after in pairwise(ordered):
        x += min(_MOST, _LEAST + (after - before) * _PER_SECOND)
        found[after] = x
    return found


def _arrow(call: Call, rows: dict[str, int], at: dict[float, float]) -> str:
    kind = kind_of(call.what)
    style = {"marks": 'stroke-width="1"', "agreement": 'stroke-width="1.6" stroke-dasharray="5 3"'}.get(
        kind, 'stroke-width="1.8"'
    )
    x, y, to_x, to_y = at[call.begun], rows[call.source], at[call.ended], rows[call.target]
    is_far = abs(to_y - y) > _BETWEEN
    bend = f"L{min((x + to_x) / 2 + _BEND, to_x - 1):.1f},{(y + to_y) / 2:.0f} " if is_far else ""
    return (
        f'<path d="M{x:.1f},{y} {bend}L{to_x:.1f},{to_y}" fill="none" '
        f'stroke="{COLOURS[kind]}" {style} marker-end="url(#{kind})"/>'
    )


def _span(span: Span, rows: dict[str, int], at: dict[float, float], width: float) -> str:
    x, end = at[span.begun], at[span.ended]
    ys = [rows[site] for site in span.sites]
    return (
        f'<rect x="{x:.1f}" y="{min(ys) - 36}" width="{end - x:.1f}" height="{max(ys) - min(ys) + 74}" fill="#f3e3e3"/>'
        f'<text x="{x + 4:.1f}" y="{min(ys) - 24}" font-size="11" fill="#a33">cut off</text>'
    )


def _labels(moments: Sequence[Moment], rows: dict[str, int], at: dict[float, float]) -> list[str]:
    """What was said, and told, above the line, what was shown below it, on as many lines as it takes."""
    parts, taken = [], dict[tuple[str, str, int], float]()
    for moment in moments:
        x, y = at[moment.at], rows[moment.site]
        text = f"“{moment.text}”" if moment.kind == "said" else moment.text
        side = "above" if moment.kind in ("said", "told") else "below"
        row = next(n for n in range(99) if taken.get((moment.site, side, n), 0.0) < x)
        taken[moment.site, side, row] = x + 8 + len(text) * _CHARACTER
        label = y - 10 - row * _ROW if side == "above" else y + 18 + row * _ROW
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{label - 4}" stroke="#bbb" stroke-dasharray="2 2"/>'
            f'<circle cx="{x:.1f}" cy="{y}" r="4" fill="{_FILLS[moment.kind]}" stroke="black"/>'
            + _haloed(x + 3, label, text)
        )
    return parts


def _haloed(x: float, y: float, text: str) -> str:
    """*text* that can be read over lines, too."""
    halo = 'fill="white" stroke="white" stroke-width="4" stroke-linejoin="round"'
    return "".join(f'<text x="{x:.1f}" y="{y}" {how}>{escape(text)}</text>' for how in (halo, 'fill="black"'))


def _legend(arrows: set[str], dots: set[str], height: int) -> str:
    parts, x, y = [], 16.0, height - 20
    for kind in (kind for kind in COLOURS if kind in arrows):
        parts.append(
            f'<line x1="{x:.0f}" x2="{x + 26:.0f}" y1="{y}" y2="{y}" stroke="{COLOURS[kind]}" stroke-width="2" '
            f'marker-end="url(#{kind})"/><text x="{x + 32:.0f}" y="{y + 4}">{_WORDS[kind]}</text>'
        )
        x += 50 + len(_WORDS[kind]) * _CHARACTER
    for kind in (kind for kind in _FILLS if kind in dots):
        parts.append(
            f'<circle cx="{x + 4:.0f}" cy="{y}" r="4" fill="{_FILLS[kind]}" stroke="black"/><text x="{x + 14:.0f}" y="{y + 4}">{kind}</text>'
        )
        x += 28 + len(kind) * _CHARACTER
    return "".join(parts)
