"""Client and room prove to each other that they have the same log; a loss stops the room until somebody decides."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pyrochat import Chat, LogLost, OtherLog, Server
from pyrochat.core.commands import Declare
from tests.support import bare, eventually, hosted

Join = Callable[..., Chat]


def cut(data: Path, after: int, unnoticed: bool = True) -> None:
    """Take the tail of the stopped server's log away, and everything on its disk that could tell (*unnoticed*)."""
    log = data / "rooms" / "lobby.sqlite3"
    db = sqlite3.connect(log)
    db.execute("DELETE FROM messages WHERE id > ?", (after,))
    db.execute("UPDATE members SET delivered = min(delivered, ?), read = min(read, ?)", (after, after))
    db.commit()
    db.close()
    if unnoticed:
        log.with_suffix(".tail").unlink()


def test_a_replica_is_proven_identical_with_the_room(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    message = ana.send_many([f"text {i}" for i in range(100)])[-1]
    igor.wait_for(message.id, timeout=20)
    verification = igor.verify()
    assert verification.whole
    assert (verification.identical_up_to, verification.end) == (message.id, message.id)
    assert verification == ana.verify()


def test_a_replica_that_differs_is_told_up_to_where_it_does_not(joined: Join) -> None:
    ana = joined("Ana")
    ana.send_many([f"text {i}" for i in range(100)])
    ana.history()
    for messages in ana._replica._messages._lists:
        messages[:] = [m._replace(text="forged") if m.id == 42 else m for m in messages]
    verification = ana.verify()
    assert not verification
    assert verification.identical_up_to == 41


def test_when_it_goes_quiet_everybody_has_the_seal_on_the_last_message(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    for number in range(5):
        last = ana.send(f"text {number}").id
    for chat in (ana, igor):
        eventually(lambda chat=chat: (chat._replica.proof() or [0])[0] == last)  # type: ignore[misc]


def test_a_log_that_lost_its_tail_is_noticed_by_who_saw_more(
    server: Server, host_lobby: Callable[..., Server], joined: Join, data: Path
) -> None:
    """Given a restart on a log without its last messages, when a client that has them comes back,
    then the room takes nothing, says why, and no id is given twice; the operator's decision ends that."""
    ana, reasons = joined("Ana"), []
    ana.on_state(lambda state, reason: reasons.append(reason))
    ana.send_many([f"text {i}" for i in range(50)])
    before = ana.history()
    port = server.port
    server.close()
    cut(data, 20)

    second = host_lobby(port=port)
    eventually(lambda: any("has lost messages" in reason for reason in reasons))
    [room] = second.status()
    assert room.loss is not None
    assert room.tail == 20
    with pytest.raises(LogLost, match="accept-loss"):
        joined("Igor")
    assert ana.history() == before
    second.close()

    third = host_lobby(port=port)  # it remembers
    assert third.status()[0].loss is not None
    third.close()


def test_after_the_operator_accepted_a_loss_nothing_old_is_mixed_with_the_new(
    server: Server, data: Path, joined: Join
) -> None:
    ana = joined("Ana")
    ana.send_many([f"text {i}" for i in range(50)])
    before = ana.history()
    port = server.port
    server.close()
    cut(data, 20)
    with hosted(data, port=port, nameserver=False) as second:
        eventually(lambda: second.status()[0].loss)
    with hosted(data, port=port, nameserver=False, accept_loss=True):
        eventually(lambda: ana.state == "refused")
        with pytest.raises(OtherLog):
            ana.send("into which log?")
        igor = joined("Igor")
        assert igor.send("new").id > 20
        assert igor.verify().whole
        assert ana.history() == before


def test_found_8_a_settled_loss_stays_settled(server: Server, data: Path, joined: Join) -> None:
    """Given two losses that were accepted while a client was away, when it comes back with the old server's seal on
    what both have taken, then it is told that this is another log, and the room goes on."""
    ana, port = joined("Ana"), server.port
    last = ana.send_many([f"text {i}" for i in range(29)])[-1]
    ana.wait_for(last.id)
    server.close()  # for a goodbye it gives its seal on the newest message
    proof = ana._replica.proof()
    assert proof is not None
    assert proof[0] == last.id
    for left in (35, 20):
        with hosted(data, nameserver=False, accept_loss=True) as elsewhere, bare(elsewhere, "bot") as bot:
            bot.post_many([f"later {i}" for i in range(20)])
        cut(data, left, unnoticed=False)
    with hosted(data, port=port, nameserver=False, accept_loss=True) as again, bare(again, "bot") as bot:
        eventually(lambda: ana.state == "refused")
        assert bot.post("goes on")[0] < last.id
        assert again.status()[0].loss is None


def test_a_client_that_saw_no_more_goes_on_after_a_loss_was_accepted(server: Server, data: Path, joined: Join) -> None:
    ana = joined("Ana")
    ana.send("one")
    ana.history()
    port = server.port
    server.close()
    log = data / "rooms" / "lobby.sqlite3"
    db = sqlite3.connect(log)
    db.execute("INSERT INTO about VALUES ('loss', 'somebody saw more')")
    db.commit()
    db.close()
    with hosted(data, port=port, nameserver=False, accept_loss=True):
        assert ana.send("two", timeout=20).text == "two"
        assert ana.verify().whole


def test_members_are_told_of_a_loss(server: Server, joined: Join, data: Path) -> None:
    ana, told = joined("Ana"), []
    ana.on_notice(told.append)
    room = server._rooms.open_ones[0]
    room._order.submit(Declare("somebody saw more")).wait()
    eventually(lambda: told)
    assert "has lost messages" in told[0]
    with pytest.raises(LogLost):
        ana.send("not taken")
