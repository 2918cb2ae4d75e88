"""Sites of one causal room, each with a log of its own: equal sets, causes first, once, and what becomes of what was lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyrochat.core.commands import Post
from pyrochat.core.digests import commitment
from pyrochat.core.graph.bodies import Body, Said, encode_body
from pyrochat.core.graph.causal import WAITING_BYTES
from pyrochat.core.graph.event import Event
from pyrochat.core.graph.record import Told
from pyrochat.orders.graph.signing import signed
from pyrochat.orders.graph.wire import told_from_wire, told_to_wire
from pyrochat.storage.site_log import SqliteSiteLog
from pyrochat.trust.keys import Key
from pyrochat.trust.salts import new_salt
from pyrochat.values.errors import CannotHost, InvalidArgument, LogUnavailable
from tests.orders.graph.sites import Network, OneSite
from tests.support import SALT, Running, eventually


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def site(network: Network, tmp_path: Path) -> Iterator[Callable[..., OneSite]]:
    """Makes sites, each with a folder; all are closed at the end."""
    made: list[OneSite] = []

    def make(label: str, *peers: OneSite, folder: Path | None = None, **options: Any) -> OneSite:
        folder = folder or tmp_path / label
        folder.mkdir(exist_ok=True)
        made.append(OneSite(network, label, folder, [peer.at for peer in peers], **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def three(site: Callable[..., OneSite]) -> list[OneSite]:
    first = site("ana")
    sites = [first, site("igor", first), site("zoe", first)]
    eventually(lambda: all(sum(link.is_up for link in one.links.links) == 2 for one in sites))
    return sites


def equal(*sites: OneSite) -> bool:
    """Whether all have the same messages, by their names."""
    return all(one.facts() == sites[0].facts() for one in sites)


def test_what_is_said_at_one_site_is_said_at_all_under_the_same_name(three: list[OneSite]) -> None:
    ana, igor, zoe = three
    ana.join("Ana")
    message = ana.say("Ana", "olá")
    assert message.ref == "ana.2"
    eventually(lambda: "olá" in igor.texts() and "olá" in zoe.texts())
    answer = igor.say("Igor", "oi", about=igor.by_ref("ana.2").id)
    eventually(lambda: equal(*three))
    assert zoe.by_ref(answer.ref).about == zoe.by_ref("ana.2").id
    assert zoe.state.present == {"ana": "Ana"}


def test_both_parts_of_a_split_go_on_and_have_equal_sets_when_it_has_healed(
    three: list[OneSite], network: Network
) -> None:
    ana, igor, zoe = three
    ana.say("Ana", "before")
    eventually(lambda: equal(*three))
    network.split([ana.at], [igor.at, zoe.at])
    for turn in range(20):
        ana.say("Ana", f"here {turn}")
        question = igor.say("Igor", f"there {turn}?")
        eventually(lambda turn=turn: f"there {turn}?" in zoe.texts())
        zoe.say("Zoe", f"there {turn}!", about=zoe.by_ref(question.ref).id)
    assert not equal(ana, igor)
    network.heal()
    eventually(lambda: equal(*three))
    assert len(ana.texts()) == 61
    for one in three:
        place = {text: number for number, text in enumerate(one.texts())}
        assert all(place[f"there {turn}?"] < place[f"there {turn}!"] for turn in range(20))


def test_a_site_that_was_away_says_how_long_and_how_much_it_missed(three: list[OneSite], network: Network) -> None:
    ana, igor, _ = three
    ana.say("Ana", "before")
    eventually(lambda: equal(*three))
    network.split([ana.at], [igor.at, three[2].at])
    eventually(lambda: any("not heard of" in text and "igor" in text for text in ana.told))
    igor.say("Igor", "meanwhile")
    network.heal()
    back = eventually(lambda: [text for text in ana.told if "back after" in text and "igor" in text])
    assert back[0].endswith(": 1 message was written there meanwhile")
    eventually(lambda: equal(*three))


def test_who_is_here_is_the_same_everywhere_also_after_a_split(three: list[OneSite], network: Network) -> None:
    ana, igor, zoe = three
    at_ana = ana.join("Ana")
    eventually(lambda: equal(*three))
    network.split([ana.at], [igor.at, zoe.at])
    at_zoe = zoe.join("Ana")
    ana.leave("Ana", at_ana)
    network.heal()
    eventually(lambda: equal(*three))
    assert [list(one.state.present.values()) for one in three] == [["Ana"]] * 3
    zoe.leave("Ana", at_zoe)
    eventually(lambda: equal(*three))
    assert [one.state.present for one in three] == [{}] * 3
    assert sorted(text for text in ana.texts() if "Ana" in text) == ["Ana joined"] * 2 + ["Ana left"] * 2


def test_a_text_that_came_in_at_two_sites_under_one_key_is_one_message(three: list[OneSite], network: Network) -> None:
    ana, igor, zoe = three
    network.split([ana.at], [igor.at, zoe.at])
    ana.say("Ana", "once", key="k1", mark="m")
    zoe.say("Ana", "once", key="k1", mark="m")
    zoe.say("Ana", "another", key="k2", mark="m")
    ana.say("Ana", "two under one key", key="k2", mark="m")
    network.heal()
    eventually(lambda: all("two under one key" in one.texts() and "another" in one.texts() for one in three))
    eventually(lambda: all(one.order.summary().counts == ana.order.summary().counts for one in three))
    assert [sorted(one.texts()) for one in three] == [["another", "once", "two under one key"]] * 3
    reply = igor.say("Igor", "to it", about=next(m.id for m in igor.messages() if m.text == "once"))
    eventually(lambda: all("to it" in one.texts() for one in three))
    for one in three:
        about = one.by_ref(reply.ref).about
        assert one.log.read((about or 0) - 1, 1)[0].text == "once"


def test_only_the_author_edits_and_deletes_whatever_a_site_says(three: list[OneSite]) -> None:
    ana, igor, zoe = three
    text = ana.say("Ana", "mine", mark="her key")
    eventually(lambda: equal(*three))
    igor.say("Ana", "forged", kind="edit", about=igor.by_ref(text.ref).id, mark="another key")
    zoe.say("Ana", "better", kind="edit", about=zoe.by_ref(text.ref).id, mark="her key")
    eventually(lambda: "better" in ana.texts())
    eventually(lambda: zoe.order.summary().counts == ana.order.summary().counts == igor.order.summary().counts)
    assert "forged" not in ana.texts()
    assert "forged" not in zoe.texts()


def test_a_deleted_text_is_gone_at_all_sites_and_is_not_passed_on(
    three: list[OneSite], network: Network, site: Callable[..., OneSite]
) -> None:
    ana, igor, zoe = three
    text = ana.say("Ana", "a secret", mark="m")
    eventually(lambda: equal(*three))
    network.split([ana.at], [igor.at, zoe.at])
    ana.say("Ana", "", kind="redact", about=text.id, mark="m")
    igor.say("Ana", "the secret again", kind="edit", about=igor.by_ref(text.ref).id, mark="m")
    network.heal()
    eventually(lambda: equal(*three))
    late = site("bob", igor)
    eventually(lambda: equal(ana, late))
    for one in (*three, late):
        assert not any("secret" in text for text in one.texts())
        assert one.by_ref(text.ref).is_redacted


def test_a_site_that_is_started_again_goes_on_where_it_was(three: list[OneSite], site: Callable[..., OneSite]) -> None:
    ana, igor, zoe = three
    igor.say("Igor", "before")
    eventually(lambda: equal(*three))
    igor.close()
    ana.say("Ana", "while it was away")
    again = site("igor", ana)
    assert again.order.site == igor.order.site
    eventually(lambda: equal(ana, again, zoe))
    assert again.say("Igor", "after").ref == "igor.2"
    eventually(lambda: equal(ana, again, zoe))


def test_a_folder_that_was_restored_is_a_new_site_and_has_all_that_it_had_said(
    three: list[OneSite], site: Callable[..., OneSite], tmp_path: Path
) -> None:
    ana, igor, zoe = three
    session = igor.join("Igor")
    igor.say("Igor", "kept")
    igor.close()
    shutil.copytree(tmp_path / "igor", tmp_path / "backup")
    igor = site("igor", ana)
    igor.say("Igor", "after the backup")
    eventually(lambda: equal(ana, igor, zoe))
    igor.close()
    restored = site("igor", ana, folder=tmp_path / "backup")
    said = restored.say("Igor", "here again")
    assert said.ref == "igor~2.1"
    eventually(lambda: equal(ana, restored, zoe))
    assert "after the backup" in restored.texts()
    restored.leave("Igor", session)
    eventually(lambda: equal(ana, restored, zoe))
    assert [one.state.present for one in (ana, restored, zoe)] == [{}] * 3


def test_a_site_whose_folder_is_gone_is_built_anew_and_its_old_members_are_not_there_any_more(
    three: list[OneSite], site: Callable[..., OneSite], tmp_path: Path
) -> None:
    ana, igor, zoe = three
    igor.join("Igor")
    eventually(lambda: equal(*three))
    igor.close()
    (tmp_path / "igor" / "lobby.sqlite3").unlink()
    for beside in (tmp_path / "igor").glob("lobby*"):
        beside.unlink()
    anew = site("igor", ana)
    assert anew.order.site is not None
    assert anew.order.site.label == "igor~2"
    eventually(lambda: equal(ana, anew, zoe))
    assert [one.state.present for one in (ana, anew, zoe)] == [{}] * 3


def test_a_site_that_others_know_more_of_than_itself_begins_under_another_nonce(
    three: list[OneSite], site: Callable[..., OneSite], tmp_path: Path, network: Network
) -> None:
    ana, igor, zoe = three
    igor.close()
    files = {path.name: path.read_bytes() for path in (tmp_path / "igor").iterdir()}
    igor = site("igor", ana)
    igor.say("Igor", "what the disk will lose")
    eventually(lambda: equal(ana, igor, zoe))
    igor.close()
    for path in (tmp_path / "igor").glob("lobby*"):  # in the same places on the disk
        if path.name in files:
            with path.open("r+b") as file:
                file.truncate()
                file.write(files[path.name])
        else:
            path.unlink()
    again = site("igor", ana)
    eventually(lambda: again.state.site is not None and again.state.site.label == "igor~2")
    again.say("Igor", "a new self")
    eventually(lambda: equal(ana, again, zoe))
    assert "what the disk will lose" in again.texts()


def test_those_who_look_at_the_same_moment_found_one_room(site: Callable[..., OneSite], network: Network) -> None:
    places = [f"{label}.lan:1" for label in "abc"]
    starting = [
        Running(lambda label=label: site(label, *(Place(place) for place in places), seconds=2.0)) for label in "abc"
    ]
    sites: list[Any] = [running.result() for running in starting]
    assert len({one.order.root for one in sites}) == 1
    for one in sites:
        one.say("X", one.label)
    eventually(lambda: equal(*sites))


class Place:
    def __init__(self, at: str) -> None:
        self.at = at


def test_two_rooms_of_one_name_are_told_and_never_merged(site: Callable[..., OneSite], network: Network) -> None:
    ana, igor = site("ana"), site("igor")
    ana.say("Ana", "here")
    igor.say("Igor", "there")
    ana.links.met(igor.at)
    igor.links.met(ana.at)
    for one in (ana, igor):
        assert eventually(lambda one=one: [text for text in one.told if "another room of this name" in text])
    assert (ana.texts(), igor.texts()) == (["here"], ["there"])


def test_of_two_rooms_that_were_founded_the_one_without_texts_is_given_up(site: Callable[..., OneSite]) -> None:
    ana, igor = site("ana"), site("igor")
    given_up: dict[str, str] = {}
    for one in (ana, igor):
        one.links.give_up.then = lambda address, one=one: given_up.update({one.label: address})  # type: ignore[misc]
    ana.say("Ana", "here")
    ana.links.met(igor.at)
    igor.links.met(ana.at)
    eventually(lambda: given_up == {"igor": ana.at})
    assert ana.told == []


def test_marks_are_known_at_all_sites_for_each_message_by_itself(three: list[OneSite], network: Network) -> None:
    ana, igor, zoe = three
    igor.join("Igor")
    message = ana.say("Ana", "read this")
    eventually(lambda: equal(*three))
    at_igor = igor.by_ref(message.ref).id
    igor.order.tell({"igor": (at_igor, at_igor)})
    igor.order.submit().wait()
    eventually(lambda: zoe.order.readers(zoe.by_ref(message.ref).id, ["igor"])[0][1] > 0)
    unread = zoe.say("Zoe", "not this")
    eventually(lambda: equal(*three))
    assert ana.order.readers(ana.by_ref(unread.ref).id, ["igor"])[0][1] == 0
    eventually(lambda: ana.room.marks_of(["igor"])[0][1] >= ana.by_ref(message.ref).id)


def test_events_of_nobody_who_was_let_in_are_taken_by_nobody(three: list[OneSite], network: Network) -> None:
    ana, igor, _ = three
    stranger = Key.made()
    wanted = igor.order.new_admission()
    with pytest.raises(Exception, match="not let in"):
        ana.face.push(stranger.public.hex(), ana.order.root.hex(), wanted.id, [])  # type: ignore[union-attr]
    assert igor.order.site is not None
    with pytest.raises(Exception, match="not let in"):
        ana.face.push(stranger.public.hex(), ana.order.root.hex(), igor.order.site.id, [])  # type: ignore[union-attr]


def said_by(
    one: OneSite, body: Body, n: int, parents: tuple[bytes, ...], key: Key | None = None, lamport: int = 0, site: str = ""
) -> Told:  # fmt: skip
    """An event of *one*, or of *site*, signed with *key*; with the text "x" for each of its messages. lamport: what follows from
    the parents, if it is 0."""
    assert one.order.root is not None
    assert one.order.site is not None
    graph = one.order._graph
    assert graph is not None
    lamport = lamport or 1 + max(graph.nodes[parent].lamport for parent in parents)
    made = Event(one.order.root, site or one.order.site.id, n, lamport, parents, encode_body(body))
    event = signed(made, key or one.key)
    texts = tuple(("x", SALT) for _ in body.messages)
    return Told(event.root, event.site, event.n, event.lamport, event.parents, event.body, event.signature, texts)


def x(name: str = "Igor", text: str = "x") -> Said:
    return Said(name, commitment(SALT, text).hex(), 5, "chat")


def test_a_site_that_tells_two_stories_is_told_and_both_stay(three: list[OneSite]) -> None:
    ana, igor, zoe = three
    graph = igor.order._graph
    assert graph is not None
    igor.say("Igor", "one story")
    eventually(lambda: equal(*three))
    assert igor.order.site is not None
    first, _ = graph.chains[igor.order.site.id]
    other = said_by(igor, Body(1, (x(),)), 2, (first,))
    ana.order.take([other], "somebody").outcome()
    eventually(lambda: all(any("two stories" in text for text in one.told) for one in (ana, zoe)))
    eventually(lambda: all({"one story", "x"} <= set(one.texts()) for one in three))


@pytest.mark.parametrize(
    "which",
    [
        "another's signature",
        "a number of its own",
        "of the past",
        "a clock that is ahead",
        "of a site that is no member",
    ],
)
def test_what_a_site_may_not_say_is_taken_by_nobody(three: list[OneSite], which: str) -> None:
    ana, igor, zoe = three
    graph = igor.order._graph
    assert graph is not None
    assert igor.order.site is not None
    [first] = graph.chains[igor.order.site.id]
    wrong = {
        "another's signature": lambda: said_by(igor, Body(1, (x(),)), 2, (first,), Key.made()),
        "a number of its own": lambda: said_by(igor, Body(7, (x(),)), 2, (first,)),
        "of the past": lambda: said_by(igor, Body(1, (x(),)), 3, (first,)),
        "a clock that is ahead": lambda: said_by(igor, Body(1, (x(),)), 2, (first,), lamport=1 << 40),
        "of a site that is no member": lambda: said_by(igor, Body(1, (x(),)), 1, (first,), site="f" * 32),
    }
    assert zoe.order.site is not None
    for _ in range(3):
        ana.order.take([wrong[which]()], zoe.order.site.id).outcome()
    assert ana.texts() == []
    assert graph.clock < 100
    told = [text for text in ana.told if "the site zoe has handed over what is not taken here: " in text]
    assert len(told) == 1
    igor.say("Igor", "the truth")
    eventually(lambda: ana.texts() == ["the truth"])


def test_what_was_said_before_may_be_said_again_and_nothing_becomes_of_it(three: list[OneSite]) -> None:
    ana, igor, zoe = three
    session = igor.join("Igor")
    text = igor.say("Igor", "once", key="k", mark="m")
    igor.say("Igor", "", kind="redact", about=text.id, mark="m")
    igor.leave("Igor", session)
    eventually(lambda: equal(*three))
    before, clock = ana.messages(), ana.order._graph.clock  # type: ignore[union-attr]
    recorded = igor.log.told([event.id for event in igor.log.events()], 1 << 20)
    assert zoe.order.site is not None
    for _ in range(3):
        ana.order.take(recorded, zoe.order.site.id).outcome()
    assert ana.messages() == before
    assert ana.order._graph.clock == clock  # type: ignore[union-attr]


def test_parents_that_do_not_exist_cost_a_bounded_share_and_are_told(three: list[OneSite]) -> None:
    ana, igor, zoe = three
    assert ana.order.root is not None
    assert zoe.order.site is not None
    made = (
        Told(ana.order.root, zoe.order.site.id, n, n, (n.to_bytes(32, "big"),), b"x" * 2000, b"s" * 64, ())
        for n in range(1, 3001)
    )
    for _ in range(6):
        ana.order.take([next(made) for _ in range(500)], zoe.order.site.id).outcome()
    assert ana.order._graph is not None
    assert 0 < ana.order._graph.waiting.size <= WAITING_BYTES
    assert [text for text in ana.told if "zoe has handed over" in text and "no room for it to wait" in text]
    igor.say("Igor", "the room goes on")
    eventually(lambda: "the room goes on" in ana.texts())


def test_a_text_that_is_not_what_was_committed_to_is_not_taken_from_who_gives_it(three: list[OneSite]) -> None:
    ana, igor, _ = three
    assert igor.order.site is not None
    graph = igor.order._graph
    assert graph is not None
    [first] = graph.chains[igor.order.site.id]
    event = said_by(igor, Body(1, (x(text="something else"),)), 2, (first,))
    assert ana.order.root is not None
    with pytest.raises(InvalidArgument, match="committed"):
        told_from_wire(ana.order.root, told_to_wire(event))


def test_a_commit_that_fails_leaves_the_graph_as_it_is_on_disk(three: list[OneSite]) -> None:
    ana, igor, zoe = three
    append = ana.log.append

    def fail(*args: object, **options: object) -> None:
        raise LogUnavailable("the disk is full")

    ana.log.append = fail  # type: ignore[method-assign]
    with pytest.raises(LogUnavailable):
        ana.say("Ana", "not stored")
    igor.say("Igor", "while it is full")
    eventually(lambda: "while it is full" in zoe.texts())
    assert ana.texts() == []
    ana.log.append = append  # type: ignore[method-assign]
    assert ana.say("Ana", "stored").ref == "ana.1"
    eventually(lambda: equal(*three))
    assert len(ana.texts()) == 2


def test_many_texts_in_one_commit_are_a_few_events_and_few_calls(three: list[OneSite], network: Network) -> None:
    ana, _, _ = three
    texts = tuple(f"{number}" for number in range(1200))
    salts = tuple(new_salt() for _ in texts)
    ana.order.submit(Post("Ana", "ana", texts, (None,) * len(texts), salts)).wait()
    eventually(lambda: equal(*three))
    assert ana.order.site is not None
    assert ana.order.summary().counts[ana.order.site.id] <= 6


def test_who_was_killed_while_it_was_let_in_goes_on_with_that_at_the_next_start(
    site: Callable[..., OneSite], network: Network, tmp_path: Path
) -> None:
    ana = site("ana")
    ana.say("Ana", "before")
    folder = tmp_path / "igor"
    folder.mkdir()
    assert ana.order.root is not None
    log = SqliteSiteLog(folder / "lobby.sqlite3", "lobby")
    log.found(b"of a room that was never founded")
    log.close()
    igor = site("igor", ana)
    eventually(lambda: equal(ana, igor))
    igor.close()
    log = SqliteSiteLog(folder / "lobby.sqlite3", "lobby")
    with log._one_step() as db:
        db.execute("DELETE FROM site WHERE key = 'site'")
        db.execute("DELETE FROM events WHERE place > 1")
    log.close()
    (folder / "key.pem").unlink()
    network.split([ana.at])
    with pytest.raises(CannotHost, match="none of the room's sites answers"):
        site("igor", ana)
