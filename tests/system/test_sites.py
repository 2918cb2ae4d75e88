"""Three machines' processes in one causal room: each hosts it for itself, and a split is a stopped process."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from pyrochat.pyro.naming import NameServer
from tests.support import eventually
from tests.system.places import site_address
from tests.system.support import Machine, Process


@pytest.fixture
def site(machine: Machine, tmp_path: Path) -> Callable[..., Process]:
    """Starts ``pyrochat NAME --order causal`` with a folder of its own, and waits until it has joined."""

    def start(name: str, *arguments: str) -> Process:
        folder = tmp_path / name
        process = machine.start(
            "pyrochat", name, "--order", "causal", "--site", name.lower(), "--data", str(folder), "--port", "0", "--json",
            *arguments, env={"PYROCHAT_CONFIG_DIR": str(tmp_path / f"config of {name}")},
        )  # fmt: skip
        process.wait_error(f" as {name}")
        return process

    return start


def facts(process: Process) -> set[tuple[str, str, str]]:
    """Name, sender and text of all messages that it has shown."""
    return {(o["ref"], o["sender"], o["text"]) for o in process.objects if o["type"] == "message"}


def has(process: Process, text: str) -> Callable[[], bool]:
    return lambda: any(shown == text for _, _, shown in facts(process))


def have_met(*processes: Process) -> Callable[[], bool]:
    """Whether each has reached all the others: who was never reached is not missed."""

    def ask() -> bool:
        asked = [len([o for o in one.objects if o["type"] == "members"]) for one in processes]
        for one in processes:
            one.write("/who")
        found = []
        for one, before in zip(processes, asked, strict=True):
            answers = eventually(lambda one=one, n=before: [o for o in one.objects if o["type"] == "members"][n:], 20)  # type: ignore[misc]
            found.append([seen for seen in answers[-1].get("sites", []) if seen["seconds"] is not None])
        return all(len(seen) == len(processes) for seen in found)

    return ask


def test_three_processes_go_on_in_both_parts_of_a_split_and_have_equal_sets_afterwards(
    site: Callable[..., Process],
) -> None:
    ana = site("Ana")
    igor = site("Igor", "--peer", site_address(ana))
    zoe = site("Zoe", "--peer", site_address(ana))
    zoe.write("hello from zoe")
    for one in (ana, igor, zoe):
        eventually(has(one, "hello from zoe"), 20)
    eventually(have_met(ana, igor, zoe), 20)
    zoe.signal(signal.SIGSTOP)
    ana.write("while zoe is away")
    eventually(has(igor, "while zoe is away"), 20)
    igor.write("to ana")
    eventually(has(ana, "to ana"), 20)
    ana.wait_error("zoe is not heard of")
    zoe.signal(signal.SIGCONT)
    zoe.write("back")
    for one in (ana, igor, zoe):
        eventually(has(one, "back"), 20)
    eventually(lambda: facts(ana) == facts(igor) == facts(zoe), 20)
    ana.wait_error("zoe is back after")
    for one in (ana, igor, zoe):
        assert one.finish() == 0


def test_a_killed_process_comes_back_as_the_same_site_with_all_that_it_had_shown(site: Callable[..., Process]) -> None:
    ana = site("Ana")
    igor = site("Igor", "--peer", site_address(ana))
    igor.write("before")
    eventually(has(ana, "before"), 20)
    igor.kill()
    ana.write("meanwhile")
    eventually(has(ana, "meanwhile"), 20)
    again = site("Igor", "--peer", site_address(ana))
    again.write("after")
    eventually(has(ana, "after"), 20)
    eventually(has(again, "meanwhile"), 20)
    assert {ref.partition(".")[0] for ref, sender, _ in facts(ana) if sender == "Igor"} == {"igor"}


def test_they_find_each_other_by_the_name_server(machine: Machine, site: Callable[..., Process]) -> None:
    machine.nameserver()
    ana = site("Ana")
    igor = site("Igor")
    igor.write("found you")
    eventually(has(ana, "found you"), 20)
    igor.kill()  # its entry stays, and leads to nobody
    again = site("Igor")
    again.write("found you again")
    eventually(has(ana, "found you again"), 20)
    eventually(lambda: "pyrochat.lobby@igor" in listed(machine))
    assert not any("~" in name for name in listed(machine))


def listed(machine: Machine) -> list[str]:
    return list(NameServer(("localhost", machine.nameserver_port)).site_names("pyrochat."))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--order", "lamport", "--room", "a", "--room", "b", "--plain"], "one room"),
        (["--peer", "a:1"], "for --order causal"),
        (["--order", "causal", "--at", "a:1"], "name other sites with --peer"),
    ],
)
def test_what_is_not_supported_is_said_in_one_line(machine: Machine, options: list[str], said: str) -> None:
    process = machine.start("pyrochat", "Ana", *options)
    assert process.finish() == 2
    assert said in process.errors[-1]
