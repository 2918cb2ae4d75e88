"""Every trap that takes no patience, on a running server; the others in a short form.

``python -m lab attacks run`` tries all of them, with members who chat meanwhile, and takes their times.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest

from lab.attacks import running
from lab.attacks.target import Target
from lab.attacks.traps import Trap, callbacks, calls, closed, frames, losses, values
from lab.attacks.wire import Attacked, Stranger, call_frame, greeting
from pyrochat import Server
from pyrochat.core.pace import Pace
from pyrochat.core.places import Bounds
from pyrochat.trust.keys import Key
from pyrochat.values.protocol import SERVER_OBJECT
from tests.support import address_of, bare, eventually

SLOW = ("never", "looked up")
CALLBACKS = [trap for trap in callbacks.TRAPS if not any(word in trap.name for word in SLOW)]
QUICK_TRAPS = [*frames.TRAPS, *values.TRAPS, *calls.TRAPS, *closed.TRAPS, *losses.TRAPS, *CALLBACKS]
Host = Callable[..., Server]


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    """A server process that all traps are tried on, one after the other."""
    with Target(members=0) as target:
        target.check_alive()
        yield target
        assert "Traceback" not in target.log_text()
        target.verify()


@pytest.fixture(scope="module")
def tls_target() -> Iterator[Target]:
    """The same with TLS."""
    with Target(members=0, tls=True) as target:
        target.check_alive()
        yield target


@pytest.mark.parametrize("trap", QUICK_TRAPS, ids=lambda trap: trap.name)
def test_a_trap_is_refused_in_bounded_time_and_memory(target: Target, trap: Trap) -> None:
    result = running.spring(target, trap)
    assert result.is_good, f"{result.outcome}: {result.wrong}"


@pytest.mark.parametrize("trap", frames.TLS[:1] + frames.TLS[2:], ids=lambda trap: trap.name)
def test_a_trap_at_a_tls_port_is_refused(tls_target: Target, trap: Trap) -> None:
    result = running.spring(tls_target, trap)
    assert result.is_good, f"{result.outcome}: {result.wrong}"


def test_the_traps_can_tell(target: Target) -> None:
    def harmless(target: Target) -> str:
        with target.stranger() as guest:
            guest.greet("harmless").send(call_frame("members"))
            return guest.outcome()

    result = running.spring(target, Trap("harmless", harmless, "refused"))
    assert not result.is_good
    assert "served" in result.wrong


def test_silent_connections_and_half_done_handshakes_keep_nobody_out(tls_target: Target) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(100):
            held.enter_context(Stranger(tls_target.address))
            held.enter_context(Stranger(tls_target.address)).send(b"\x16\x03\x01\x02\x00\x01\x00")
        assert tls_target.join_seconds("newcomer") < 5


# -- what takes patience, with less of it ------------------------------------------------------------------------


@pytest.fixture
def impatient(host_lobby: Host) -> Server:
    """A server that waits 0.3 s where others wait 10."""
    return host_lobby(pace=Pace(frame_seconds=0.3))


def connection_count(server: Server) -> int:
    return server._daemon.transportServer.connection_count  # type: ignore[union-attr]


def test_one_byte_at_a_time_is_cut_off(impatient: Server) -> None:
    with Stranger(address_of(impatient)) as stranger:
        pause = threading.Event()
        for byte in greeting({"name": "slow"})[:40]:
            stranger.send(bytes([byte]))
            pause.wait(0.1)
            if not connection_count(impatient):
                return
        raise AssertionError("still there")


def test_half_a_call_of_somebody_inside_is_cut_off(impatient: Server) -> None:
    with Stranger(address_of(impatient)) as member:
        member.greet("stuck").send(call_frame("members")[:-3])
        assert member.wait_end() < 10


FEW = Bounds(strangers=20, strangers_of_a_peer=20)


def test_the_oldest_strangers_make_room(serve: Host) -> None:
    server = serve(bounds=FEW)
    with contextlib.ExitStack() as stack:
        inside = stack.enter_context(Stranger(address_of(server))).prove("inside", Key.made())
        crowd = [stack.enter_context(Stranger(address_of(server))) for _ in range(50)]
        for stranger in crowd[:30]:
            assert stranger.wait_end() < 10
        eventually(lambda: connection_count(server) == 21)
        assert not crowd[-1].greet("late").ask(call_frame("members")).is_refusal
        assert not inside.ask(call_frame("members")).is_refusal


def test_strangers_who_speak_make_room_too(serve: Host) -> None:
    """A worker may have them at the moment when they should go."""
    server = serve(bounds=FEW, pace=Pace(linger_seconds=1.0))
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            for _ in range(20):
                nobody = stack.enter_context(Stranger(address_of(server))).greet(None)
                assert not nobody.ask(call_frame("rooms", object_id=SERVER_OBJECT)).is_refusal
        for _ in range(20):
            stack.enter_context(Stranger(address_of(server)))
        eventually(lambda: connection_count(server) <= 20, 5, "more strangers than there is room for")


def test_who_never_reads_holds_no_worker(host_lobby: Host) -> None:
    server = host_lobby(pace=Pace(most_workers=3))
    with bare(server, "writer") as writer:
        writer.post_many(["x" * 8000] * 100)
    with contextlib.ExitStack() as stack:
        for number in range(8):
            deaf = stack.enter_context(Stranger(address_of(server))).greet(f"deaf{number}")
            deaf.send(call_frame("history") * 20)
        with bare(server, "Erick") as proxy:
            proxy._pyroTimeout = 5.0
            assert proxy.post("hi")[3] == "hi"


def test_who_asks_on_without_waiting_for_answers_gets_them_all(server: Server) -> None:
    with bare(server, "writer") as writer:
        writer.post_many(["x" * 8000] * 100)
    with Stranger(address_of(server), timeout=5.0, room=65_536) as member:
        member.greet("eager").send(call_frame("history") * 10)
        answers = [member.reply() for _ in range(10)]
    assert all(answer is not None and not answer.is_refusal for answer in answers)


def test_a_callback_that_never_shakes_hands_is_given_up(serve: Host) -> None:
    server = serve(connect_seconds=0.2)
    with callbacks.Callback(lambda room: None) as callback, Stranger(address_of(server)) as member:
        said = member.greet("caller").ask(call_frame("join", callback.uri))
        assert "callback-unreachable" in said.text


def test_a_callback_that_never_answers_is_lost(server: Server) -> None:
    with callbacks.Callback(callbacks.shake_hands) as callback, Stranger(address_of(server)) as member:
        assert not member.greet("caller").ask(call_frame("join", callback.uri)).is_refusal
        assert callback.over.wait(20)
        assert callback.ended_after is not None


def test_a_defect_costs_one_connection(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the watching thread serves a call itself."""
    transport = server._daemon.transportServer  # type: ignore[union-attr]
    with Stranger(address_of(server)) as member, monkeypatch.context() as patch:
        member.greet("unlucky")

        def fail(*_: object) -> None:
            raise KeyError("a defect")

        patch.setattr(transport.daemon, "is_quick", fail)
        eventually(lambda: bool(transport._watching), 5, "a worker has it still")
        member.send(call_frame("post", "x"))
        assert member.wait_end() < 10
    with bare(server, "Erick") as proxy:
        assert proxy.post("hi")[3] == "hi"


def test_an_attack_that_works_is_told(target: Target) -> None:
    with target.stranger() as guest:
        guest.greet("guest").send(call_frame("members"))
        with pytest.raises(Attacked, match="served"):
            guest.outcome()
