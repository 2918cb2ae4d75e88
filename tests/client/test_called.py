"""Texts by the names that people say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from pyrochat.client.called import Called
from pyrochat.client.replica import Replica
from pyrochat.values.errors import InvalidArgument, UnknownMessage
from pyrochat.values.message import Message, message_of


def called(*refs: str) -> Called:
    messages = [
        message_of((id, "lobby", "Ana", "x", id, "chat", None, None, None, ref, None, None))
        for id, ref in enumerate(refs, 1)
    ]

    def slice_(start: int, end: int | None = None) -> list[Message]:
        return messages[start:end]

    one = Called()
    one._replica = cast(Replica, SimpleNamespace(slice=slice_, end=len(messages)))
    return one


def test_a_text_has_one_name() -> None:
    one = called("ana.1", "erick.1", "erick~2.1", "erick.11")
    assert [one.find(name) for name in ("#ana.1", "erick.1", "#erick~2.1", "erick.11", "#3")] == [1, 2, 3, 4, 3]
    with pytest.raises(UnknownMessage):
        one.find("erick.2")


@pytest.mark.parametrize(
    ("refs", "wanted", "found"),
    [
        (["erick.1", "erick~1a2b3c.1"], "erick~1a2b3c.1", 2),
        (["erick.1", "erick~1a2b3c.1"], "erick.1", None),  # here, or elsewhere
        (["erick.1"], "erick~1a2b3c.1", None),  # it may be that, from before
        (["erick~1a2b3c.1"], "erick.1", None),
        (["erick~1a2b3c.1", "erick~99aabb.1"], "erick.1", None),
        (["erick.1", "erick~1a2b3c.2"], "erick.1", 1),
        (["erick.1", "erick.1"], "erick.1", None),  # of a site that has told two stories
    ],
)
def test_what_may_be_several_is_said_to_be(refs: list[str], wanted: str, found: int | None) -> None:
    if found is not None:
        assert called(*refs).find(wanted) == found
        return
    with pytest.raises(InvalidArgument, match="may be 1"):
        called(*refs).find(wanted)
