"""Three machines' processes in one totally ordered room: each hosts it for itself; one is killed, two are stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import pyrochat
from tests.support import eventually
from tests.system.places import site_address
from tests.system.support import Machine, Process


@pytest.fixture
def site(machine: Machine, tmp_path: Path) -> Callable[..., Process]:
    """Starts ``pyrochat NAME --order lamport`` with a folder of its own, and waits until it has joined."""

    def start(name: str, *peers: Process, joins: bool = True) -> Process:
        options = [option for peer in peers for option in ("--peer", site_address(peer))]
        process = machine.start(
            "pyrochat", name, "--order", "lamport", "--site", name.lower(), "--data", str(tmp_path / name), "--port", "0",
            "--json", *options, env={"PYROCHAT_CONFIG_DIR": str(tmp_path / f"config of {name}")},
        )  # fmt: skip
        process.wait_error(f" as {name}" if joins else "you join as soon as enough of them are here")
        return process

    return start


def shown(process: Process) -> list[tuple[int, str, str]]:
    """Id, sender and text of all messages, as it has shown them."""
    return [(o["id"], o["sender"], o["text"]) for o in process.objects if o["type"] == "message"]


def has(process: Process, text: str) -> Callable[[], bool]:
    return lambda: any(said == text for _, _, said in shown(process))


def test_numbering_goes_on_when_one_is_killed_and_a_minority_numbers_nothing_and_says_so(
    site: Callable[..., Process],
) -> None:
    ana = site("Ana")
    igor, zoe = site("Igor", ana), site("Zoe", ana)
    for one in (ana, igor, zoe):
        one.write(f"from {id(one)}")
    for one in (ana, igor, zoe):
        for other in (ana, igor, zoe):
            eventually(has(one, f"from {id(other)}"), 20)
    ana.kill()  # the eldest
    igor.write("after the kill")
    eventually(has(zoe, "after the kill"), 20)
    igor.wait_error("the room goes on without the site ana (2 sites)")

    again = site("Ana", igor)
    eventually(has(again, "after the kill"), 20)
    igor.wait_error("ana is a site of the room now (3 sites)")
    for one in (igor, again):
        one.signal(signal.SIGSTOP)
    zoe.wait_error("1 of 3 sites are here: your text waits")
    zoe.write("alone")
    zoe.wait_error("what you send waits, and goes out by itself")
    assert not has(zoe, "alone")()
    for one in (igor, again):
        one.signal(signal.SIGCONT)
    for one in (igor, again, zoe):
        eventually(has(one, "alone"), 30)
    eventually(lambda: shown(igor) == shown(zoe), 20)
    assert shown(again) == shown(zoe)
    assert [id for id, _, _ in shown(zoe)] == sorted({id for id, _, _ in shown(zoe)})
    for one in (igor, again, zoe):
        assert one.finish() == 0


def test_when_all_were_killed_who_comes_first_waits_until_enough_are_back(site: Callable[..., Process]) -> None:
    ana = site("Ana")
    igor, zoe = site("Igor", ana), site("Zoe", ana)
    zoe.write("in the evening")
    for one in (ana, igor, zoe):
        eventually(has(one, "in the evening"), 20)
    for one in (ana, igor, zoe):
        one.kill()
    igor = site("Igor", joins=False)
    zoe = site("Zoe", igor)
    igor.wait_error(" as Igor")
    zoe.write("in the morning")
    eventually(has(igor, "in the morning"), 20)
    eventually(has(igor, "in the evening"), 20)
    for one in (igor, zoe):
        assert one.finish() == 0


def test_what_waits_for_a_stopped_site_is_shown_at_the_others_and_then_has_its_number(
    site: Callable[..., Process], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ana = site("Ana")
    igor, zoe = site("Igor", ana), site("Zoe", ana)
    igor.write("good morning")
    for one in (ana, igor, zoe):
        eventually(has(one, "good morning"), 20)
    monkeypatch.setenv("PYROCHAT_CONFIG_DIR", str(tmp_path / "config of Eva"))
    told: list[tuple[list[tuple[int, str, str]], int]] = []
    with pyrochat.join("Eva", at=site_address(ana)) as eva:
        eva.on_unnumbered(lambda texts, after: told.append(([(m.id, m.sender, m.text) for m in texts], after)))
        end = eva.history()[-1].id
        zoe.signal(signal.SIGSTOP)
        igor.write("is zoe here?")
        eventually(lambda: [message.text for message in eva.unnumbered] == ["is zoe here?"], 20)
        assert eva.history()[-1].id == end
        eventually(lambda: eva.held_up == "the room waits for zoe" or not eva.unnumbered, 20)
        eventually(has(igor, "is zoe here?"), 30)  # the others go on without it
        message = eva.wait_for(end + 1, 20)
        assert (message.sender, message.text) == ("Igor", "is zoe here?")
        eventually(lambda: eva.unnumbered == () and eva.held_up == "")
        zoe.signal(signal.SIGCONT)
        eventually(has(zoe, "is zoe here?"), 30)
        eventually(lambda: len(told) >= 2)
    assert told[0] == ([(0, "Igor", "is zoe here?")], end)
    assert told[-1][0] == []
    for one in (ana, igor, zoe):
        assert [text for _, _, text in shown(one)].count("is zoe here?") == 1
        assert one.finish() == 0
