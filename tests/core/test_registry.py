"""The registry as a function of its log: what commands do, and that the same entries make the same registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyrochat.core.closed_rooms import (
    MAX_DIRECT,
    ClosedRecord,
    CreateClosed,
    Entrant,
    Invite,
    Remove,
)
from pyrochat.core.registry import (
    Ban,
    Changes,
    Claim,
    CreateRoom,
    ForgetRoom,
    Free,
    NameRecord,
    RegistryCommand,
    Restore,
    RoomRecord,
    Unban,
    apply,
    command_from_wire,
    command_to_wire,
)
from pyrochat.values.errors import Banned, InvalidArgument, LogUnreadable, NameTaken, PyroChatError

KEY, OTHER = "aa" * 32, "bb" * 32


@dataclass
class Memory:
    """The plainest state."""

    names: dict[str, NameRecord] = field(default_factory=dict)
    rooms: dict[str, RoomRecord] = field(default_factory=dict)
    closed_ones: dict[str, ClosedRecord] = field(default_factory=dict)
    let_in: dict[tuple[str, str], Entrant] = field(default_factory=dict)
    number: int = 0

    def name(self, member: str) -> NameRecord | None:
        return self.names.get(member)

    def rivals(self, member: str) -> list[NameRecord]:
        found = [record for record in self.names.values() if record.rival_of == member]
        return sorted(found, key=lambda record: (record.since_us, record.member))

    def is_banned(self, member: str, key: str | None) -> bool:
        return any(r.banned and (r.member == member or (key is not None and r.key == key)) for r in self.names.values())

    def room(self, room: str, name: str) -> RoomRecord | None:
        exact = [record for record in self.rooms.values() if record.name == name]
        return exact[0] if exact else self.rooms.get(room)

    def closed(self, room: str) -> ClosedRecord | None:
        return self.closed_ones.get(room)

    def entrants(self, room: str) -> dict[str, Entrant]:
        return {entrant.member: entrant for entrant in self.let_in.values() if entrant.room == room}

    def direct(self, one: tuple[str, str], other: tuple[str, str]) -> str | None:
        for room, record in self.closed_ones.items():
            if record.direct and {(e.member, e.key) for e in self.entrants(room).values()} == {one, other}:
                return room
        return None

    def direct_count(self, creator_key: str) -> int:
        return sum(record.direct and record.creator_key == creator_key for record in self.closed_ones.values())

    def inside(self, room: str) -> set[str]:
        """The folded names of those who may enter."""
        return {member for member, entrant in self.entrants(room).items() if not entrant.removed}

    def do(self, command: RegistryCommand) -> Changes:
        self.number += 1
        changes = apply(self, command, self.number)
        for member, name in changes.names.items():
            self.names.pop(member, None)
            if name is not None:
                self.names[member] = name
        for key, room in changes.rooms.items():
            self.rooms.pop(key, None)
            if room is not None:
                self.rooms[key] = room
        for id, closed in changes.closed.rooms.items():
            self.closed_ones.pop(id, None)
            if closed is not None:
                self.closed_ones[id] = closed
        self.let_in |= {(entrant.room, entrant.member): entrant for entrant in changes.closed.entrants}
        return changes

    def try_to(self, command: RegistryCommand) -> str:
        try:
            self.do(command)
        except PyroChatError as error:
            return error.code
        return ""


def test_a_name_is_the_first_keys_until_it_is_freed() -> None:
    state = Memory()
    state.do(Claim("ana", "Ana", KEY))
    assert state.do(Claim("ana", "ANA", KEY)) == Changes()
    with pytest.raises(NameTaken, match="belongs to another key"):
        state.do(Claim("ana", "Ana", OTHER))
    state.do(Free("ana", "Ana"))
    state.do(Claim("ana", "ANA", OTHER))
    assert state.names == {"ana": NameRecord("ana", "ANA", OTHER, 5)}
    with pytest.raises(InvalidArgument, match="no key has the name 'Igor'"):
        state.do(Free("igor", "Igor"))


def test_a_ban_holds_for_the_name_and_for_its_key() -> None:
    state = Memory()
    state.do(Claim("ana", "Ana", KEY))
    state.do(Ban("ana", "Ana"))
    for command in (Claim("ana", "Ana", KEY), Claim("ana", "Ana", OTHER), Claim("igor", "Igor", KEY)):
        with pytest.raises(Banned):
            state.do(command)
    with pytest.raises(InvalidArgument, match="unban it first"):
        state.do(Free("ana", "Ana"))
    state.do(Unban("ana", "Ana"))
    assert state.do(Claim("ana", "Ana", KEY)) == Changes()
    state.do(Ban("igor", "Igor"))
    state.do(Unban("igor", "Igor"))
    assert list(state.names) == ["ana"], "a banned name without a key is forgotten with its ban"


def with_rivals() -> Memory:
    state = Memory()
    state.do(Restore("erick", "Erick", KEY, 1, False, None))
    state.do(Restore("old form", "Ｅrick", OTHER, 2, False, "erick"))
    return state


def test_of_two_names_that_are_one_now_the_younger_is_refused_until_one_is_freed() -> None:
    state = with_rivals()
    assert state.do(Claim("erick", "Erick", KEY)) == Changes()
    with pytest.raises(NameTaken, match="is the same as 'Erick' now, which another key had before yours"):
        state.do(Claim("erick", "Ｅrick", OTHER))
    with pytest.raises(NameTaken, match="belongs to another key"):
        state.do(Claim("erick", "Erick", "cc" * 32))
    state.do(Free("erick", "Erick"))
    assert state.names == {"erick": NameRecord("erick", "Ｅrick", OTHER, 2)}
    state = with_rivals()
    state.do(Free("erick", "Ｅrick"))
    assert state.names == {"erick": NameRecord("erick", "Erick", KEY, 1)}
    state = with_rivals()
    state.do(Ban("erick", "Ｅrick"))
    assert state.do(Claim("erick", "Erick", KEY)) == Changes()
    assert state.try_to(Claim("igor", "Igor", OTHER)) == "banned"


def test_a_room_is_remembered_once_and_forgotten_by_its_name() -> None:
    state = Memory()
    state.do(CreateRoom("tea", "Tea", "Ana"))
    assert state.do(CreateRoom("tea", "TEA", "Igor")) == Changes()
    assert state.rooms == {"tea": RoomRecord("tea", "Tea", "Ana", 1)}
    state.do(ForgetRoom("tea", "TEA"))
    with pytest.raises(InvalidArgument, match="no room 'Tea' was created here"):
        state.do(ForgetRoom("tea", "Tea"))


ANA, IGOR, EVE = (["ana", "Ana", KEY], ["igor", "Igor", OTHER], ["eve", "Eve", "cc" * 32])


def with_plans() -> Memory:
    state = Memory()
    state.do(CreateClosed("+1", "plans", False, [ANA, IGOR]))
    return state


def test_who_is_let_in_is_a_name_with_its_key() -> None:
    state = with_plans()
    assert state.inside("+1") == {"ana", "igor"}
    assert state.do(CreateClosed("+1", "plans", False, [ANA])) == Changes(), "asked for twice"
    assert state.try_to(Invite("+1", "igor", "dd" * 32, *EVE)) == "room-not-found", "another key has the name now"
    assert state.try_to(Invite("+2", "igor", OTHER, *EVE)) == "room-not-found"
    state.do(Invite("+1", "igor", OTHER, *EVE))
    assert state.do(Invite("+1", "ana", KEY, *EVE)) == Changes()
    assert state.let_in["+1", "eve"].inviter == OTHER
    state.do(Invite("+1", "ana", KEY, "igor", "Igor", "dd" * 32))
    assert state.let_in["+1", "igor"].key == "dd" * 32
    assert state.try_to(Invite("+1", "igor", OTHER, *EVE)) == "room-not-found"


def test_members_are_removed_by_the_creator_by_who_invited_them_and_by_themselves() -> None:
    state = with_plans()
    state.do(Invite("+1", "igor", OTHER, *EVE))
    assert state.try_to(Remove("+1", "eve", EVE[2], "igor")) == "not-yours"
    assert state.try_to(Remove("+1", "igor", OTHER, "ana")) == "not-yours"
    assert state.try_to(Remove("+1", "igor", OTHER, "zoe")) == "invalid-argument"
    state.do(Remove("+1", "igor", OTHER, "eve"))
    assert state.do(Remove("+1", "igor", OTHER, "eve")) == Changes()
    assert state.try_to(Remove("+1", "eve", EVE[2], "eve")) == "room-not-found", "who was removed is outside"
    state.do(Remove("+1", "ana", KEY, "igor"))
    state.do(Remove("+1", "ana", KEY, "ana"))
    assert state.inside("+1") == set()


def test_who_gets_the_name_of_a_creator_or_an_inviter_later_removes_nobody() -> None:
    state = with_plans()
    state.do(Invite("+1", "igor", OTHER, *EVE))
    later = "dd" * 32
    state.do(Invite("+1", "eve", EVE[2], "ana", "Ana", later))
    assert state.try_to(Remove("+1", "ana", later, "igor")) == "not-yours"
    state.do(Invite("+1", "eve", EVE[2], "igor", "Igor", later))
    assert state.try_to(Remove("+1", "igor", later, "eve")) == "not-yours"
    state.do(Remove("+1", "eve", EVE[2], "ana"))


def test_a_direct_room_is_the_one_room_of_two_keys() -> None:
    state = Memory()
    state.do(CreateClosed("+1", "Ana+Igor", True, [ANA, IGOR]))
    assert state.do(CreateClosed("+2", "Ana+Igor", True, [IGOR, ANA])) == Changes()
    for command in (Invite("+1", "ana", KEY, *EVE), Remove("+1", "ana", KEY, "igor")):
        assert state.try_to(command) == "invalid-argument"
    state.do(CreateClosed("+3", "Ana+Igor", True, [ANA, ["igor", "Igor", "dd" * 32]]))
    for number in range(MAX_DIRECT - 2):
        state.do(CreateClosed(f"+n{number}", "", True, [ANA, [f"m{number}", f"M{number}", OTHER]]))
    assert state.try_to(CreateClosed("+4", "Ana+Eve", True, [ANA, EVE])) == "quota-used-up"
    state.do(CreateClosed("+4", "Ana+Eve", True, [EVE, ANA]))


def test_a_closed_room_is_forgotten_by_its_id() -> None:
    state = with_plans()
    assert state.try_to(ForgetRoom("plans", "plans")) == "invalid-argument"
    state.do(ForgetRoom("+1", "+1"))
    assert state.try_to(Invite("+1", "ana", KEY, *EVE)) == "room-not-found"


members = st.sampled_from([("ana", "Ana"), ("igor", "Igor"), ("zoë", "Zoë")])
rooms, people = st.sampled_from(["+1", "+2"]), st.sampled_from([ANA, IGOR, EVE])
commands: st.SearchStrategy[RegistryCommand] = st.one_of(
    st.builds(lambda who, key: Claim(*who, key), members, st.sampled_from([KEY, OTHER])),
    st.builds(lambda who, kind: kind(*who), members, st.sampled_from([Free, Ban, Unban, ForgetRoom])),
    st.builds(lambda who: CreateRoom(*who, "Ana"), members),
    st.builds(lambda room, direct: CreateClosed(room, "plans", direct, [ANA, IGOR]), rooms, st.booleans()),
    st.builds(lambda room, by, who: Invite(room, by[0], by[2], *who), rooms, people, people),
    st.builds(lambda room, by, who: Remove(room, by[0], by[2], who[0]), rooms, people, people),
    st.builds(lambda who, key: Restore("old " + who[0], who[1].upper(), key, 1, False, who[0]), members, st.sampled_from([KEY, OTHER])),
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(commands, max_size=20))
def test_the_same_entries_make_the_same_registry(entries: list[RegistryCommand]) -> None:
    one, other = Memory(), Memory()
    for entry in entries:
        assert one.try_to(entry) == other.try_to(command_from_wire(json.loads(json.dumps(command_to_wire(entry)))))
        owners = [record.member for record in one.names.values() if record.rival_of is None]
        assert len(owners) == len(set(owners))
    assert (one.names, one.rooms) == (other.names, other.rooms)
    assert (one.closed_ones, one.let_in) == (other.closed_ones, other.let_in)


STORY: list[RegistryCommand] = [
    Restore("old form", "Ｅrick", OTHER, 2, False, "erick"), Claim("erick", "Erick", KEY), Claim("ana", "Ana", OTHER),
    CreateRoom("tea", "Tea", "Ana"), Ban("ana", "Ana"), Claim("ana", "Ana", KEY), Free("erick", "Erick"), Unban("ana", "Ana"),
    ForgetRoom("tea", "Tea"), CreateRoom("zoo", "Zoo", "Igor"), Free("igor", "Igor"),
    CreateClosed("+1", "plans", False, [ANA, IGOR]), Invite("+1", "igor", OTHER, *EVE), Remove("+1", "ana", KEY, "igor"),
]  # fmt: skip


def told(entries: list[RegistryCommand]) -> str:
    state = Memory()
    codes = [state.try_to(entry) for entry in entries]
    return repr((codes, state.names, state.rooms, state.closed_ones, state.let_in))


def test_other_processes_make_the_same_registry() -> None:
    program = "from tests.core.test_registry import STORY, told; print(told(STORY))"
    found = [
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
        ).stdout.strip()
        for seed in ("1", "2")
    ]  # fmt: skip
    assert found == [told(STORY)] * 2


def test_an_entry_of_a_later_version_stops_who_meets_it() -> None:
    for fields in (["move", "ana"], ["claim"], [], None):
        with pytest.raises(LogUnreadable, match="upgrade"):
            command_from_wire(fields)  # type: ignore[arg-type]
