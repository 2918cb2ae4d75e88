"""Whatever a program gives, it gets the tree's errors, and before anything is done."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

import pyrochat
from pyrochat import Chat, InvalidArgument, InvalidInput, Server, Timing
from tests.support import texts

Join = Callable[..., Chat]
NO_SECONDS = ["5", Decimal(1), math.nan, -1, -math.inf, True, [], 1j]
NO_ID = [True, 1.0, "1", -1, 0, 1 << 63, 10**400, math.nan, None, []]

WAITS: dict[str, Callable[[Chat, object], object]] = {
    "send": lambda chat, timeout: chat.send("not posted", timeout=timeout),  # type: ignore[arg-type]
    "send_many": lambda chat, timeout: chat.send_many(["not", "posted"], timeout=timeout),  # type: ignore[arg-type]
    "wait_for": lambda chat, timeout: chat.wait_for(1, timeout),  # type: ignore[arg-type]
    "suspected": lambda chat, timeout: chat.suspected(timeout=timeout),  # type: ignore[arg-type]
    "confirmations": lambda chat, timeout: chat.confirmations(1, timeout=timeout),  # type: ignore[arg-type]
    "search": lambda chat, timeout: chat.search("joined", timeout=timeout),  # type: ignore[arg-type]
    "verify": lambda chat, timeout: chat.verify(timeout=timeout),  # type: ignore[arg-type]
    "rooms": lambda chat, timeout: chat.rooms(timeout=timeout),  # type: ignore[arg-type]
    "create_room": lambda chat, timeout: chat.create_room("lobby", timeout=timeout),  # type: ignore[arg-type]
    "mark_read": lambda chat, timeout: chat.mark_read(1, timeout=timeout),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("timeout", NO_SECONDS, ids=repr)
def test_found_38_odd_timeouts_are_refused_before_anything_is_posted(joined: Join, timeout: object) -> None:
    chat = joined("Ana")
    for wait in WAITS.values():
        with pytest.raises(InvalidArgument, match="the timeout in seconds has to be a number"):
            wait(chat, timeout)
    with pytest.raises(InvalidArgument):
        chat.listen(timeout)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument):
        chat.leave(timeout=timeout)  # type: ignore[arg-type]
    assert chat.pending == 0
    chat.send("the only one")
    assert texts(chat.history()) == ["the only one"]


@pytest.mark.parametrize("timeout", [None, math.inf, 1e10, 1e300, 10**400, 20])
def test_found_38_a_very_long_timeout_is_one_and_infinity_is_no_limit(joined: Join, timeout: float | None) -> None:
    chat = joined("Ana", read="manual")
    chat.send("zero")
    for name, wait in WAITS.items():
        if name != "create_room":
            wait(chat, timeout)
    heard = chat.listen(timeout)
    sent = chat.send("heard", timeout=timeout)
    assert next(heard).id == sent.id


@pytest.mark.parametrize("id", NO_ID, ids=lambda id: repr(id)[:20])
def test_found_38_odd_ids_are_refused(joined: Join, id: object) -> None:
    chat = joined("Ana")
    asks: list[Callable[[object], object]] = [chat.wait_for, chat.confirmations, chat.mark_read]  # type: ignore[list-item]
    for ask in asks:
        with pytest.raises(InvalidArgument):
            ask(id)


@pytest.mark.parametrize("field", ["beat_seconds", "silent_seconds", "grace_seconds", "progress_seconds"])
@pytest.mark.parametrize("value", ["5", Decimal(1), math.nan, math.inf, -1, True, None, 1e12], ids=repr)
def test_found_38_odd_times_of_the_failure_detector_are_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidArgument):
        Timing(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        *({"rate": value} for value in ("5", math.nan, math.inf, -1, True, None, Decimal(1))),
        *({"port": value} for value in ("5", 1.5, -1, 65_536, True, None, math.nan)),
        *({"timing": value} for value in (5, "quick")),
        *({"data": value} for value in (5, b"folder", "", "a\0b")),
        {"server_key": 5}, {"room": 5}, {"room": b"lobby"}, {"room": None}, {"room": [5]}, {"room": []},
        {"guests": "no"}, {"tls": 1}, {"nameserver": None}, {"password": 5}, {"new_rooms": 5},
    ],
    ids=repr,
)  # fmt: skip
def test_found_38_what_makes_no_server_is_refused(data: Path, options: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        pyrochat.host(**({"data": data, "nameserver": False} | options))  # type: ignore[arg-type]
    assert not (data / "rooms").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"name": None}, {"name": 5}, {"name": b"Ana"}, {"room": None}, {"room": 5}, {"at": 5679}, {"at": b"localhost"},
        {"at": ("localhost", 5679)}, {"read": 5}, {"read": []}, {"progress": 5}, {"timing": 5}, {"password": 5},
        {"fingerprint": 5}, {"tls_ca": 5}, {"tls_cert": b"x"}, {"accept_new_key": "no"},
    ],
    ids=repr,
)  # fmt: skip
def test_found_29_what_cant_join_is_refused(server: Server, options: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        pyrochat.join(**({"name": "Ana", "at": server.at} | options))  # type: ignore[arg-type]


USES: list[Callable[[Chat], object]] = [
    lambda chat: chat.send(b"x"),  # type: ignore[arg-type]
    lambda chat: chat.send(None),  # type: ignore[arg-type]
    lambda chat: chat.send("x", key=5),  # type: ignore[arg-type]
    lambda chat: chat.send_many("abc"),
    lambda chat: chat.send_many(5),  # type: ignore[arg-type]
    lambda chat: chat.send_many(None),  # type: ignore[arg-type]
    lambda chat: chat.send_many(b"abc"),  # type: ignore[arg-type]
    lambda chat: chat.send_many(["a", 5]),  # type: ignore[list-item]
    lambda chat: chat.history("x"),  # type: ignore[arg-type]
    lambda chat: chat.history(after="x"),  # type: ignore[arg-type]
    lambda chat: chat.history(1.5),  # type: ignore[arg-type]
    lambda chat: chat.listen(after="x"),  # type: ignore[arg-type]
    lambda chat: chat.on_message(print, after="x"),  # type: ignore[call-overload]
    lambda chat: chat.search(5),  # type: ignore[arg-type]
    lambda chat: chat.search("x", before="y"),  # type: ignore[arg-type]
    lambda chat: chat.search("x", limit=True),
    lambda chat: chat.create_room(None),  # type: ignore[arg-type]
    lambda chat: chat.join_room(5),  # type: ignore[arg-type]
    lambda chat: chat.join_room("lobby", progress=5),  # type: ignore[arg-type]
    lambda chat: chat.off(5),  # type: ignore[arg-type]
]


def test_found_29_a_chat_refuses_what_makes_no_sense(joined: Join) -> None:
    chat = joined("Ana")
    for use in USES:
        with pytest.raises(InvalidInput):
            use(chat)
    assert texts(chat.history()) == []


def test_several_texts_may_come_from_anywhere(joined: Join) -> None:
    chat = joined("Ana")
    assert texts(chat.send_many(text for text in "ab")) == ["a", "b"]  # type: ignore[arg-type]
