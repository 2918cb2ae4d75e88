"""What a site takes of others has bounds in bytes; what is refused comes when there is room."""

from __future__ import annotations

from collections.abc import Callable

from pyrochat.orders.graph.intake import disk_bytes
from pyrochat.values.errors import RoomFull
from tests.orders.graph.sites import Network, OneSite
from tests.orders.graph.test_sites import equal, network, site, three
from tests.support import eventually

__all__ = ["network", "site", "three"]


class Room:
    """What may be written yet."""

    def __init__(self) -> None:
        self.left = 0
        self.asked = 0

    def let_in(self, size: int) -> RoomFull | None:
        self.asked += 1
        if size > self.left:
            return RoomFull("the room is full")
        self.left -= size
        return None


def test_a_site_without_room_takes_nothing_says_so_and_catches_up_when_there_is_some(three: list[OneSite]) -> None:
    ana, igor, zoe = three
    room = Room()
    zoe.order.bound(room.let_in)
    ana.say("Ana", "one")
    ana.say("Ana", "two")
    eventually(lambda: room.asked > 3)
    mine = zoe.say("Zoe", "mine")
    eventually(lambda: all(mine.text in each.texts() for each in (ana, igor)))
    igor.say("Igor", "three")
    eventually(lambda: equal(ana, igor))
    assert zoe.texts() == ["mine"]
    assert [text for text in zoe.told if "is not taken here" in text] == [
        "what other sites say is not taken here until there is room: the room is full"
    ]
    assert not any("not heard of" in text for each in three for text in each.told)
    room.left = 1 << 20
    eventually(lambda: equal(*three))
    assert sorted(zoe.texts()) == ["mine", "one", "three", "two"]


def test_what_is_known_already_needs_no_room(three: list[OneSite]) -> None:
    ana, igor, zoe = three
    ana.say("Ana", "one")
    eventually(lambda: equal(*three))
    zoe.order.bound(Room().let_in)
    events = igor.log.told(list(igor.log_ids()), 1 << 20)
    assert events
    assert zoe.order.take(events, "").error is None


def test_what_one_server_says_in_a_day_is_bounded_at_each_site(site: Callable[..., OneSite]) -> None:
    ana = site("ana")
    zoe = site("zoe", ana)
    zoe.order.intake.day_bytes = 20_000
    for _ in range(60):
        ana.say("Ana", "x" * 1000)
    eventually(lambda: any("the site ana has said" in text for text in zoe.told))
    assert 5 < len(zoe.texts()) < 20
    mine = zoe.say("Zoe", "mine")
    eventually(lambda: mine.text in ana.texts())
    zoe.order.intake.day_bytes = 1 << 20
    eventually(lambda: equal(ana, zoe))


def test_what_another_site_has_taken_is_not_lost_over_it(three: list[OneSite], network: Network) -> None:
    ana, _, zoe = three
    zoe.order.intake.day_bytes = 5_000
    for _ in range(20):
        ana.say("Ana", "x" * 1000)
    eventually(lambda: equal(*three))


def test_what_an_event_takes_is_counted_with_its_texts(three: list[OneSite]) -> None:
    ana, *_ = three
    ana.say("Ana", "x" * 5000)
    [*_, newest] = ana.log.told(list(ana.log_ids()), 1 << 20)
    assert 5000 < disk_bytes(newest) < 7000
