"""The tree of errors: one stable code each, and the way over the wire and back."""

from __future__ import annotations

import re

import pytest

from pyrochat.values import errors
from pyrochat.values.errors import PyroChatError
from pyrochat.values.wire_errors import from_wire_text, wire_text


def whole_tree(root: type[PyroChatError] = PyroChatError) -> list[type[PyroChatError]]:
    """*root* and what the package derives from it; tests derive too."""
    children = [child for child in root.__subclasses__() if child.__module__.startswith("pyrochat.")]
    return [root] + [kind for child in children for kind in whole_tree(child)]


TREE = whole_tree()
OF_THE_CLIENT = (errors.ChatClosed, errors.RoomUnreachable, errors.UntrustedServer, errors.WaitTimeout)


def test_every_class_of_the_tree_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in TREE]
    assert len(set(codes)) == len(codes)
    assert all("code" in vars(kind) for kind in TREE)


@pytest.mark.parametrize("kind", TREE)
def test_a_code_is_lower_case_words(kind: type[PyroChatError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)


@pytest.mark.parametrize("kind", [kind for kind in TREE if not issubclass(kind, OF_THE_CLIENT)])
def test_an_error_comes_back_from_its_wire_text(kind: type[PyroChatError]) -> None:
    error = kind("something: with a colon, and – more")
    back = from_wire_text(wire_text(error))
    assert type(back) is kind
    assert str(back) == str(error)


@pytest.mark.parametrize("kind", [kind for kind in TREE if issubclass(kind, OF_THE_CLIENT)])
def test_found_18_what_only_a_client_can_find_out_is_not_taken_from_a_server(kind: type[PyroChatError]) -> None:
    """A server that answers "the connection was lost" would be asked again for ever."""
    assert from_wire_text(wire_text(kind("something"))) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("try again in 2.500 s", 2.5), ("in 1.2.3 s", 2.3), ("in ... s", 1.0), ("in 9999999999999999999 s", 999999.0),
        ("in . s", 1.0), ("soon", 1.0),
    ],
)  # fmt: skip
def test_found_12c_the_seconds_to_wait_are_a_number_whatever_a_server_says(text: str, seconds: float) -> None:
    assert errors.RateLimited(text).retry_seconds == seconds


@pytest.mark.parametrize("kind", TREE)
def test_the_tree_is_drawn_and_exported(kind: type[PyroChatError]) -> None:
    assert re.search(rf"\b{kind.__name__}\b", errors.__doc__ or "")
    assert kind is PyroChatError or (kind.__doc__ or "").startswith(("Raised when", "Raised where"))


@pytest.mark.parametrize("text", ["", "boom", "no code here", "unknown-code: text", "name-taken", "Name-Taken: x"])
def test_a_text_that_begins_with_no_code_is_no_error_of_ours(text: str) -> None:
    assert from_wire_text(text) is None


def test_our_errors_are_also_the_builtin_ones_that_people_catch() -> None:
    assert issubclass(errors.InvalidInput, ValueError)
    assert issubclass(errors.WaitTimeout, TimeoutError)


def test_a_send_timeout_has_the_key_that_makes_a_repeat_safe() -> None:
    assert errors.SendTimeout("too late", "key-1").key == "key-1"
