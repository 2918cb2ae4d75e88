"""Who shares which limits with whom: nothing hangs on a name, which costs nothing."""

from __future__ import annotations

import pytest

from pyrochat.core.limits import DAY_SECONDS, MOST_NEW_NAMES, NEW_SECONDS, Limits, Newcomers, Origin, is_new
from pyrochat.core.rates import Rate
from pyrochat.values.errors import QuotaUsedUp, RateLimited

HERE, THERE = "192.0.2.1", "192.0.2.2"
NOW = 1000.0


def guest(peer: str = HERE) -> Origin:
    """Whatever its name is."""
    return Origin(None, peer)


def new(key: bytes, peer: str = HERE) -> Origin:
    return Origin(key, peer, NOW + NEW_SECONDS)


def known(key: bytes) -> Origin:
    return Origin(key, HERE)


def limits(per_second: float = 1.0, burst: float = 10.0, peer_bytes: int = 0) -> Limits:
    return Limits(Rate(per_second, burst), peer_bytes)


def passed(limits: Limits, origins: list[Origin], each: int = 1, size: int = 0, now: float = NOW) -> int:
    """How many messages pass, *each* of every origin."""
    count = 0
    for origin in origins:
        for _ in range(each):
            try:
                limits.take(origin, 1, size, now)
            except (RateLimited, QuotaUsedUp):
                break
            count += 1
    return count


# -- messages --------------------------------------------------------------------------------------------------------


def test_found_2_guests_of_one_peer_share_what_one_member_may() -> None:
    shared = limits()
    assert passed(shared, [guest()] * 100, each=100) == 10
    with pytest.raises(RateLimited, match=r"from the guests at your address: try again in 1\.000 s"):
        shared.take(guest(), 1, 0, NOW)
    assert passed(shared, [guest()] * 100, now=NOW + 3) == 3
    assert passed(shared, [guest(THERE)]) == 1, "the next address is somebody else's"


def test_found_2_new_keys_of_one_peer_share_another_bucket_which_guests_do_not_spend() -> None:
    shared = limits()
    assert passed(shared, [guest()], each=100) == 10
    assert passed(shared, [new(bytes([n])) for n in range(100)], each=100) == 10
    with pytest.raises(RateLimited, match="from the new keys at your address"):
        shared.take(new(b"another"), 1, 0, NOW)


def test_found_2_a_key_that_is_known_for_longer_has_only_its_own() -> None:
    shared = limits()
    passed(shared, [guest(), new(b"n")], each=100)
    assert passed(shared, [known(b"1"), known(b"2")], each=100) == 20
    with pytest.raises(RateLimited, match="from one member"):
        shared.take(known(b"1"), 1, 0, NOW)


def test_found_2_a_key_becomes_known_while_it_is_connected() -> None:
    shared = limits()
    later = NOW + NEW_SECONDS
    assert passed(shared, [new(b"1")], each=100) == 10
    assert passed(shared, [new(b"2"), new(b"1")], each=100, now=later) == 20


def test_a_new_key_has_its_own_bucket_too_wherever_it_comes_from() -> None:
    shared = limits()
    assert passed(shared, [new(b"1", HERE), new(b"1", THERE)], each=100) == 10
    with pytest.raises(RateLimited, match="from one member"):
        shared.take(new(b"1", THERE), 1, 0, NOW)


def test_what_is_refused_takes_nothing_from_either_bucket() -> None:
    shared = limits()
    passed(shared, [new(b"1")], each=8)
    with pytest.raises(RateLimited):
        shared.take(new(b"2"), 5, 0, NOW)
    assert passed(shared, [new(b"2")], each=100) == 2
    assert passed(shared, [new(b"2")], each=100, now=NOW + 10) == 10


def test_who_waits_as_long_as_it_is_told_is_served() -> None:
    shared = limits()
    passed(shared, [guest()], each=10)
    for origin in (guest(), guest()):
        with pytest.raises(RateLimited) as refused:
            shared.take(origin, 4, 0, NOW)
        assert refused.value.retry_seconds == 4.0
    shared.take(guest(), 4, 0, NOW + 4)


# -- bytes ------------------------------------------------------------------------------------------------------------


def test_found_2_guests_and_new_keys_of_a_peer_send_so_many_bytes_a_day() -> None:
    bounded = limits(1e6, 1e6, peer_bytes=1000)
    assert passed(bounded, [guest(), new(b"1"), guest()], each=4, size=100) == 10
    with pytest.raises(QuotaUsedUp, match=r"have sent 1000 bytes within a day.* try again in 24 h 0 min, or come with"):
        bounded.take(new(b"2"), 1, 100, NOW)
    assert passed(bounded, [known(b"3")], each=100, size=100) == 100
    assert passed(bounded, [guest(THERE)], each=100, size=100) == 10
    assert passed(bounded, [guest()], each=100, size=100, now=NOW + DAY_SECONDS) == 10


# -- the server's time ---------------------------------------------------------------------------------------------------


def test_found_2_guests_of_one_peer_share_the_servers_time() -> None:
    shared = Limits(Rate(), 0, Rate(0.1, 1.0), Rate(0.5, 1.0), Rate(0.5, 1.0))
    assert [shared.charge(guest(), 0.5, NOW) for n in range(4)] == [0.0, 0.0, 1.0, 2.0]
    assert shared.charge(new(b"1"), 0.5, NOW) == 0.0
    assert shared.charge(new(b"2"), 1.0, NOW) == 1.0
    assert shared.charge(known(b"3"), 1.0, NOW) == 0.0
    assert shared.charge(known(b"3"), 0.1, NOW) == pytest.approx(1.0)
    assert shared.charge_stranger(HERE, 1.0, NOW) == 0.0
    assert shared.charge_stranger(HERE, 1.0, NOW) == 2.0
    assert shared.charge(guest(THERE), 0.5, NOW) == 0.0


def test_no_rate_turns_all_of_it_off() -> None:
    off = Limits(Rate(0, 1), peer_bytes=1)
    assert not off.is_on
    assert passed(off, [guest()], each=10_000, size=1000) == 10_000
    assert off.charge(guest(), 1e6, NOW) == off.charge_stranger(HERE, 1e6, NOW) == 0.0


# -- newcomers ------------------------------------------------------------------------------------------------------------


def test_found_2_so_many_new_names_come_from_one_peer_within_an_hour() -> None:
    newcomers = Newcomers()
    for number in range(MOST_NEW_NAMES):
        newcomers.take_name(HERE, NOW + number)
    with pytest.raises(QuotaUsedUp, match=r"^256 new names .* within the hour: come with .* or try again in 10 min$"):
        newcomers.take_name(HERE, NOW + 3000.0)
    newcomers.take_name(THERE, NOW)
    newcomers.give_name_back(HERE)
    newcomers.take_name(HERE, NOW + 3000.0)
    newcomers.take_name(HERE, NOW + 3600.0)


def test_found_2_a_new_key_counts_where_it_was_seen_first_for_an_hour() -> None:
    newcomers = Newcomers()
    first = newcomers.origin_of(b"k", HERE, 0.0, NOW)
    assert first == Origin(b"k", HERE, NOW + NEW_SECONDS)
    assert newcomers.origin_of(b"k", THERE, 600.0, NOW + 600) == first
    later = newcomers.origin_of(b"k", THERE, NEW_SECONDS, NOW + NEW_SECONDS)
    assert later == Origin(b"k", THERE)


def test_after_a_restart_a_new_key_counts_where_it_comes_from_for_the_rest_of_its_hour() -> None:
    assert Newcomers().origin_of(b"k", THERE, 600.0, NOW) == Origin(b"k", THERE, NOW + NEW_SECONDS - 600)


@pytest.mark.parametrize(("age", "counts_as_new"), [(-10.0, True), (-1e9, False), (1e9, False)])
def test_a_clock_that_was_corrected_makes_no_key_new_for_ever(age: float, counts_as_new: bool) -> None:
    origin = Newcomers().origin_of(b"k", HERE, age, NOW)
    assert is_new(age) == counts_as_new
    assert (len(origin.buckets(NOW)) == 2) == counts_as_new
    assert len(origin.buckets(NOW + NEW_SECONDS)) == 1


def test_of_the_keys_only_the_new_ones_are_remembered() -> None:
    newcomers = Newcomers()
    for number in range(2000):
        newcomers.origin_of(number.to_bytes(4), HERE, 0.0, NOW + 10 * number)
    assert len(newcomers._first_seen) <= 1 + NEW_SECONDS / 10
