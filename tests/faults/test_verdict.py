"""What the bench of three machines makes of a history, and of the copies."""

from __future__ import annotations

import io
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from lab.faults.events import OK, UNKNOWN
from lab.faults.history import SYSTEM, Content, History, Replica, Send
from lab.faults.machines.faults import FAULTS
from lab.faults.machines.poster import CLIENT as POSTER
from lab.faults.machines.round import Fault, Round, Silence
from lab.faults.machines.tampering import rewrite
from lab.faults.machines.verdict import Verdict, judge, longest_gap, longest_silence, show
from pyrochat.storage.log_file import log_path
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.values.message import Message
from tests.support import SALT

FAULT = Fault("storm", "a storm", 2.0, lambda round: None)
SECOND = 1_000_000_000


def sent(client: str, seconds: float, outcome: str = OK, id: int = 1, takes: float = 0.0) -> Send:
    text, ended = f"{client} {seconds}", int((seconds + takes) * SECOND)
    return Send(client, client, "lobby", text, int(seconds * SECOND), ended, outcome, id)


class Scene:
    """Ana and bo send a text each, a listener is shown all of it, and three machines have it."""

    def __init__(self, folder: Path) -> None:
        self.round = Round(None, random.Random(1))  # type: ignore[arg-type]
        contents = [Content(name, f"{name} joined", SYSTEM) for name in ("ana", "bo", "listener0")]
        contents += [Content("ana", "ana 1"), Content("bo", "bo 2"), Content("ana", "ana 3")]
        self.history = History([sent("ana", 1, id=4), sent("bo", 2, id=5), sent("ana", 3, id=6)])
        for name in ("ana", "bo", "listener0", ""):
            replica = Replica(name or "machine0@lobby", name, "lobby", tail=6, end=6, complete=True)
            for id, content in enumerate(contents, 1):
                replica.add(id, content, max(0, id - 3) * SECOND)
            self.history.replicas.append(replica)
        self.logs = [log_path(folder / f"machine{number}", "lobby") for number in range(3)]
        log = SqliteLog(self.logs[0], "lobby")
        messages = [
            Message(id, "lobby", content.sender, content.text, id, content.kind, proof=SALT)
            for id, content in enumerate(contents, 1)
        ]
        log.append(messages)
        log.close()
        for path in self.logs[1:]:
            path.parent.mkdir(parents=True)
            shutil.copyfile(self.logs[0], path)

    def judged(self) -> Verdict:
        return judge(FAULT, 1, self.round, self.history, 0, self.logs)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_good_round_is_good(scene: Scene) -> None:
    verdict = scene.judged()
    assert verdict.problems == []
    assert verdict.is_good
    assert (verdict.acknowledged, verdict.gap, verdict.silence) == (3, 2.0, 1.0)


def lose(scene: Scene) -> None:
    scene.history.sends.append(sent("bo", 2.5, id=9))


def leave(scene: Scene) -> None:
    for replica in scene.history.replicas:
        replica.add(7, Content("bo", "bo left", SYSTEM), 4 * SECOND)
        replica.end = 7


def skip(scene: Scene) -> None:
    replica = scene.history.replicas[2]
    for column in (replica.ids, replica.contents, replica.times):
        del column[4]


@pytest.mark.parametrize(("injure", "column"), [(lose, "lost"), (leave, "views"), (skip, "gaps")])
def test_what_is_wrong_is_counted(scene: Scene, injure: Callable[[Scene], None], column: str) -> None:
    injure(scene)
    verdict = scene.judged()
    assert {what for what, count in verdict.counts.items() if count} == {column}
    assert not verdict.is_right
    assert verdict.problems


def test_who_has_to_leave_may(scene: Scene) -> None:
    leave(scene)
    scene.round.left = 1
    assert scene.judged().is_good


def test_copies_have_to_be_whole_and_the_same(scene: Scene) -> None:
    rewrite(scene.logs[1], random.Random(1))
    verdict = scene.judged()
    assert not verdict.same
    assert not verdict.is_right
    scene.logs[1].unlink()
    assert "there is no log" in scene.judged().problems[0]


def test_nobody_is_acknowledged_in_a_silence(scene: Scene) -> None:
    scene.round.silences.append(Silence(int(0.5 * SECOND), int(2.5 * SECOND)))
    assert scene.judged().problems == ["2 sends were acknowledged without a majority"]
    scene.round.silences = [Silence(int(0.5 * SECOND), int(2.5 * SECOND), frozenset(["ana"]))]
    assert scene.judged().problems == ["1 sends were acknowledged without a majority"]
    scene.round.silences = [Silence(int(1.1 * SECOND), int(1.9 * SECOND))]
    assert scene.judged().is_good


def test_what_was_under_way_at_a_silences_ends_does_not_break_it() -> None:
    silence = Silence(2 * SECOND, 4 * SECOND)
    across = [sent("a", 1.5, takes=1), sent("a", 3.5, takes=1), sent("a", 3, UNKNOWN)]
    assert silence.broken_by(History(across)) == 0
    assert silence.broken_by(History([*across, sent("a", 2.5, takes=1)])) == 1


def test_right_but_slow_is_not_good(scene: Scene) -> None:
    for send in scene.history.sends[2:]:
        send.ended = 4 * SECOND
    verdict = scene.judged()
    assert verdict.gap == 3
    assert verdict.is_right
    assert not verdict.is_good
    scene.round.uncounted = {"ana"}
    assert scene.judged().is_good


def test_the_longest_gap_is_between_two_that_one_sender_was_acknowledged_for() -> None:
    history = History(
        [sent("a", 1), sent("b", 2), sent("a", 3), sent("b", 9), sent("a", 4), sent(POSTER, 1), sent(POSTER, 99)]
    )
    assert longest_gap(history, 0) == 7
    assert longest_gap(history, 0, ["b"]) == 2
    assert longest_gap(history, int(9.5 * SECOND)) == 0


def test_the_longest_silence_is_a_listeners() -> None:
    def shown(member: str, *seconds: int) -> Replica:
        return Replica(member, member, "lobby", times=[second * SECOND for second in seconds])

    history = History(replicas=[shown("listener0", 1, 2, 5), shown("listener1", 1, 9), shown("ana", 1, 99)])
    assert longest_silence(history, 0) == 8
    assert longest_silence(history, 0, ["listener1"]) == 3


def test_the_table_names_what_is_wrong(scene: Scene) -> None:
    lose(scene)
    scene.round.notes.append("back 3.2 s")
    printed = io.StringIO()
    show([scene.judged()], Console(width=200, file=printed))
    text = printed.getvalue()
    assert "a storm" in text
    assert "WRONG" in text
    assert "storm 1: back 3.2 s" in text
    assert "was acknowledged as #9" in text


def test_every_fault_has_a_name_and_a_bound() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert all(fault.bound > 0 and fault.what for fault in FAULTS)
