"""Many send at once, and all see one order; and the check that says so can fail.

The negative control takes the order's thread away: what is handed in is applied in the callers' threads, at the same
time. The same check has to find that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pyrochat import Chat, InvalidArgument, Message
from pyrochat.core.commands import Command
from pyrochat.core.log import Log
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.order import Order, Submission
from pyrochat.orders.local import LocalOrder
from pyrochat.room.clock import wall_clock_us
from pyrochat.room.room import Room
from tests.support import texts, together

SENDERS = 8
EACH = 25


def check_one_order(expected: Sequence[str], replicas: Sequence[Sequence[Message]]) -> None:
    """Raise AssertionError unless all *replicas* are the same 1 … n and have each expected text once."""
    for replica in replicas:
        assert [message.id for message in replica] == list(range(1, len(replica) + 1)), "ids have gaps or repetitions"
        assert list(replica) == list(replicas[0]), "two members see different sequences"
        assert sorted(texts(replica)) == sorted(expected), "a message is missing, or there twice"


def all_texts() -> list[str]:
    return [f"{sender}/{number}" for sender in range(SENDERS) for number in range(EACH)]


class SwitchingLog(MemoryLog):
    """Gives the processor away between the reading of the tail and the append."""

    @property
    def tail(self) -> int:
        tail = super().tail
        threading.Event().wait(0.0005)
        return tail


class InCallersThreads(LocalOrder):
    """Everything is applied in its caller's thread, whoever else is applying something."""

    def submit(self, *commands: Command) -> Submission:
        submission = Submission(commands)
        assert self._follower is not None
        [entry] = self._entries([submission])
        applied = self._follower.apply([entry])
        submission.finish(applied.outcomes[0], applied.error)
        return submission


class UnguardedRoom(Room):
    def __init__(self, log: Log, order: Order, *arguments: Any, **more: Any) -> None:
        super().__init__(log, InCallersThreads(log.room, wall_clock_us), *arguments, **more)


def post_all(room: Room) -> list[Message]:
    """All senders post at the same time; the log as it is then. Whose post fails goes on."""

    def post(sender: int) -> None:
        for number in range(EACH):
            try:
                room.post(f"m{sender}", [f"{sender}/{number}"], [f"{sender}-{number}"]).wait()
            except InvalidArgument:  # the log has no place for it: it is missing then
                continue

    together([lambda sender=sender: post(sender) for sender in range(SENDERS)])
    return room.history(0, 100_000)


def test_concurrent_posts_have_one_order(open_room: Callable[..., Room]) -> None:
    check_one_order(all_texts(), [post_all(open_room(SwitchingLog("lobby")))])


def test_without_mutual_exclusion_the_check_fails(open_room: Callable[..., Room]) -> None:
    unguarded = open_room(SwitchingLog("lobby"), UnguardedRoom)
    with pytest.raises(AssertionError):
        check_one_order(all_texts(), [post_all(unguarded)])


def test_concurrent_chats_have_one_order(joined: Callable[..., Chat]) -> None:
    chats = [joined(f"Member{number}") for number in range(SENDERS)]

    def send(sender: int) -> list[Message]:
        return [chats[sender].send(f"{sender}/{number}") for number in range(EACH)]

    acknowledged = together([lambda sender=sender: send(sender) for sender in range(SENDERS)])
    last = max(message.id for messages in acknowledged for message in messages)  # type: ignore[attr-defined]
    for chat in chats:
        chat.wait_for(last, timeout=20)
    replicas = [chat.history()[:last] for chat in chats]
    check_one_order(all_texts(), replicas)
    for messages in acknowledged:
        assert [replicas[0][message.id - 1] for message in messages] == messages  # type: ignore[attr-defined]


def message(id: int, text: str) -> Message:
    return Message(id, "lobby", "Erick", text, 5)


@pytest.mark.parametrize(
    "replicas",
    [
        [[message(1, "a"), message(3, "b")]],
        [[message(1, "a"), message(1, "b")]],
        [[message(1, "a"), message(2, "a")]],
        [[message(1, "a")]],
        [[message(1, "a"), message(2, "b")], [message(1, "b"), message(2, "a")]],
        [[message(1, "a"), message(2, "b")], [message(1, "a")]],
    ],
)
def test_the_check_finds_gaps_repetitions_losses_and_two_orders(replicas: list[list[Message]]) -> None:
    check_one_order(["a", "b"], [[message(1, "a"), message(2, "b")]])
    with pytest.raises(AssertionError):
        check_one_order(["a", "b"], replicas)
