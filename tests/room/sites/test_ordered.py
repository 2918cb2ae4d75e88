"""Sites of a totally ordered room as programs and members see them: servers of this process, linked over Pyro5 on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyrochat import Chat, Server, host, join
from pyrochat.orders.lamport.links import Links
from pyrochat.orders.lamport.site import SiteTimes
from pyrochat.room.door.door import Access
from pyrochat.room.sites.hosting import Sites
from pyrochat.room.sites.ordered import OrderedSites
from pyrochat.storage.member_disk import SqliteMemberDisk
from pyrochat.terminal.commands import ChatCommand, answer
from pyrochat.terminal.lines import PlainLines
from pyrochat.trust.keys import Key
from pyrochat.values.errors import (
    CannotHost,
    InvalidArgument,
    NameTaken,
    NewRoomsRefused,
    NotYours,
    OtherLog,
    VersionMismatch,
    WrongPassword,
)
from tests.support import QUICK, QUICK_PACE, eventually

QUICK_SITES = SiteTimes(tick_seconds=0.1, silent_seconds=1.0, told_seconds=0.5)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts the site of the label that is given; all are closed at the end."""
    servers: list[Server] = []

    def start_(
        label: str, *peers: Server, password: str | None = None, kind: type[Sites] = OrderedSites, wanted: str = "",
        **options: Any,
    ) -> Server:  # fmt: skip
        sites = kind(wanted or label.partition("-")[0], [peer.at for peer in peers], password, False, 0.3)
        if isinstance(sites, OrderedSites):
            sites.pace = QUICK_SITES
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


def test_members_of_two_sites_are_in_one_room_with_equal_ids(two: tuple[Server, Server]) -> None:
    with join("Erick", at=two[0].at) as erick, join("Igor", at=two[1].at) as igor:
        message = erick.send("olá")
        assert message.ref is None  # the id is its name everywhere
        eventually(lambda: texts(igor) == ["olá"])
        igor.send("oi", about=message.id)
        eventually(lambda: erick.history() == igor.history())
        assert sorted(erick.members) == sorted(igor.members) == ["Erick", "Igor"]
        igor.mark_read(message.id)
        eventually(lambda: erick.confirmations(message.id).read_by == {"Igor"})
        erick.edit(message.id, "olá!")
        eventually(lambda: igor.current(message.id).text == "olá!")
        with pytest.raises(NotYours):
            igor.redact(message.id)
        erick.redact(message.id)
        eventually(lambda: igor.current(message.id).text is None)
        assert [seen.label for seen in erick.sites()] == ["erick", "igor"]


def test_a_deleted_text_is_in_no_file_of_any_site_nor_does_a_newcomer_get_it(
    two: tuple[Server, Server], start: Callable[..., Server], tmp_path: Path
) -> None:
    def files() -> list[Path]:
        return [path for path in tmp_path.rglob("*") if path.is_file() and b"xsecretx" in path.read_bytes()]

    with join("Erick", at=two[0].at) as erick, join("Igor", at=two[1].at) as igor:
        message = erick.send("xsecretx one")
        erick.edit(message.id, "xsecretx two")
        eventually(lambda: igor.current(message.id).text == "xsecretx two")
        assert {path.relative_to(tmp_path).parts[0] for path in files()} >= {"erick", "igor"}
        erick.redact(message.id)
        eventually(lambda: igor.current(message.id).text is None)
        eventually(lambda: not files())
        with join("Zoe", at=start("zoe", two[1]).at) as zoe:
            stays = erick.send("what stays")
            eventually(lambda: zoe.history() == erick.history())
            assert texts(zoe) == ["", stays.text]
            assert zoe.current(message.id).is_redacted
        assert not files()


def test_a_site_knows_who_is_at_it_and_shows_the_sites(two: tuple[Server, Server]) -> None:
    with join("Erick", at=two[0].at) as erick, join("Igor", at=two[1].at):
        eventually(lambda: len(erick.members) == 2)
        [status] = two[0].status()
        assert {session.name: session.is_here for session in status.sessions} == {"Erick": True, "Igor": False}
        shown = answer(ChatCommand("who", ""), erick, PlainLines())
        assert shown[0] == "-- 2 members: Erick, Igor"
        assert shown[1].startswith("-- 2 sites: erick")


def test_a_member_may_be_at_two_sites_and_leaves_with_the_last(two: tuple[Server, Server]) -> None:
    with join("Igor", at=two[1].at) as igor:
        with join("Erick", at=two[0].at):
            with join("Erick", at=two[1].at):
                pass
            assert sorted(igor.members) == ["Erick", "Igor"]
        eventually(lambda: igor.members == ["Igor"])
        assert [m.text for m in igor.history()].count("Erick joined") == 1


def test_a_name_belongs_to_one_key_at_all_sites(
    two: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with join("Erick", at=two[0].at):
        monkeypatch.setenv("PYROCHAT_CONFIG_DIR", str(tmp_path / "somebody else"))
        with pytest.raises(NameTaken):
            join("Erick", at=two[1].at)


def test_a_site_that_is_started_again_goes_on(start: Callable[..., Server]) -> None:
    erick = start("erick")
    igor = start("igor", erick)
    with join("Igor", at=igor.at) as chat:
        chat.send("before")
    igor.close()
    with join("Erick", at=erick.at) as chat:
        chat.send("meanwhile")
    again = start("igor", erick)
    with join("Igor", at=again.at) as chat:
        assert texts(chat) == ["before", "meanwhile"]
        assert chat.send("after").id == len(chat.history())


def test_who_is_at_a_site_that_is_gone_is_suspected_and_then_has_left(start: Callable[..., Server]) -> None:
    erick = start("erick")
    igor, zoe = start("igor", erick), start("zoe", erick)
    with join("Erick", at=erick.at) as chat, join("Zoe", at=zoe.at):
        eventually(lambda: len(chat.members) == 2)
        sites = zoe._sites
        assert isinstance(sites, OrderedSites)
        assert sites._site is not None
        assert sites._net is not None
        sites._net.close()  # as if its machine was gone
        sites._site.close()
        eventually(lambda: chat.members == ["Erick"], 20)
        assert chat.send("two of us")
    assert igor.rooms == ["lobby"]


def test_the_password_of_a_room_keeps_other_sites_out(start: Callable[..., Server]) -> None:
    erick = start("erick", password="sesame")
    with pytest.raises(WrongPassword):
        start("igor", erick)
    igor = start("zoe", erick, password="sesame")
    with join("Zoe", at=igor.at, password="sesame") as chat:
        assert chat.send("in").id


def test_a_site_of_a_causal_room_is_no_site_of_this_one(start: Callable[..., Server]) -> None:
    ordered, causal = start("erick"), start("igor", kind=Sites)
    with pytest.raises(CannotHost, match="causal"):
        start("zoe", causal)
    with pytest.raises(VersionMismatch, match="totally ordered"):
        start("eva", ordered, kind=Sites)


def test_what_a_site_does_not_do_is_refused(start: Callable[..., Server], tmp_path: Path) -> None:
    server = start("erick")
    with join("Erick", at=server.at) as chat, pytest.raises(NewRoomsRefused):
        chat.create_room("other")
    with pytest.raises(InvalidArgument, match="one room"):
        host(["a", "b"], tmp_path / "x", order="lamport", nameserver=False)
    with pytest.raises(InvalidArgument, match="none that members create"):
        host("a", tmp_path / "y", order="lamport", nameserver=False, new_rooms="members")


def test_a_program_hosts_a_site(start: Callable[..., Server], tmp_path: Path) -> None:
    erick = start("erick")
    options: dict[str, Any] = {"order": "lamport", "peers": [erick.at], "site": "igor", "nameserver": False}
    with host("lobby", tmp_path / "igor", **options) as igor, join("Igor", at=igor.at) as chat:
        assert chat.send("olá").id
        assert Key.kept_at(tmp_path / "igor" / "server-key.pem")


def net_of(server: Server) -> Links:
    assert isinstance(server._sites, OrderedSites)
    assert server._sites._net is not None
    return server._sites._net


def test_two_who_founded_the_room_and_said_nothing_yet_are_in_one_when_they_meet(start: Callable[..., Server]) -> None:
    erick, igor = start("erick"), start("igor")
    roots = sorted([net_of(erick).site.disk.root, net_of(igor).site.disk.root])  # type: ignore[type-var]
    with join("Erick", at=erick.at), join("Igor", at=igor.at):
        net_of(igor).met(erick.at)
        eventually(lambda: net_of(igor).site.disk.root == net_of(erick).site.disk.root == roots[0])
    for server in (erick, igor):
        eventually(lambda server=server: server._sites._is_open)
    with join("Erick", at=erick.at) as there, join("Igor", at=igor.at) as here:
        there.send("in one room")
        eventually(lambda: texts(here) == ["in one room"])
        here.send("so it is")
        eventually(lambda: there.history() == here.history())


def test_who_has_said_nothing_gives_the_room_up_for_one_with_texts_and_keeps_its_log(
    start: Callable[..., Server],
) -> None:
    erick, igor = start("erick"), start("igor")
    with join("Erick", at=erick.at) as there:
        there.send("was here first")
        with join("Igor", at=igor.at) as before:
            net_of(erick).met(igor.at)
            net_of(igor).met(erick.at)
            eventually(lambda: isinstance(before.refusal, OtherLog), 20)
        for folder in ("rooms", "lamport/lobby"):
            assert list((igor.data / folder).glob("lobby-before-*.sqlite3"))
        with join("Igor", at=igor.at) as here:
            eventually(lambda: texts(here) == ["was here first"])
            here.send("and now I am")
            eventually(lambda: texts(there) == ["was here first", "and now I am"])
    igor.close()
    with join("Igor", at=start("igor", erick).at) as again:
        assert texts(again) == ["was here first", "and now I am"]


def test_two_who_have_both_said_something_stay_two_rooms_and_are_told(start: Callable[..., Server]) -> None:
    erick, igor = start("erick"), start("igor")
    with join("Erick", at=erick.at) as there, join("Igor", at=igor.at) as here:
        told: list[str] = []
        there.on_notice(told.append)
        here.on_notice(told.append)
        there.send("one")
        here.send("two")
        net_of(erick).met(igor.at)
        net_of(igor).met(erick.at)
        eventually(lambda: sum("another room of this name" in text for text in told) == 2)
        assert (texts(there), texts(here)) == (["one"], ["two"])


def test_who_was_let_in_by_a_room_that_is_given_up_meanwhile_comes_into_the_other(start: Callable[..., Server]) -> None:
    """It has the root of a room that nobody has any more, and is in no view of it."""
    erick, igor = start("erick"), start("igor")
    with join("Erick", at=erick.at) as there:
        there.send("was here first")
        left = net_of(igor)
        root = left.site.disk.root
        net_of(igor).met(erick.at)
        eventually(lambda: net_of(igor).site.disk.root != root)
        assert root is not None
        disk = SqliteMemberDisk(_folder(igor.data.parent / "zoe") / "sites.sqlite3", "lobby")
        disk.adopt(root, left.site.new_identity()._replace(id="0" * 64))
        disk.close()
        with join("Zoe", at=start("zoe", igor).at) as zoe:
            eventually(lambda: texts(zoe) == ["was here first"])


def _folder(data: Path) -> Path:
    folder = data / "lamport" / "lobby"
    folder.mkdir(parents=True)
    return folder


def test_sites_that_want_one_label_get_different_ones_and_the_same_at_all_sites(start: Callable[..., Server]) -> None:
    first = start("root-1")
    servers = [first, start("root-2", first), start("root-3", first)]

    def labels(server: Server) -> dict[str, str]:
        return {seen.at: seen.label for seen in net_of(server).seen()}

    eventually(lambda: all(len(labels(server)) == 3 for server in servers))
    eventually(lambda: sorted(labels(first).values()) == ["root", "root~2", "root~3"])
    eventually(lambda: all(labels(server) == labels(first) for server in servers))
    before = labels(servers[1])
    assert before[first.at] == "root"
    first.close()
    with join("Erick", at=servers[1].at) as erick:
        erick.send("without the first")
        assert [seen.label for seen in erick.sites()] == [before[server.at] for server in servers[1:]]
    servers[1].close()
    renamed = start("root-2", servers[2], wanted="eva")
    eventually(lambda: labels(renamed)[renamed.at] == labels(servers[2]).get(renamed.at) == "eva")
