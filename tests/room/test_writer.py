"""Group commit: who comes while a commit is under way shares the next one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from pyrochat.core.sequencer import Draft
from pyrochat.room.writer import Request, Writer
from pyrochat.values.errors import PyroChatError, RoomClosing
from tests.support import Running, chat_message, eventually


class Commits:
    """A commit that notes its groups, and can be held up."""

    def __init__(self) -> None:
        self.groups: list[list[Request]] = []
        self.open = threading.Event()
        self.open.set()
        self.under_way = threading.Event()

    def __call__(self, group: list[Request]) -> None:
        self.groups.append(group)
        self.under_way.set()
        assert self.open.wait(10)
        for request in group:
            try:
                drafts = request.plan()
            except PyroChatError as error:
                request.finish(error)
            else:
                request.finish([chat_message(1, draft.text) for draft in drafts])


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture
def start() -> Iterator[Callable[..., Writer]]:
    writers: list[Writer] = []

    def start_(commit: Callable[[list[Request]], None], **options: int) -> Writer:
        writers.append(Writer("test", commit, lambda: None, **options))
        writers[-1].start()
        return writers[-1]

    yield start_
    for writer in writers:
        writer.close()


def asking(text: str) -> Request:
    return Request(lambda: [Draft("Erick", text)])


def refused() -> Request:
    def plan() -> list[Draft]:
        raise PyroChatError("not this one")

    return Request(plan)


def test_requests_that_come_during_a_commit_share_the_next(commits: Commits, start: Callable[..., Writer]) -> None:
    writer = start(commits)
    commits.open.clear()
    requests = [writer.submit(asking("0"))]
    assert commits.under_way.wait(10)
    requests += [writer.submit(asking(str(number))) for number in range(1, 100)]
    commits.open.set()
    results = [request.wait() for request in requests]
    assert [[m.text for m in result] for result in results] == [[str(number)] for number in range(100)]
    assert [len(group) for group in commits.groups] == [1, 99]


def test_a_group_has_a_bound(commits: Commits, start: Callable[..., Writer]) -> None:
    writer = start(commits, most=10)
    commits.open.clear()
    first = writer.submit(asking("first"))
    assert commits.under_way.wait(10)
    rest = [writer.submit(asking("x")) for _ in range(25)]
    commits.open.set()
    for request in [first, *rest]:
        request.wait()
    assert [len(group) for group in commits.groups] == [1, 10, 10, 5]


def test_an_error_reaches_only_its_caller(commits: Commits, start: Callable[..., Writer]) -> None:
    writer = start(commits)
    commits.open.clear()
    writer.submit(asking("first"))
    assert commits.under_way.wait(10)
    good, bad, other = (writer.submit(request) for request in (asking("good"), refused(), asking("other")))
    commits.open.set()
    assert [m.text for m in good.wait() + other.wait()] == ["good", "other"]
    with pytest.raises(PyroChatError, match="not this one"):
        bad.wait()


def test_close_commits_what_was_handed_in_and_refuses_the_rest(commits: Commits, start: Callable[..., Writer]) -> None:
    writer = start(commits)
    commits.open.clear()
    requests = [writer.submit(asking(str(number))) for number in range(20)]
    closing = Running(writer.close)
    eventually(lambda: writer._closing)
    with pytest.raises(RoomClosing):
        writer.submit(asking("too late"))
    assert not closing.is_done
    commits.open.set()
    closing.result()
    assert all(request.done for request in requests)
    assert [m.text for request in requests for m in request.wait()] == [str(number) for number in range(20)]


def test_the_writer_asks_again_when_it_is_nudged() -> None:
    due: list[float | None] = [None]
    committed = threading.Event()

    def commit(group: list[Request]) -> None:
        if not group:
            committed.set()

    writer = Writer("test", commit, lambda: due.pop() if due else None)
    writer.start()
    eventually(lambda: not due)
    due.append(0.0)
    writer.nudge()
    assert committed.wait(10)
    writer.close()


def test_a_defect_in_a_commit_hangs_nobody(start: Callable[..., Writer], caplog: pytest.LogCaptureFixture) -> None:
    def commit(group: list[Request]) -> None:
        if group and group[0].size == 99:
            raise ZeroDivisionError
        for request in group:
            request.finish([])

    writer = start(commit)
    with caplog.at_level(logging.CRITICAL), pytest.raises(PyroChatError, match="internal error"):
        writer.submit(Request(list, size=99)).wait()
    assert writer.submit(asking("after")).wait() == []


class WatchedWriter(Writer):
    """A writer that notes what its thread died of."""

    died: Exception | None = None

    def _run(self) -> None:
        try:
            super()._run()
        except Exception as error:
            self.died = error


def test_a_defect_after_some_of_a_group_have_succeeded_does_not_end_the_writer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A group with two changes of the view is two commits: the second may fail when the first is done."""
    gate = threading.Event()

    def commit(group: list[Request]) -> None:
        assert gate.wait(10)
        for request in group:
            if request.size == 99:
                raise ZeroDivisionError
            request.finish([])

    writer = WatchedWriter("test", commit, lambda: None)
    good, bad = writer.submit(asking("good")), writer.submit(Request(list, size=99))
    with caplog.at_level(logging.CRITICAL):
        writer.start()
        gate.set()
        eventually(lambda: bad.done or writer.died, 5)
        writer.close()
    assert writer.died is None
    assert good.wait() == []
    with pytest.raises(PyroChatError, match="internal error"):
        bad.wait()


class Idle:
    """How long the writer may be idle: raises what it is told to, once."""

    def __init__(self) -> None:
        self.error: BaseException | None = KeyError("a defect")

    def __call__(self) -> None:
        if self.error is not None:
            error, self.error = self.error, None
            raise error


@pytest.mark.parametrize("error", [KeyError("a defect"), SystemExit(1)])
def test_found_10_whatever_the_writer_stumbles_over_it_goes_on_and_nobody_hangs(
    commits: Commits, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Between commits too, when it has taken a request already."""
    idle = Idle()
    idle.error = None
    writer = Writer("test", commits, idle)
    commits.open.clear()
    first = writer.submit(asking("first"))
    writer.start()
    assert commits.under_way.wait(10)
    taken = writer.submit(asking("taken"))
    idle.error = error
    writer.nudge()  # taken with the other: then it asks how long it may be idle
    last = writer.submit(asking("last"))
    commits.open.set()
    try:
        assert [m.text for m in first.wait()] == ["first"]
        eventually(lambda: taken.done and last.done)
        outcomes = []
        for request in (taken, last):
            try:
                outcomes += [m.text for m in request.wait()]
            except PyroChatError as failed:
                outcomes.append(str(failed)[:14])
        assert outcomes in (["taken", "internal error"], ["internal error", "last"], ["taken", "last"])
        assert [m.text for m in writer.submit(asking("after")).wait()] == ["after"]
    finally:
        writer.close()
    assert idle.error is None
    assert any(record.exc_info for record in caplog.records)
