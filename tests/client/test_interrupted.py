"""Sends that are interrupted, from wherever; chats that nobody holds, and the interpreter's end."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import pyrochat
from pyrochat import Chat, InvalidArgument, LogInUse, PyroChatError, SendTimeout, Server
from pyrochat.client.lifetimes import leave_all
from pyrochat.pyro.callbacks import CallbackServer
from tests.support import QUICK, Running, eventually, free_port, texts

Host = Callable[..., Server]
Join = Callable[..., Chat]


class TimeLimit(Exception):
    """What Celery and pytest-timeout raise in a signal's handler."""


def test_found_37_what_was_never_handed_over_is_withdrawn(host_lobby: Host, joined: Join, tmp_path: Path) -> None:
    """Given a room that is away, when a send gives up and is made again, then the text appears once."""
    where = {"port": free_port(), "data": tmp_path / "mine"}
    server = host_lobby(**where)
    ana = joined("Ana", at=server.at)
    server.close()
    eventually(lambda: ana.state == "reconnecting")
    with pytest.raises(SendTimeout, match="withdrawn"):
        ana.send("once", timeout=0.1)
    assert ana.pending == 0
    host_lobby(**where)
    sent = ana.send("once", timeout=20)
    ana.wait_for(sent.id, timeout=20)
    assert texts(ana.history()) == ["once"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, TimeLimit, SystemExit])
def test_found_37_an_interrupted_send_is_withdrawn_and_the_interruption_reaches_the_caller(
    host_lobby: Host, joined: Join, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    where = {"port": free_port(), "data": tmp_path / "mine"}
    server = host_lobby(**where)
    ana = joined("Ana", at=server.at)
    server.close()
    eventually(lambda: ana.state == "reconnecting")
    wait = ana._session._wait_for_remote

    def interrupted(deadline: float | None) -> object:
        monkeypatch.setattr(ana._session, "_wait_for_remote", wait)
        raise interruption  # as a signal's handler does, in the middle of the wait

    monkeypatch.setattr(ana._session, "_wait_for_remote", interrupted)
    with pytest.raises(interruption) as caught:
        ana.send("never handed over")
    assert not getattr(caught.value, "__notes__", [])
    assert ana.pending == 0
    host_lobby(**where)
    sent = ana.send("after it", timeout=20)
    ana.wait_for(sent.id, timeout=20)
    assert texts(ana.history()) == ["after it"]


@pytest.mark.parametrize("sent_again", [False, True])
def test_found_36_the_key_of_a_text_that_was_on_its_way_is_told(
    joined: Join, monkeypatch: pytest.MonkeyPatch, sent_again: bool
) -> None:
    """Also where the outbox's thread has found the text waiting, and sent it again, before the caller looks."""
    ana = joined("Ana")
    outbox = ana._outbox
    pause = outbox._pause

    def pause_until_sent() -> None:
        pause()
        with outbox._changed:
            outbox._start()
            outbox._changed.notify_all()
        eventually(lambda: outbox.pending == 0)

    if sent_again:
        monkeypatch.setattr(outbox, "_pause", pause_until_sent)
    remote = ana._session._remote
    assert remote is not None
    exchange = remote._exchange

    def interrupted(*arguments: object) -> object:
        monkeypatch.setattr(remote, "_exchange", exchange)
        exchange(*arguments)  # type: ignore[arg-type]
        raise TimeLimit

    monkeypatch.setattr(remote, "_exchange", interrupted)
    with pytest.raises(TimeLimit) as caught:
        ana.send("stored, and nobody said so")
    [note] = caught.value.__notes__
    key = note.partition("key='")[2].partition("'")[0]
    again = ana.send("stored, and nobody said so", key=key, timeout=20)
    ana.wait_for(again.id, timeout=20)
    assert texts(ana.history()) == ["stored, and nobody said so"]


def test_found_36_a_call_within_an_interrupted_call_of_the_same_thread_does_not_wait_for_it(
    joined: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a signal's handler that runs in the middle of a send, when it sends and leaves, then it comes to its end."""
    ana = joined("Ana")
    remote = ana._session._remote
    assert remote is not None
    exchange = remote._exchange
    outcomes: list[object] = []

    def handler(*arguments: object) -> object:
        monkeypatch.setattr(remote, "_exchange", exchange)
        try:
            outcomes.append(ana.send("from the handler", timeout=0.2))
        except SendTimeout as error:
            outcomes.append(error)
        ana.leave(timeout=0.2)
        return exchange(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(remote, "_exchange", handler)
    sending = Running(lambda: ana.send("interrupted"))
    with pytest.raises(PyroChatError):
        sending.result(20)
    assert isinstance(outcomes[0], SendTimeout)
    assert ana.state == "closed"


def test_found_40_a_send_from_a_thread_that_others_need_raises_at_once(joined: Join) -> None:
    ana = joined("Ana")
    refused: list[PyroChatError] = []

    def send() -> None:
        try:
            ana.send("from the thread that serves all chats")
        except PyroChatError as error:
            refused.append(error)

    CallbackServer.of_this_process().call_later(0.0, send)
    eventually(lambda: refused)
    assert "QueueHandler" in str(refused[0])
    assert ana.send("from mine").text == "from mine"


def test_found_40_a_logging_handler_that_sends_to_a_room_holds_up_no_coming_back(
    host_lobby: Host, joined: Join, tmp_path: Path
) -> None:
    where = {"port": free_port(), "data": tmp_path / "mine"}
    server = host_lobby(**where)
    ana, igor = joined("Ana", at=server.at), joined("Igor", at=server.at)
    waiting = threading.Event()

    class Sends(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if threading.current_thread() is not threading.main_thread():
                waiting.set()
                ana.send(record.getMessage())  # waits for the room to be back, and holds this handler's lock

    handler, logger = (
        Sends(),
        logging.getLogger("pyrochat.client"),
    )  # not the server's: it is started in a thread of ours
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        server.close()
        assert waiting.wait(20), "nothing was logged while the room was away"
        host_lobby(**where)
        eventually(lambda: ana.state == igor.state == "connected", 20)
        eventually(lambda: any("not back yet" in text for text in texts(igor.history())), 20)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_found_41_leaving_needs_no_new_thread_and_one_failure_stops_no_other(
    joined: Join, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    """At the interpreter's end Python 3.12 starts no thread any more."""
    chats = [joined(name) for name in ("Ana", "Igor", "Carl")]
    monkeypatch.setattr(chats[0]._outbox, "close", lambda timeout: 1 / 0)

    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        leave_all()
    assert [chat.state for chat in chats] == ["connected", "closed", "closed"]
    eventually(lambda: [session.name for session in server.status()[0].sessions] == ["Ana"])
    monkeypatch.undo()


def test_found_42_a_chat_that_nobody_holds_leaves_and_says_so(joined: Join, server: Server) -> None:
    igor = joined("Igor")
    held = [pyrochat.join("Ana", at=server.at, timing=QUICK)]
    held[0].on_message(lambda message: None)
    held[0].on_state(lambda state, reason: None)
    held[0].send("hello")

    def drop() -> None:
        held.clear()
        gc.collect()

    with pytest.warns(ResourceWarning, match="nobody holds the Chat of Ana in room lobby"):
        drop()
    eventually(lambda: igor.members == ["Igor"])


def test_found_42_a_chat_can_not_be_copied_or_pickled(joined: Join) -> None:
    ana = joined("Ana")
    for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(InvalidArgument, match="join again"):
            duplicate(ana)


def test_found_42_a_server_of_this_process_that_has_the_log_is_named_and_can_be_closed(data: Path) -> None:
    """A notebook's cell that is run again: the name is bound anew, and what it was bound to serves on."""
    server = pyrochat.host("lobby", data, nameserver=False, timing=QUICK)
    with pytest.raises(LogInUse, match="in this very process") as caught:
        pyrochat.host("lobby", data, nameserver=False)
    assert caught.value.server is server
    assert "error.server.close()" in caught.value.__notes__[0]
    caught.value.server.close()
    pyrochat.host("lobby", data, nameserver=False, timing=QUICK).close()
