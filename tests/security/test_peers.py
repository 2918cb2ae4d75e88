"""Limits hang on the peer, not on a name: who changes names or keys gets no more, and the others go on."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.attacks.wire import Attacked, Hung, Stranger, call_frame
from pyrochat import Chat, Server
from pyrochat.client.credentials import Credentials
from pyrochat.client.finding import AtAddress
from pyrochat.client.known import KnownServers
from pyrochat.core.limits import MOST_NEW_NAMES
from pyrochat.core.pace import Pace
from pyrochat.core.rates import Rate
from pyrochat.room.door.door import Access
from pyrochat.trust.keys import Key
from pyrochat.values.errors import QuotaUsedUp
from pyrochat.values.protocol import Timing
from tests.security.support import Host, entered, let_be_known
from tests.support import QUICK, QUICK_PACE, address_of, eventually, together

BURST = 5  # messages at once; the next one comes long after a test is over
SLOW = Rate(0.001, BURST)
ELSEWHERE = "127.0.0.2"
_numbers = itertools.count()


# Who asks for too much is read from again soon: what is refused is what is looked at here.
BRIEF_RESTS = replace(QUICK_PACE, most_rest_seconds=0.01)


@pytest.fixture
def slow_host(data: Path) -> Iterator[Host]:
    """Starts servers on which everybody has five messages."""
    with contextlib.ExitStack() as servers:

        def host(**options: object) -> Server:
            options = {"nameserver": False, "timing": QUICK, "rate": SLOW, "pace": BRIEF_RESTS} | options
            return servers.enter_context(Server(["lobby"], data, **options))  # type: ignore[arg-type]

        yield host


@pytest.fixture
def server(slow_host: Host) -> Server:
    """One of them."""
    return slow_host()


def let_in(server: Server, key: Key | None = None, name: str = "", source: str = "") -> Stranger:
    """A connection of somebody with a name, as a guest or with *key*."""
    stranger, name = Stranger(address_of(server), source=source), name or f"name{next(_numbers)}"
    try:
        return stranger.greet(name) if key is None else stranger.prove(name, key)
    except Attacked:
        stranger.sock.close()
        raise


def posted(members: Iterator[Stranger]) -> int:
    """How many posts are served, of more than one may send of each of the *members*, who come one after the other."""
    served = 0
    for member in members:
        with member:
            said = [member.ask(call_frame("post", "x")) for _ in range(BURST + 2)]
        assert all(reply.text.startswith("rate-limited: ") for reply in said if reply.is_refusal)
        served += sum(not reply.is_refusal for reply in said)
    return served


# -- messages ------------------------------------------------------------------------------------------------------


def test_found_2_a_guest_that_changes_its_name_sends_no_more(server: Server) -> None:
    assert posted(let_in(server) for _ in range(10)) == BURST


def test_found_2_who_changes_keys_sends_no_more(server: Server) -> None:
    assert posted(let_in(server, Key.made()) for _ in range(10)) == BURST


def test_found_2_one_key_under_many_names_sends_no_more(slow_host: Host, data: Path) -> None:
    key = Key.made()
    for number in range(10):
        let_be_known(data, f"known{number}", key)
    server = slow_host()
    assert posted(let_in(server, key, f"known{number}") for number in range(10)) == BURST


def test_found_2_guests_keep_no_new_key_from_speaking_and_those_no_known_one(slow_host: Host, data: Path) -> None:
    known = Key.made()
    let_be_known(data, "Erick", known)
    server = slow_host()
    posted(let_in(server) for _ in range(2))
    with let_in(server, Key.made()) as newcomer:
        assert not newcomer.ask(call_frame("post", "hello")).is_refusal
    posted(let_in(server, Key.made()) for _ in range(2))
    with let_in(server, known, "Erick") as erick:
        assert not erick.ask(call_frame("post_many", ["x"] * BURST)).is_refusal
        said = erick.ask(call_frame("post_many", ["x"] * BURST)).text
    assert "from one member: try again in" in said


def test_found_2_other_addresses_are_not_concerned(server: Server) -> None:
    posted(let_in(server) for _ in range(2))
    with let_in(server, source=ELSEWHERE) as guest:
        assert not guest.ask(call_frame("post_many", ["x"] * BURST)).is_refusal


def test_found_2_a_new_key_counts_where_it_was_seen_first_also_when_it_comes_from_elsewhere(server: Server) -> None:
    keys = [Key.made() for _ in range(2)]
    for key in keys:
        let_in(server, key).sock.close()
    with let_in(server, keys[0], source=ELSEWHERE) as first, let_in(server, keys[1], source=ELSEWHERE) as second:
        assert not first.ask(call_frame("post_many", ["x"] * BURST)).is_refusal
        assert "from the new keys at your address" in second.ask(call_frame("post_many", ["x"] * BURST)).text


def test_found_2_joins_and_new_rooms_count_for_the_peer_too(slow_host: Host) -> None:
    server = slow_host(access=Access(new_rooms="everyone"))
    posted(let_in(server) for _ in range(2))
    for method, *arguments in (("join",), ("create_room", "coffee")):
        with let_in(server) as guest:
            assert "the guests at your address" in guest.ask(call_frame(method, *arguments)).text
    assert server.rooms == ["lobby"]


def test_found_2_guests_who_change_names_are_not_read_from_for_a_while(
    host_lobby: Host,
) -> None:
    """Who has used up the time that it shares gains nothing by a new name, nor by a new connection."""
    server = host_lobby(pace=Pace(peers_time=Rate(0.000_1, 0.05), most_rest_seconds=3600.0))
    transport = server._daemon.transportServer  # type: ignore[union-attr]
    with contextlib.ExitStack() as stack:

        def ask_as_another() -> None:
            guest = stack.enter_context(Stranger(address_of(server), timeout=1.0))
            with contextlib.suppress(Hung):
                guest.greet(f"name{next(_numbers)}").ask(call_frame("history"))

        eventually(lambda: ask_as_another() or len(transport._resting) > 1, 30, "they are served on")


def test_found_2_a_new_connection_is_not_read_from_while_the_strangers_of_its_address_are_in_debt(
    host_lobby: Host,
) -> None:
    server = host_lobby(pace=Pace(strangers_time=Rate(0.000_1, 0.000_001), most_rest_seconds=3600.0))
    transport = server._daemon.transportServer  # type: ignore[union-attr]
    with Stranger(address_of(server)) as first:
        first.greet(None)
        eventually(lambda: len(transport._resting) == 1)
        with Stranger(address_of(server)):
            eventually(lambda: len(transport._resting) == 2)
            with Stranger(address_of(server), source=ELSEWHERE) as other:
                other.greet(None)


# -- names and bytes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [200.0, 0.0])
def test_found_2_so_many_new_names_come_from_one_address_within_an_hour(
    host_lobby: Host, data: Path, rate: float
) -> None:
    known = Key.made()
    let_be_known(data, "Erick", known)
    server = host_lobby(rate=rate, pace=BRIEF_RESTS)
    for _ in range(MOST_NEW_NAMES):
        let_in(server, Key.made()).sock.close()
    if rate == 0:
        let_in(server, Key.made()).sock.close()
        return
    with pytest.raises(Attacked, match=r"quota-used-up: 256 new names .* or try again in (1 h 0|59) min"):
        let_in(server, Key.made())
    with pytest.raises(QuotaUsedUp), entered(server, "another"):
        pass
    assert "another" not in [entry.name for entry in server._registry.entries()]
    for member in (let_in(server, known, "Erick"), let_in(server), let_in(server, Key.made(), source=ELSEWHERE)):
        with member:
            assert not member.ask(call_frame("members")).is_refusal


def test_found_2_a_name_that_was_not_given_does_not_count(server: Server) -> None:
    key = Key.made()
    with let_in(server, key, "Erick"):
        for _ in range(MOST_NEW_NAMES + 1):
            with pytest.raises(Attacked, match="name-taken"):
                let_in(server, Key.made(), "Erick")
    with let_in(server, Key.made()):
        pass


def test_a_name_that_could_not_be_written_down_does_not_count(server: Server, data: Path) -> None:
    names = server._limiter._newcomers._names
    with contextlib.closing(sqlite3.connect(data / "names.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Attacked, match="log-unavailable"):
            let_in(server, Key.made())
    assert names.take("127.0.0.1", MOST_NEW_NAMES, time.monotonic()) == 0.0


def test_found_2_guests_and_new_keys_of_one_address_send_so_many_bytes_a_day(host_lobby: Host, data: Path) -> None:
    known = Key.made()
    let_be_known(data, "Erick", known)
    server = host_lobby(peer_bytes="100K", pace=BRIEF_RESTS)
    text = "x" * 10_000
    served, refused = 0, ""
    for key in [None, Key.made()] * 10:
        with let_in(server, key) as member:
            reply = member.ask(call_frame("post", text))
        served += not reply.is_refusal
        refused = reply.text if reply.is_refusal else refused
    assert served == 10
    assert refused.startswith("quota-used-up: the guests and new keys at your address have sent 100 KiB within a day")
    with let_in(server, known, "Erick") as erick, let_in(server, source=ELSEWHERE) as guest:
        assert not erick.ask(call_frame("post_many", [text] * 20)).is_refusal
        assert not guest.ask(call_frame("post", text)).is_refusal


def test_found_2_no_rate_sets_no_limit_on_names_and_bytes(host_lobby: Host) -> None:
    server = host_lobby(rate=0, peer_bytes=1, pace=BRIEF_RESTS)
    with let_in(server) as guest:
        assert not any(guest.ask(call_frame("post_many", ["x"] * 1000)).is_refusal for _ in range(10))


# -- a class ------------------------------------------------------------------------------------------------------------


def test_found_2_a_class_of_thirty_newcomers_behind_one_address_joins_at_once_and_chats(
    host_lobby: Host, tmp_path: Path
) -> None:
    """With keys that nobody has seen before, and the limits that a server has by default."""
    server = host_lobby(timing=Timing(), pace=BRIEF_RESTS)
    known = KnownServers(tmp_path / "known.json")

    def pupil(number: int) -> Callable[[], Chat]:
        credentials = Credentials(f"pupil{number}", Key.made(), None)
        finder = AtAddress(server.at, "lobby", credentials, known, None)

        def join() -> Chat:
            chat = Chat(credentials.name, "lobby", finder, credentials, "auto", Timing())
            chat._open(None)
            return chat

        return join

    chats: list[Chat] = together([pupil(number) for number in range(30)])  # type: ignore[assignment]
    notices: list[str] = []
    try:
        for chat in chats:
            chat.on_notice(notices.append)
        sent = together([lambda chat=chat: [chat.send(f"{chat.name} {n}").id for n in range(5)] for chat in chats])
        last = max(itertools.chain.from_iterable(sent))  # type: ignore[arg-type]
        wanted = sorted(f"pupil{number} {n}" for number in range(30) for n in range(5))
        for chat in chats:
            chat.wait_for(last, 20)
            assert sorted(m.text for m in chat.history() if m.kind == "chat") == wanted
        assert notices == []
        assert sorted(chats[0].members) == sorted(f"pupil{number}" for number in range(30))
    finally:
        together([chat.leave for chat in chats])
