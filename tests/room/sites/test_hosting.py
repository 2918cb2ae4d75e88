"""Sites as programs and members see them: servers of this process, linked over Pyro5 on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pyrochat import Chat, Server, host, join
from pyrochat.core.rates import Rate
from pyrochat.core.space import Storage
from pyrochat.orders.graph.links import CausalLinks, CausalTimes
from pyrochat.room.door.door import Access
from pyrochat.room.door.registry import Registry
from pyrochat.room.sites.hosting import Sites
from pyrochat.storage.archiving import archive
from pyrochat.storage.log_file import log_path
from pyrochat.storage.repairing import repair
from pyrochat.terminal.commands import ChatCommand, answer, say
from pyrochat.terminal.lines import PlainLines
from pyrochat.values.errors import (
    CannotHost,
    InvalidArgument,
    NewRoomsRefused,
    NotYours,
    UnknownMessage,
    WrongPassword,
)
from tests.support import QUICK, QUICK_PACE, eventually

QUICK_LINKS = CausalTimes(tick_seconds=0.1, retry_seconds=0.1, most_retry_seconds=0.2, silent_seconds=0.5)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts the site of the label that is given; all are closed at the end."""
    servers: list[Server] = []

    def start_(label: str, *peers: Server, password: str | None = None, **options: Any) -> Server:
        sites = Sites(label, [peer.at for peer in peers], password, False, 0.3, QUICK_LINKS)
        given: dict[str, Any] = {"timing": QUICK, "pace": QUICK_PACE, "look_seconds": 0.05, "access": Access(password)}
        servers.append(Server(["lobby"], tmp_path / label, nameserver=False, sites=sites, **given | options))
        return servers[-1]

    yield start_
    for server in servers:
        server.close()


@pytest.fixture
def two(start: Callable[..., Server]) -> tuple[Server, Server]:
    erick = start("erick")
    return erick, start("igor", erick)


def texts(chat: Chat) -> list[str]:
    return [message.text for message in chat.history() if message.kind == "chat"]


def test_members_of_two_sites_are_in_one_room(two: tuple[Server, Server]) -> None:
    with join("Erick", at=two[0].at) as erick, join("Igor", at=two[1].at) as igor:
        eventually(lambda: "Igor" in erick.members)  # who comes later is in no confirmations
        message = erick.send("olá")
        assert message.ref == "erick.2"
        eventually(lambda: texts(igor) == ["olá"])
        there = next(one for one in igor.history() if one.ref == message.ref)
        answer = igor.send("oi", about=there.id)
        eventually(lambda: texts(erick) == ["olá", "oi"])
        here = next(one for one in erick.history() if one.ref == answer.ref)
        assert here.about == message.id
        eventually(lambda: erick.members == ["Erick", "Igor"])
        assert sorted(igor.members) == ["Erick", "Igor"]
        igor.mark_read(there.id)
        eventually(lambda: erick.confirmations(message.id).read_by == {"Igor"})
        erick.edit(message.id, "olá!")
        eventually(lambda: igor.current(there.id).text == "olá!")
        igor.react(there.id, "👍")
        eventually(lambda: erick.current(message.id).reactions == {"👍": {"Igor"}})
        erick.redact(message.id)
        eventually(lambda: igor.current(there.id).text is None)


def test_other_sites_fill_no_more_of_the_disk_than_the_room_may_have(
    start: Callable[..., Server], tmp_path: Path
) -> None:
    erick = start("erick", rate=Rate(0))
    igor = start("igor", erick, storage=Storage(room_bytes=1 << 20))
    told: list[str] = []
    with join("Erick", at=erick.at) as writer, join("Igor", at=igor.at) as reader:
        reader.on_notice(told.append)
        for number in range(16):
            writer.send_many([f"{number} {'x' * 16_000}"] * 20)  # 5 MB
        eventually(
            lambda: any("is not taken here until there is room: the room is full (1 MiB)" in text for text in told)
        )
        assert len(texts(reader)) < 80
        assert log_path(tmp_path / "igor", "lobby").stat().st_size < 1_800_000


def test_who_is_banned_at_one_site_is_heard_at_the_others_only(
    two: tuple[Server, Server], start: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("PYROCHAT_CONFIG_DIR", str(tmp_path / "somebody else"))  # a ban is of the key, too
        mallory = join("Mallory", at=two[0].at)
    with (
        mallory,
        join("Igor", at=two[1].at) as igor,
        join("Zoe", at=start("zoe", two[0]).at) as zoe,
    ):
        mallory.send("before")
        eventually(lambda: texts(igor) == texts(zoe) == ["before"])
        with closing(Registry(tmp_path / "igor")) as operator:
            operator.ban("Mallory")
        sites = two[1]._sites
        assert sites is not None
        eventually(lambda: "mallory" in sites.bans[0])
        mallory.send("a rude word")
        eventually(lambda: "a rude word" in texts(zoe))
        zoe.send("an answer")
        eventually(lambda: "an answer" in texts(igor))
        assert texts(igor) == ["before", "an answer"]
        assert igor.search("rude") == []
        with closing(Registry(tmp_path / "igor")) as operator:
            operator.unban("Mallory")
        eventually(lambda: "mallory" not in sites.bans[0])
        mallory.send("polite again")
        eventually(lambda: texts(igor)[-1] == "polite again")


def test_who_leaves_one_site_and_is_at_another_stays_in_the_view(two: tuple[Server, Server]) -> None:
    with join("Igor", at=two[1].at) as igor:
        with join("Erick", at=two[0].at), join("Erick", at=two[1].at):
            eventually(lambda: [m.text for m in igor.history()].count("Erick joined") == 2)
        eventually(lambda: [m.text for m in igor.history()].count("Erick left") == 2)
        assert igor.members == ["Igor"]


def test_a_site_goes_on_alone_and_both_have_all_when_they_meet_again(
    start: Callable[..., Server], two: tuple[Server, Server]
) -> None:
    with join("Erick", at=two[0].at) as erick:
        erick.send("before")
        with join("Igor", at=two[1].at) as igor:
            eventually(lambda: texts(igor) == ["before"])
        two[1].close()
        notices: list[str] = []
        erick.on_notice(notices.append)
        erick.send("alone")
        eventually(lambda: any("igor is not heard of" in notice for notice in notices))
        again = start("igor", two[0])
        with join("Igor", at=again.at) as igor:
            igor.send("here again")
            eventually(lambda: texts(igor) == ["before", "alone", "here again"])
            eventually(lambda: texts(erick) == ["before", "alone", "here again"])


def test_a_name_that_was_heard_of_is_kept_for_its_key(two: tuple[Server, Server], tmp_path: Path) -> None:
    with join("Erick", at=two[0].at), join("Igor", at=two[1].at) as igor:
        eventually(lambda: "Erick" in igor.members)
        eventually(lambda: two[1]._registry.key_of("erick") is not None)


def test_a_site_needs_the_rooms_password(start: Callable[..., Server]) -> None:
    erick = start("erick", password="open sesame")
    with pytest.raises(WrongPassword):
        start("igor", erick)
    igor = start("bob", erick, password="open sesame")
    with join("Igor", at=igor.at, password="open sesame") as chat:
        chat.send("in")


def test_with_tls_sites_speak_tls(start: Callable[..., Server]) -> None:
    erick = start("erick", tls=True)
    igor = start("igor", erick, tls=True)
    with (
        join("Igor", at=igor.at, fingerprint=igor.fingerprint) as chat,
        join("Erick", at=erick.at, fingerprint=erick.fingerprint) as other,
    ):
        chat.send("olá")
        eventually(lambda: texts(other) == ["olá"])


def test_what_a_site_does_not_offer_is_refused_with_one_line(start: Callable[..., Server], tmp_path: Path) -> None:
    server = start("erick")
    with join("Erick", at=server.at) as chat:
        message = chat.send("olá")
        with pytest.raises(NewRoomsRefused, match="no direct rooms"):
            chat.direct("Igor")
        with pytest.raises(NewRoomsRefused):
            chat.create_room("another")
    with pytest.raises(NotYours, match="by its author"):
        server._rooms.redact("lobby", message.id)
    server.close()
    with pytest.raises(CannotHost, match="order causal, not local"):
        host("lobby", data=tmp_path / "erick", nameserver=False)
    with host("lobby", data=tmp_path / "plain", nameserver=False):
        pass
    with pytest.raises(CannotHost, match="order local, not causal"):
        host("lobby", data=tmp_path / "plain", nameserver=False, order="causal")


@pytest.mark.parametrize(
    "options", [{"order": "no"}, {"peers": ["a:1"]}, {"site": "x"}, {"order": "causal", "site": "a b"},
                {"order": "causal", "peers": "a:1"}],
)  # fmt: skip
def test_wrong_options_are_said(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument):
        host("lobby", data=tmp_path, nameserver=False, **options)


def test_who_says_which_sites_there_are_and_which_are_not_heard_of(two: tuple[Server, Server]) -> None:
    with join("Erick", at=two[0].at) as erick:
        assert erick.is_causal
        eventually(lambda: [seen.label for seen in erick.sites()] == ["erick", "igor"])
        eventually(lambda: erick.sites()[1].seconds is not None)
        answered = answer(ChatCommand("who", ""), erick, PlainLines())
        assert answered == ["-- 1 member: Erick", "-- 2 sites: erick, igor"]
        two[1].close()
        eventually(lambda: (erick.sites()[1].seconds or 0) > 0.5)


def test_messages_are_named_by_their_names_everywhere_in_what_is_typed_and_shown(two: tuple[Server, Server]) -> None:
    with join("Erick", at=two[0].at) as erick, join("Igor", at=two[1].at) as igor:
        message = erick.send("olá")
        eventually(lambda: texts(igor) == ["olá"])
        reply = say(ChatCommand("reply", "#erick.2 oi"), igor)
        assert reply is not None
        assert igor.called(reply.about or 0) == "#erick.2"
        lines = PlainLines()
        lines.speak_of(igor)
        assert lines.message(reply).startswith("#igor.2 ")
        assert lines.message(reply).endswith(" Igor to #erick.2: oi")
        assert igor.find("erick.2") == igor.find(f"#{reply.about}")
        with pytest.raises(UnknownMessage):
            igor.find("nobody.1")
        assert erick.called(message.id) == "#erick.2"


def test_what_is_for_a_log_of_one_server_is_refused_for_a_sites(start: Callable[..., Server], tmp_path: Path) -> None:
    server = start("erick")
    with join("Erick", at=server.at) as chat:
        chat.send("olá")
    server.close()
    path = log_path(tmp_path / "erick", "lobby")
    with pytest.raises(CannotHost, match="begins no new log"):
        archive(path, "lobby")
    copy = tmp_path / "copy.sqlite3"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(CannotHost, match="the other sites give it"):
        repair(path, "lobby", copy, lambda done, total: None)


def links_of(server: Server) -> CausalLinks:
    assert server._sites is not None
    return server._sites._links["lobby"]


def test_two_who_founded_the_room_and_said_nothing_yet_are_in_one_when_they_meet(start: Callable[..., Server]) -> None:
    erick, igor = start("erick"), start("igor")
    with join("Erick", at=erick.at), join("Igor", at=igor.at):
        links_of(igor).met(erick.at)
        eventually(lambda: links_of(igor).order.root == links_of(erick).order.root)
    with join("Erick", at=erick.at) as there, join("Igor", at=igor.at) as here:
        there.send("in one room")
        eventually(lambda: texts(here) == ["in one room"])


def test_who_has_said_nothing_gives_the_room_up_for_one_with_texts(start: Callable[..., Server]) -> None:
    erick, igor = start("erick"), start("igor")
    with join("Erick", at=erick.at) as there:
        there.send("was here first")
        with join("Igor", at=igor.at):
            links_of(erick).met(igor.at)
            links_of(igor).met(erick.at)
            eventually(lambda: list((igor.data / "rooms").glob("lobby-before-*")))
        with join("Igor", at=igor.at) as here:
            eventually(lambda: texts(here) == ["was here first"])
            here.send("and now I am")
            eventually(lambda: texts(there) == ["was here first", "and now I am"])
