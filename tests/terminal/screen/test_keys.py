"""The table of keys: every action can be done, and no key means two things."""

from __future__ import annotations

from collections import Counter

import pytest
from textual.app import App

from pyrochat.terminal.screen.chat_screen import ChatScreen
from pyrochat.terminal.screen.composer import Composer
from pyrochat.terminal.screen.keys import KEYS, actions_by_key, screen_bindings
from pyrochat.terminal.settings import checked_key
from pyrochat.values.errors import InvalidArgument

OWNERS = {"": Composer, "screen": ChatScreen, "app": App}


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.id)
def test_what_a_key_does_is_something_that_can_be_done(key: object) -> None:
    owner, _, action = key.action.rpartition(".")  # type: ignore[attr-defined]
    assert hasattr(OWNERS[owner], "action_" + action.partition("(")[0])


def test_no_key_and_no_name_stands_for_two_things() -> None:
    keys = Counter(one for key in KEYS for one in key.keys.split(","))
    assert max(keys.values()) == 1
    assert len({key.id for key in KEYS}) == len(KEYS)
    assert actions_by_key({}) == {one: key.action for key in KEYS for one in key.keys.split(",")}


def test_every_name_and_key_is_one_that_settings_take() -> None:
    for key in KEYS:
        assert checked_key(key.id, key.keys) == (key.id, key.keys)


def test_a_users_key_takes_the_place_of_the_default_ones() -> None:
    actions = actions_by_key({"quit": "f10,ctrl+x"})
    assert actions["f10"] == actions["ctrl+x"] == "screen.quit_chat"
    assert "ctrl+q" not in actions
    assert "chord" not in actions.values()


@pytest.mark.parametrize(("name", "taken"), [("help", "f2"), ("readers", "f1"), ("quit", "alt+enter"), ("send", "f8")])
def test_a_users_key_does_nothing_else_any_more(name: str, taken: str) -> None:
    actions = actions_by_key({name: taken})
    [action] = [key.action for key in KEYS if key.id == name]
    assert actions[taken] == action
    bound = Counter(one for binding in screen_bindings({name: taken}) for one in binding.key.split(","))
    assert max(bound.values()) == 1
    assert {one: "screen." + b.action for b in screen_bindings({name: taken}) for one in b.key.split(",")}.items() <= {
        **actions, "ctrl+p": "screen.app.command_palette", "ctrl+z": "screen.app.suspend_process",
    }.items()  # fmt: skip


def test_two_keys_can_be_exchanged() -> None:
    actions = actions_by_key({"help": "f2", "readers": "f1"})
    assert (actions["f2"], actions["f1"]) == ("screen.help", "screen.readers")


def test_an_action_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InvalidArgument, match=r"no action 'fly'.* choose one of clear, complete, .*where_new"):
        actions_by_key({"fly": "f9"})


def test_the_footer_names_what_the_table_says() -> None:
    named = {binding.description for binding in screen_bindings({}) if binding.show}
    assert named == {key.in_footer for key in KEYS if key.in_footer}
    assert all(binding.key for binding in screen_bindings({"help": "f2", "search": "f1"}))


@pytest.mark.parametrize("key", ["notakey", "x", "é", "", "hyper+x", "ctrl+", "shift+a"])
def test_what_is_no_key_or_writes_a_letter_can_not_be_bound(key: str) -> None:
    with pytest.raises(InvalidArgument, match="is no key that can be bound"):
        actions_by_key({"send": key})


def test_two_actions_can_not_have_the_same_key() -> None:
    with pytest.raises(InvalidArgument, match=r"the key 'ctrl\+s' is bound to two actions"):
        actions_by_key({"send": "ctrl+s", "quit": "ctrl+s"})
