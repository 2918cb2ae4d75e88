"""The same entries make the same room, byte for byte: in any process, in groups of any size, also after a restart."""

from __future__ import annotations

import ast
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pyrochat.core
from pyrochat.core.commands import (
    ENTRY_VERSION,
    Command,
    Declare,
    End,
    Entry,
    Invited,
    Lose,
    Open,
    OwnCommand,
    Post,
    Removed,
    Restarted,
    Resume,
    SetTopic,
    Upgrade,
    entry_from_wire,
    entry_to_wire,
)
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.room import RoomState
from pyrochat.values.errors import LogUnreadable
from tests.core.modelling import post
from tests.core.replaying import IDENTITY, MUTATIONS, apply, replay
from tests.support import SALT

NAMES = ["Ana", "Igor", "Zoë", "Erick", "Bea", "Carl", "Dan", "Eva"]
sessions = st.sampled_from([(f"{member} {number}", member) for member in ("ana", "igor", "zoë") for number in (1, 2)])
posts = st.builds(
    lambda session, texts, keys: post(session[1].title(), texts, keys[: len(texts)]),
    sessions, st.lists(st.sampled_from("ab"), min_size=1, max_size=3), st.lists(st.none() | st.sampled_from("kl"), min_size=3, max_size=3),
)  # fmt: skip


def aimed(kind: str, about: int, text: str = "", sender: str = "Ana") -> Post:
    texts = ("" if kind == "redact" else text,)
    return Post(sender, sender.casefold(), texts, (None,), (SALT,), kind=kind, about=about)


about_others = st.builds(
    lambda session, kind, text, about: aimed(kind, about, text, session[1].title()),
    sessions, st.sampled_from(["edit", "redact", "react"]), st.sampled_from("ab"), st.integers(1, 5),
)  # fmt: skip
commands: st.SearchStrategy[Command] = st.one_of(
    posts, about_others, sessions.map(lambda session: Open(*session, session[1].title(), SALT)), sessions.map(lambda session: Resume(*session)),
    sessions.map(lambda session: Lose(*session)), st.just(Restarted()),
    st.builds(lambda session, lost_at: End(*session, SALT, lost_at), sessions, st.none() | st.integers(1, 12)),
    sessions.map(lambda session: Invited("Ana", session[1].title(), "ab" * 32, SALT)),
    sessions.map(lambda session: Removed("Ana", session[1], session[1].title(), "ab" * 32, (SALT, SALT))),
)  # fmt: skip
groups = st.lists(st.lists(st.lists(commands, max_size=3), max_size=3), max_size=6)


def entries_of(parts: list[list[Command]]) -> list[Entry]:
    return [Entry(number, 1_700_000_000_000_000 + number, tuple(each)) for number, each in enumerate(parts, 1)]


@settings(max_examples=150)
@given(groups, st.integers(0, 20))
def test_groups_of_any_size_make_the_same_room_also_after_a_restart(
    parts: list[list[list[Command]]], restarted_at: int
) -> None:
    entries = entries_of([commands for group in parts for commands in group])
    one, other = MemoryLog("lobby", IDENTITY), MemoryLog("lobby", IDENTITY)
    first = second = RoomState.of(one)
    for number, entry in enumerate(entries):
        first = apply(one, first, [entry])
        if number == restarted_at:
            from_log = RoomState.of(one)
            assert (from_log.present, from_log.sessions, from_log.members) == (
                first.present,
                first.sessions,
                first.members,
            )
    at = 0
    for group in parts:
        second = apply(other, second, entries[at : at + len(group)])
        at += len(group)
    assert second == first
    assert (other.tip, other.read(0, 1000), other.sessions()) == (one.tip, one.read(0, 1000), one.sessions())


@pytest.mark.parametrize("sizes", [[1, 1, 1, 1, 1, 1, 1], [7], [2, 5], [3, 2, 2], [1, 6]])
def test_a_text_and_what_becomes_of_it_may_be_in_one_group(sizes: list[int]) -> None:
    """Whoever is behind takes in at once what the others took in one after the other."""
    refused = Post("Ana", "ana", ("x", "y"), (None, "k"), (SALT, SALT))  # "y" has come under "k", with another text
    entries = entries_of(
        [
            [post("Ana", ["typo"], ["k"])], [aimed("edit", 1, "better")], [refused, aimed("edit", 3, "of nothing")],
            [post("Ana", ["secret"])], [aimed("edit", 3, "the secret")], [aimed("redact", 3)], [aimed("edit", 3, "again")],
        ]
    )  # fmt: skip
    log = MemoryLog("lobby", IDENTITY)
    state = RoomState.of(log)
    for size in sizes:
        state = apply(log, state, entries[:size])
        del entries[:size]
    assert [(message.kind, message.about, message.text) for message in log.read(0, 100)] == [
        ("chat", None, "typo"), ("edit", 1, "better"), ("chat", None, ""), ("edit", 3, ""), ("redact", 3, ""),
    ]  # fmt: skip


def a_long_story() -> str:
    """Entries in JSON: eight members who come, go, are lost, and write."""
    chance = random.Random(5)
    told: list[list[Command]] = []
    for number in range(120):
        name = chance.choice(NAMES)
        member, session = name.casefold(), f"s{number // 2}"
        told.append(
            [
                Open(session, member, name, SALT, "ab" * 32),
                post(name, ["hi"], [chance.choice((None, f"k{number % 7}"))]),
                chance.choice(
                    (
                        Lose(session, member),
                        End(session, member, SALT),
                        End(session, member, SALT),
                        Resume(session, member),
                    )
                ),
            ]
        )
    return json.dumps([entry_to_wire(entry) for entry in entries_of([*told, [Restarted()]])])


def replayed(story: str, hash_seed: str, *mutations: str) -> str:
    """What another process makes of it."""
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "TZ": "Asia/Tokyo" if hash_seed == "1" else "UTC"}
    command = [sys.executable, "-m", "tests.core.replaying", *mutations]
    return subprocess.run(
        command, input=story, env=environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def test_other_processes_make_the_same_room() -> None:
    story = a_long_story()
    here = replay(story)
    assert here.count(" joined") > 8
    assert here.count(" left") > 5
    assert replayed(story, "1") == replayed(story, "2") == here


@pytest.mark.parametrize("mutation", sorted(MUTATIONS))
def test_a_room_that_looks_at_anything_but_its_log_is_found(mutation: str) -> None:
    """That the check above can fail."""
    story = a_long_story()
    assert len({replayed(story, seed, mutation) for seed in ("1", "2")}) == 2


def test_what_decides_imports_nothing_that_differs_from_machine_to_machine() -> None:
    folder = Path(pyrochat.core.__file__).parent
    for name in (
        "commands",
        "room",
        "keys",
        "sessions",
        "views",
        "digests",
        "marks",
        "suspicion",
        "order",
        "registry",
        "closed_rooms",
    ):
        imported = {
            alias.name.partition(".")[0]
            for node in ast.walk(ast.parse((folder / f"{name}.py").read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
        }
        assert not imported & {"time", "datetime", "random", "secrets", "uuid", "os", "socket", "platform"}, name


ALL: list[Command] = [
    Post("Ana", "ana", ("a", "b"), ("k.0", "k.1"), (SALT, SALT), "k", "mark", False), post("Ana", ["a"]),
    post("Ana", ["b"]), Post("Ana", "ana", ("",), (None,), (SALT,), kind="redact", about=3), SetTopic("Ana", "tea", SALT),
    Open("1", "ana", "Ana", SALT), Open("1", "ana", "Ana", SALT, "ab" * 32),
    Resume("1", "ana"), Lose("1", "ana"), End("1", "ana", SALT, 7), End("1", "ana", SALT), Restarted(), Declare("why"), Upgrade(2),
    Invited("Ana", "Igor", "ab" * 32, SALT), Removed("Ana", "igor", "Igor", "ab" * 32, (SALT, SALT)),
]  # fmt: skip


def test_entries_are_plain_values() -> None:
    entry = Entry(3, 5, tuple(ALL))
    fields = json.loads(json.dumps(entry_to_wire(entry)))
    assert entry_from_wire(fields) == entry
    assert {type(command) for command in ALL} == set(Command.__args__) - {OwnCommand}


@pytest.mark.parametrize(
    "fields",
    [
        [ENTRY_VERSION + 1, 1, 5, []],
        [ENTRY_VERSION, 1, 5, [["of a later version", 1]]],
        [1, 2],
        None,
        [1, 1, 5, [["open"]]],
    ],
)
def test_an_entry_of_a_later_version_stops_who_meets_it(fields: list[object]) -> None:
    with pytest.raises(LogUnreadable, match="upgrade"):
        entry_from_wire(fields)
