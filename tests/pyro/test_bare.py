"""The room as anybody with stock Pyro5 sees it: the contract's table, in every serializer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest
from Pyro5 import errors as pyro_errors
from Pyro5.api import Daemon, Proxy, current_context, expose
from Pyro5.serializers import serializers

from pyrochat import Chat, Server
from pyrochat.values.protocol import MAX_ANSWER_BYTES
from tests.support import SERIALIZER_NAMES, Running, bare, changes, eventually, texts

Join = Callable[..., Chat]
pytestmark = pytest.mark.parametrize("serializer", SERIALIZER_NAMES)


class Member:
    """A callback object in a stock daemon of its own."""

    def __init__(self) -> None:
        self.messages: list[list[object]] = []
        self.marks: dict[str, tuple[int, int]] = {}
        self.read = 0
        self.gone = False

    @expose
    def deliver(self, messages: list[list[object]], marks: list[list[object]]) -> list[int]:
        if self.gone:
            current_context.client.close()
        self.messages += messages
        self.marks |= {name: (delivered, read) for name, delivered, read in marks}  # type: ignore[misc]
        return [len(self.messages), self.read]


class StockDaemon:
    """A Pyro5 daemon as its documentation shows it."""

    def __init__(self) -> None:
        self.daemon = Daemon(host="localhost")
        self.stopped = threading.Event()
        self.running = Running(lambda: self.daemon.requestLoop(lambda: not self.stopped.is_set()))

    def uri(self, callback: object) -> str:
        return str(self.daemon.register(callback))

    def close(self) -> None:
        self.stopped.set()
        self.daemon.shutdown()
        self.running.result()
        self.daemon.close()


@pytest.fixture
def stock_daemon() -> Iterator[StockDaemon]:
    daemon = StockDaemon()
    yield daemon
    daemon.close()


@pytest.fixture
def erick(server: Server, serializer: str) -> Iterator[Proxy]:
    with bare(server, "Erick", serializer) as proxy:
        yield proxy


def test_post_returns_the_message_as_a_flat_list(erick: Proxy) -> None:
    id, room, sender, text, time_us, kind, key, about, change, ref, proof = erick.post("olá ⏎ 😀")
    assert (id, room, sender, text, kind, key) == (1, "lobby", "Erick", "olá ⏎ 😀", "chat", None)
    assert (about, change, ref, len(proof)) == (None, None, None, 11)
    assert type(time_us) is int
    assert erick.history() == [[id, room, sender, text, time_us, kind, key, about, change, ref, proof]]


def test_post_with_a_key_appends_once(erick: Proxy) -> None:
    first = erick.post("hi", "k")
    assert first[6] == "k"
    assert erick.post("hi", key="k") == first
    with pytest.raises(ValueError, match=r"^key-conflict: "):
        erick.post("ho", "k")
    assert len(erick.history()) == 1


def test_found_12_guests_who_follow_each_other_under_a_name_share_no_keys(server: Server, serializer: str) -> None:
    made = []
    for text, more in (("first", {}), ("second", {}), ("third", {"client": "one"}), ("fourth", {"client": "two"})):
        with bare(server, "Ana", serializer, **more) as ana:
            message = ana.post(text, key="k")
            assert ana.post(text, key="k") == message
            batch = ana.post_many([text, text], key="b")
            assert ana.post_many([text, text], key="b") == batch
            made += [message, *batch]
    assert [(id, text, key) for id, _, _, text, _, _, key, *_ in made] == [
        (id, text, key)
        for id, (text, key) in enumerate(
            ((text, key) for text in ("first", "second", "third", "fourth") for key in ("k", "b.0", "b.1")), 1
        )
    ]
    with bare(server, "Ana", serializer, client="one") as ana:
        assert ana.post("third", key="k") == made[6]
        assert ana.post_many(["third", "third"], key=["b.0", "b.1"]) == made[7:9]
        with pytest.raises(ValueError, match=r"^key-conflict: .*'k'") as conflict:
            ana.post("another text", key="k")
        assert str(conflict.value).isprintable()
        assert ana.history() == made, "everybody sees the key that was given"


def test_found_12_what_guests_keys_are_kept_by_changes_no_digest(server: Server, serializer: str, joined: Join) -> None:
    igor = joined("Igor")
    with bare(server, "Ana", serializer) as ana:
        message = ana.post("hi", key="k")
    assert igor.wait_for(message[0], timeout=20).to_wire() == message
    assert igor.verify().identical_up_to == igor.verify().end >= message[0]


def test_found_12_a_guests_keys_outlive_the_server(host_lobby: Callable[..., Server], serializer: str) -> None:
    before = host_lobby()
    with bare(before, "Ana", serializer, client="one") as ana:
        message = ana.post("hi", key="k")
    before.close()
    after = host_lobby()
    with bare(after, "Ana", serializer, client="two") as another:
        assert another.post("hi", key="k")[0] == 2
    with bare(after, "Ana", serializer, client="one") as ana:
        assert ana.post("hi", key="k") == message


@pytest.mark.parametrize("client", [5, ["a"], "line\nbreak"])
def test_found_12_a_client_id_is_printable_text(server: Server, serializer: str, client: object) -> None:
    refused = pytest.raises(pyro_errors.CommunicationError, match="invalid-argument: a client id has to be")
    with bare(server, "Ana", serializer, client=client) as ana, refused:
        ana.post("hi")


def test_post_many_returns_consecutive_messages(erick: Proxy) -> None:
    assert [m[:4] for m in erick.post_many(["a", "b"])] == [[1, "lobby", "Erick", "a"], [2, "lobby", "Erick", "b"]]
    assert [m[6] for m in erick.post_many(["c", "d"], "k")] == ["k.0", "k.1"]
    assert [m[0] for m in erick.post_many(["c", "d"], "k")] == [3, 4]
    assert [m[6] for m in erick.post_many(["e", "f"], ["x", None])] == ["x", None]
    assert erick.post_many([]) == []


def test_found_15_a_list_under_one_key_is_whole_or_a_conflict(erick: Proxy) -> None:
    made = erick.post_many(["one"], key="k")
    for others in (["one", "two"], ["two"], ["two", "one"]):
        with pytest.raises(ValueError, match=r"^key-conflict: .*nothing was stored"):
            erick.post_many(others, key="k")
    with pytest.raises(ValueError, match=r"^key-conflict: "):
        erick.post_many(["new", "one", "other"], key=["a", "k.0", "k"])
    assert erick.post_many(["one"], key="k") == [erick.post("one", "k")] == made
    assert [m[3] for m in erick.history()] == ["one"]


def test_history_is_a_part_of_the_log(erick: Proxy) -> None:
    for start in range(0, 1_200, 600):
        erick.post_many([str(number) for number in range(start, start + 600)])
    assert [m[0] for m in erick.history()] == list(range(1, 1_001))
    assert [m[0] for m in erick.history(1_000)] == list(range(1_001, 1_201))
    assert [m[0] for m in erick.history(after=5, limit=3)] == [6, 7, 8]
    assert len(erick.history(0, 1_000_000)) == 1_000
    assert erick.history(9_999) == []


def test_found_3_a_page_of_history_has_a_mebibyte_at_most_and_one_message_at_least(
    erick: Proxy, serializer: str
) -> None:
    """As it is on the wire, where some characters need ten bytes; who pages goes on after the last that came."""
    for letter in ("x", "\x01", "\u3042", "\U000e0041"):
        for _ in range(10):
            erick.post_many([letter * (16_000 // len(letter.encode()))] * 5)
    seen: list[int] = []
    while page := erick.history(seen[-1] if seen else 0):
        assert len(serializers[serializer].dumps(page)) <= MAX_ANSWER_BYTES
        seen += [message[0] for message in page]
        assert len(page) < 200
    assert seen == list(range(1, 201))
    assert [message[0] for message in erick.history(199)] == [200]


WRONG: list[tuple[str, list[object], str]] = [
    ("post", [""], "invalid-text"),
    ("post", ["x" * 16_385], "invalid-text"),
    ("post", [5], "invalid-text"),
    ("post", [None], "invalid-text"),
    ("post", ["x", ""], "invalid-argument"),
    ("post", ["x", "k" * 65], "invalid-argument"),
    ("post", ["x", 5], "invalid-argument"),
    ("post_many", ["one text"], "invalid-argument"),
    ("post_many", [["x", ""]], "invalid-text"),
    ("post_many", [["x"] * 10_001], "batch-too-large"),
    ("post_many", [["x", "y"], ["k"]], "invalid-argument"),
    ("post_many", [["x", "y"], "k" * 60], "invalid-argument"),
    ("history", [-1], "invalid-argument"),
    ("history", ["0"], "invalid-argument"),
    ("history", [0, 0], "invalid-argument"),
    ("confirmations", [0], "invalid-argument"),
    ("confirmations", [99], "unknown-message"),
    ("mark_read", [1.5], "invalid-argument"),
    ("join", [None, ["x"]], "invalid-argument"),
]


def test_a_wrong_argument_is_a_value_error_with_a_code(erick: Proxy) -> None:
    for method, arguments, code in WRONG:
        with pytest.raises(ValueError, match=f"^{code}: "):
            getattr(erick, method)(*arguments)
    assert erick.history() == []


ODD: list[object] = [
    None, True, -1, 0, 2**70, 1.5, "", "x", "\x00", "(", [], [[]], [None], ["x", []], {}, {"a": {}},
    [None, None, None, None, None], ["s", "l", 0, "zz", None], ["s", "l", 0, "00", [1, "zz", "s"]], "PYRO:x@[:1",
]  # fmt: skip


def test_found_9_whatever_the_arguments_are_they_meet_no_defect(
    server: Server, erick: Proxy, serializer: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What is told to the caller is the caller's mistake, and in its words."""
    told: list[tuple[str, list[object], str, bool]] = []
    with Proxy(f"PYRO:pyrochat.server@{server.at}") as nobody, Proxy(f"PYRO:Pyro.Daemon@{server.at}") as daemon:
        for proxy in (erick, nobody, daemon):
            proxy._pyroSerializer = serializer
            proxy._pyroBind()
            for method in sorted(proxy._pyroMethods - {"attach"}):  # takes the connection
                for odd in ODD:
                    for arguments in ([odd], [odd, odd], ["x", odd], [None, odd], [odd, 1, odd]):
                        try:
                            proxy._pyroInvoke(method, arguments, {})
                        except (ValueError, PermissionError, RuntimeError, pyro_errors.PyroError) as error:
                            told.append((method, arguments, str(error), "internal-error" not in str(error)))
                        except TypeError as error:  # of the binding, as Python words it
                            told.append((method, arguments, str(error), f"{method}()" in str(error)))
    assert [(method, arguments, said) for method, arguments, said, is_right in told if not is_right] == []
    assert len(told) > 100
    assert [record for record in caplog.records if record.exc_info] == []


def test_who_only_posts_is_no_member_and_holds_its_name(server: Server, erick: Proxy, serializer: str) -> None:
    erick.post("hi")
    assert erick.members() == []
    assert erick.confirmations(1) == [[], [], [], []]
    with (
        bare(server, "eRICK", serializer) as other,
        pytest.raises(pyro_errors.CommunicationError, match="name-taken: "),
    ):
        other.members()
    for refused in (lambda: erick.mark_read(1), erick.leave):
        with pytest.raises(PermissionError, match=r"^not-a-member: "):
            refused()


def test_a_name_that_a_chat_holds_can_not_be_posted_under(server: Server, joined: Join, serializer: str) -> None:
    joined("Ana")
    with bare(server, "ANA", serializer) as proxy, pytest.raises(pyro_errors.CommunicationError, match="name-taken: "):
        proxy.post("forged")


def test_a_callback_in_a_stock_daemon_gets_history_and_what_comes(
    joined: Join, erick: Proxy, stock_daemon: StockDaemon
) -> None:
    ana = joined("Ana")
    ana.send("before")
    member = Member()
    session_id, log_id, tail = erick.join(stock_daemon.uri(member))
    assert (type(session_id), len(log_id), tail) == (str, 36, 3)
    eventually(lambda: len(member.messages) == 3)
    message = ana.send("after")
    mine = erick.post("mine")
    eventually(lambda: len(member.messages) == 5)
    assert member.messages == erick.history()
    assert erick.members() == ["Ana", "Erick"]
    assert [m[0] for m in member.messages] == [1, 2, 3, 4, 5]
    assert mine[0] == 5
    eventually(lambda: ana.confirmations(message.id).delivered_to == {"Erick"})
    erick.mark_read(message.id)
    assert erick.confirmations(message.id) == [["Erick"], ["Erick"], [], []]
    eventually(lambda: member.marks.get("Erick") == (5, message.id))
    erick.leave()
    eventually(lambda: changes(ana.history())[-1] == "Erick left")
    assert texts(ana.history()) == ["before", "after", "mine"]


def test_what_a_callback_answers_are_its_marks(joined: Join, erick: Proxy, stock_daemon: StockDaemon) -> None:
    ana, member = joined("Ana"), Member()
    erick.join(stock_daemon.uri(member))
    first = ana.send("one")
    eventually(lambda: ana.confirmations(first.id).delivered_to == {"Erick"})
    assert ana.confirmations(first.id).read_by == set()
    member.read = first.id
    ana.send("two")
    eventually(lambda: ana.confirmations(first.id).read_by == {"Erick"})


def test_a_callback_that_is_gone_has_left_after_the_grace(
    joined: Join, erick: Proxy, stock_daemon: StockDaemon
) -> None:
    ana, member = joined("Ana"), Member()
    erick.join(stock_daemon.uri(member))
    eventually(lambda: ana.members == ["Ana", "Erick"])
    member.gone = True
    eventually(lambda: ana.members == ["Ana"])
    assert changes(ana.history()) == ["Ana joined", "Erick joined", "Erick left"]


@pytest.mark.parametrize(
    "uri",
    [
        "nonsense", "PYRONAME:callback", "PYRO:callback@./u:/tmp/socket", "PYRO:callback@localhost:1",
        "PYRO:callback@192.0.2.1:5000", "PYRO:callback@no-such-host.invalid:5000", 5, ["PYRO:x@localhost:1"],
    ],
)  # fmt: skip
def test_a_callback_that_can_not_be_used_is_refused(erick: Proxy, uri: object) -> None:
    with pytest.raises(PermissionError, match=r"^callback-unreachable: "):
        erick.join(uri)
    assert erick.members() == []
    assert erick.history() == []


def test_the_server_says_which_rooms_there_are(server: Server, serializer: str) -> None:
    with Proxy(f"PYRO:pyrochat.server@{server.at}") as proxy:
        proxy._pyroSerializer = serializer
        assert proxy.rooms() == ["lobby"]


def test_a_client_that_claims_to_have_seen_more_stops_nobody(joined: Join, erick: Proxy) -> None:
    ana = joined("Ana")
    log_id = erick.join(None)[1]
    with contextlib.suppress(RuntimeError, ValueError, PermissionError):
        erick.join(None, ["any session", log_id, 1_000_000, "00" * 32, None])
    assert ana.send("still taken", timeout=2).text == "still taken"


def test_a_member_that_claims_to_have_seen_more_stops_nobody(server: Server, joined: Join, serializer: str) -> None:
    ana = joined("Ana")
    with bare(server, "Mallory", serializer, secret="m" * 64) as mallory:
        log_id = mallory.join(None)[1]
        with pytest.raises(RuntimeError, match=r"^log-lost: "):
            mallory.join(None, ["any session", log_id, 1_000_000, "00" * 32, [1_000_000, "00" * 32, "00" * 32]])
    assert ana.send("still taken", timeout=2).text == "still taken"
