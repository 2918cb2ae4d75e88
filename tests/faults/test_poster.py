"""Who posts with nothing but Pyro5 writes down what it was told, so that the checker knows of it."""

from __future__ import annotations

from pathlib import Path

from lab.faults.checker import check
from lab.faults.events import OK
from lab.faults.history import Content, Replica, load
from lab.faults.machines.poster import Poster
from tests.support import free_port, hosted


def test_a_post_is_in_the_history_with_what_came_of_it(tmp_path: Path) -> None:
    poster = Poster(tmp_path, "lobby")
    with hosted(tmp_path / "data") as server:
        assert poster.post(server.at)["id"] == 1
    refused = poster.post(f"127.0.0.1:{free_port()}")
    assert "code" in refused
    history = load(tmp_path.glob("*.jsonl"))
    [send] = history.sends  # where nobody answers nothing was sent
    assert (send.outcome, send.id, send.client) == (OK, 1, "poster")
    replica = Replica("machine0@lobby", "", "lobby", complete=True)
    replica.add(1, Content(send.member, send.text), send.begun)
    replica.tail = replica.end = 1
    history.replicas.append(replica)
    assert check(history) == []
    replica.contents[0] = Content(send.member, "another text")
    assert {anomaly.kind for anomaly in check(history)} >= {"lost"}
