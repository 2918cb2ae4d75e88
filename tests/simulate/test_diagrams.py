"""Space-time diagrams: of a real run, and legible."""

from __future__ import annotations

import re
import time
from xml.etree import ElementTree

from lab.diagrams.drawing import draw
from lab.diagrams.trace import Call, LocalRun, Moment, Run, Span, Trace

PATH = "{http://www.w3.org/2000/svg}path"
ARROW = re.compile(r"M([\d.]+),\d+ (?:L\S+ )?L([\d.]+),\d+")
TEXT = "{http://www.w3.org/2000/svg}text"


def drawn(svg: str) -> tuple[list[tuple[float, float]], list[str]]:
    """Where each arrow begins and ends in time, and all that is written."""
    root = ElementTree.fromstring(svg)
    arrows = [match for path in root.iter(PATH) if (match := ARROW.fullmatch(path.attrib["d"]))]
    written = [text.text or "" for text in root.iter(TEXT)]
    return [(float(begin), float(end)) for begin, end in (arrow.groups() for arrow in arrows)], written


def test_a_run_of_real_sites_is_drawn() -> None:
    with Run("causal", ("ana", "igor")) as run:
        begun = run.rest()
        run.say("ana", "hello").join()
        run.wait_until_shown("hello", ("ana", "igor"))
        run.wait(lambda: any(call.what == ("events",) and call.begun > begun for call in run.trace.calls), "a call")
        arrows, written = drawn(draw("a run", ("ana", "igor"), run.trace, begun, time.monotonic()))
    assert arrows
    assert all(begin < end for begin, end in arrows)
    assert {"ana", "igor", "a run", "“hello”"} <= set(written)
    assert len([text for text in written if re.fullmatch(r"hello ana\.\d+", text)]) == 2 * 2  # each with its halo


def test_who_is_cut_off_and_what_is_said_at_once_can_be_seen() -> None:
    trace = Trace()
    trace.calls = [Call("ana", "igor", 1.0, 1.1, ("events",)), Call("ana", "zoe", 1.001, 1.2, ("events", "marks"))]
    trace.moments = [Moment("ana", 0.9, "said", "a < b"), Moment("zoe", 1.3, "shown", "a < b #1")]
    trace.spans = [Span(("zoe",), 1.4, 1.5)]
    arrows, written = drawn(draw("cut", ("ana", "igor", "zoe"), trace, 0.5, 2.0))
    assert len({begin for begin, _ in arrows[:2]}) == 1
    assert {"cut off", "“a < b”", "a < b #1"} <= set(written)


def test_no_effect_is_drawn_before_its_cause() -> None:
    trace = Trace()
    trace.calls = [
        Call("server", "ana", 1.000, 1.001, ("delivery",)),
        Call("igor", "server", 1.000, 1.002, ("events",)),
        Call("server", "ana", 1.002, 1.003, ("delivery",)),  # of what igor has said
    ]
    arrows, _ = drawn(draw("quick", ("ana", "server", "igor"), trace, 0.5, 2.0))
    [arrived] = [end for begin, end in arrows if begin == arrows[0][0] and end > arrows[0][1]]
    assert arrows[-1][0] >= arrived


def test_what_a_server_has_numbered_is_seen_there_before_it_is_shown() -> None:
    with LocalRun(("ana", "igor")) as run:
        run.say("ana", "hello").join()
        run.wait_until_shown("hello", ("ana", "igor"))
        run.connect()
    [numbered] = [moment for moment in run.trace.moments if moment.kind == "numbered"]
    assert {(call.source, call.target) for call in run.trace.calls} == {("ana", "server"), ("server", "ana"), ("server", "igor")}  # fmt: skip
    assert all(call.begun <= call.ended for call in run.trace.calls)
    assert {moment.text for moment in run.trace.moments if moment.kind == "shown"} == {numbered.text}
