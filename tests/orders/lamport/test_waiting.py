"""Which of the texts that have no place yet a site tells, and how often."""

from __future__ import annotations

from pyrochat.core.graph.messages import Text
from pyrochat.orders.lamport.waiting import LOOK_SECONDS, MOST_BYTES, MOST_TEXTS, WaitingTexts


class Site:
    """Looks, as a site does. waits: the keys of the texts that have no place. told: all that was said."""

    def __init__(self) -> None:
        self.now = 10.0
        self.waits: list[str] = []
        self.body = b""
        self.asked = 0
        self.told: list[list[str]] = []
        self.texts = WaitingTexts()

    def texts_here(self, most: int) -> list[Text]:
        self.asked += 1
        return [Text(key, self.body) for key in self.waits][:most]

    def look(self, seconds: float = 0.0) -> None:
        self.now += seconds
        said = self.texts.look(bool(self.waits), self.texts_here, self.now)
        if said is not None:
            self.told.append([text.key for text in said])


def test_what_gets_its_place_at_once_is_never_told() -> None:
    site = Site()
    for number in range(1000):
        site.waits = [str(number)]
        site.look(0.005)
        site.waits = []
        site.look(0.005)
    assert site.told == []
    assert site.asked <= 10 / LOOK_SECONDS, "and it is not even looked at"


def test_what_waits_is_told_once_and_so_is_that_it_waits_no_more() -> None:
    site = Site()
    site.waits = ["1"]
    for _ in range(5):
        site.look(LOOK_SECONDS)
    site.waits = ["1", "2"]
    for _ in range(5):
        site.look(LOOK_SECONDS)
    site.waits = []
    for _ in range(5):
        site.look(LOOK_SECONDS)
    assert site.told == [["1"], ["1", "2"], []]
    assert site.texts.due == float("inf"), "where nothing waits, nobody looks"


def test_however_many_come_it_is_told_a_few_times_a_second() -> None:
    site = Site()
    for number in range(90):
        site.waits.append(str(number))
        site.look(0.02)
    assert 5 <= len(site.told) <= 90 * 0.02 / LOOK_SECONDS


def test_it_is_bounded_in_count_and_in_bytes() -> None:
    site = Site()
    site.waits = [str(number) for number in range(500)]
    for _ in range(3):
        site.look(LOOK_SECONDS)
    assert site.told[-1] == site.waits[:MOST_TEXTS]
    site.body = bytes(MOST_BYTES // 10)
    for _ in range(3):
        site.look(LOOK_SECONDS)
    assert site.told[-1] == site.waits[:10]
