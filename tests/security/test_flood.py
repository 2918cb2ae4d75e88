"""Members that send as fast as they can are told to slow down, and the others hardly notice."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from Pyro5.api import BatchProxy

from lab.attacks.wire import Attacked, Stranger, call_frame
from pyrochat import Chat, Server
from pyrochat.core.pace import Pace
from pyrochat.core.rates import Rate
from pyrochat.trust.keys import Key
from pyrochat.values.protocol import SERVER_OBJECT
from tests.support import QUICK_PACE, Running, address_of, bare, eventually, together

RATE = 5.0  # messages a second, 50 at once
Host = Callable[..., Server]
GENEROUS_SECONDS = 5.0


@pytest.fixture
def server(host_lobby: Host) -> Server:
    """A server that lets each member send 50 messages at once, and 5 a second; who asks for too much rests briefly."""
    return host_lobby(rate=RATE, pace=replace(QUICK_PACE, most_rest_seconds=0.01))


def flood(server: Server, name: str, method: str, *arguments: object, calls: int = 90) -> Counter[str]:
    """How often the room said what."""
    answers: Counter[str] = Counter()
    with Stranger(address_of(server)) as member:
        member.greet(name)
        for _ in range(calls):
            reply = member.ask(call_frame(method, *arguments))
            answers[reply.text if reply.is_refusal else "served"] += 1
    return answers


def limited(answers: Counter[str]) -> int:
    return sum(count for said, count in answers.items() if said.startswith("rate-limited: "))


def test_a_flood_of_posts_is_limited(server: Server) -> None:
    answers = flood(server, "flood", "post", "x")
    assert 50 <= answers["served"] < 85
    assert limited(answers) == 90 - answers["served"]


def test_who_has_gone_holds_no_name(host_lobby: Host) -> None:
    """Given a connection that is not read from, so that nobody notices its end, then its name is free all the same."""
    server = host_lobby(rate=RATE, pace=replace(QUICK_PACE, least_rest_seconds=60.0, most_rest_seconds=60.0))
    with Stranger(address_of(server)) as member:
        assert not member.greet("flood").ask(call_frame("post_many", ["x"] * 50)).is_refusal
        assert "rate-limited: " in member.ask(call_frame("post_many", ["x"] * 50)).text
        with pytest.raises(Attacked, match="name-taken"), Stranger(address_of(server)) as other:
            other.greet("flood")
    with Stranger(address_of(server)) as again:
        again.greet("flood")


def test_a_flood_of_large_batches_is_limited(server: Server) -> None:
    answers = flood(server, "flood", "post_many", ["x"] * 1000, calls=10)
    assert answers["served"] == 1
    assert limited(answers) == 9


def test_calls_in_a_batch_count_each(server: Server) -> None:
    with bare(server, "flood") as proxy:
        batch = BatchProxy(proxy)
        for _ in range(200):
            batch.post("x")
        with pytest.raises(PermissionError, match="rate-limited: "):
            list(batch())
        assert len(proxy.history()) < 190


def test_joining_and_leaving_is_limited(server: Server) -> None:
    with Stranger(address_of(server)) as member:
        member.greet("flood")
        said = [member.ask(call_frame(method)).text for _ in range(100) for method in ("join", "leave")]
    assert any(text.startswith("rate-limited: ") for text in said)


def test_several_connections_of_one_member_share_its_rate(server: Server) -> None:
    key = Key.made()

    def post() -> int:
        served = 0
        with Stranger(address_of(server)) as member:
            member.prove("flood", key)
            for _ in range(60):
                served += not member.ask(call_frame("post", "x")).is_refusal
        return served

    assert sum(map(int, together([post] * 4))) < 200  # type: ignore[call-overload]


def test_the_others_go_on(server: Server, joined: Callable[..., Chat]) -> None:
    erick, igor = joined("Erick"), joined("Igor")
    floods = [
        Running(lambda n=n, call=call: flood(server, f"flood{n}", *call, calls=70))
        for n, call in enumerate([("post", "x"), ("post_many", ["x"] * 1000), ("join",), ("history",)])
    ]
    for number in range(5):
        sent = erick.send(f"message {number}", timeout=GENEROUS_SECONDS)
        assert igor.wait_for(sent.id, GENEROUS_SECONDS).text == f"message {number}"
    for each in floods:
        each.result()


def test_who_was_limited_may_send_again_later(server: Server) -> None:
    with Stranger(address_of(server)) as member:
        member.greet("flood")
        assert any(member.ask(call_frame("post", "x")).is_refusal for _ in range(100))
        eventually(lambda: not member.ask(call_frame("post", "again")).is_refusal, 5, "limited for ever")


def test_wrong_signatures_keep_nobody_out(server: Server, joined: Callable[..., Chat]) -> None:
    key = Key.made()

    def forge() -> None:
        for _ in range(30):
            with Stranger(address_of(server)) as forger:
                forger.apply("forger", key)
                assert "proof-wrong" in forger.ask(call_frame("prove", "00" * 64)).text

    floods = [Running(forge) for _ in range(4)]
    assert joined("Erick").send("hi", timeout=GENEROUS_SECONDS).text == "hi"
    for each in floods:
        each.result()


def test_a_limited_member_holds_no_worker(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(Stranger(address_of(server))).greet(f"m{n}") for n in range(30)]
        for member in crowd:
            member.send(call_frame("post_many", ["x"] * 60) * 20)
        late = stack.enter_context(Stranger(address_of(server))).greet("late")
        assert not late.ask(call_frame("members")).is_refusal


@pytest.mark.parametrize("who", ["nobody", "a guest", "a member"])
def test_who_uses_up_the_servers_time_is_not_read_from_for_a_while(host_lobby: Host, who: str) -> None:
    share = {"nobody": "strangers_time", "a guest": "peers_time", "a member": "members_time"}[who]
    server = host_lobby(pace=Pace(most_rest_seconds=3600.0, **{share: Rate(0.000_1, 0.000_1)}))
    with Stranger(address_of(server)) as asking:
        if who == "a member":
            asking.prove("asking", Key.made())
        else:
            asking.greet(None if who == "nobody" else "asking")
        answers = Running(lambda: [asking.ask(call_frame("rooms", object_id=SERVER_OBJECT)) for _ in range(1000)])
        eventually(lambda: server._daemon.transportServer._resting, 5, "it is served on")  # type: ignore[union-attr]
        assert not answers.is_done
    with contextlib.suppress(Exception):
        answers.result()
