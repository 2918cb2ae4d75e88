"""Totally ordered rooms whose sites are linked in memory: one order, restarts, splits, and what people are told."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pyrochat.core.graph.causal import WAITING_BYTES, Graph
from pyrochat.core.graph.event import Event
from pyrochat.core.graph.messages import Committed, Events, Record, Said, Text
from pyrochat.core.graph.oddities import NOT_SIGNED
from pyrochat.core.graph.packing import pack_message
from pyrochat.orders.lamport.proofs import is_proved, signature_of
from pyrochat.trust.keys import Key
from pyrochat.values.errors import InvalidArgument, LogUnavailable, OtherLog
from tests.orders.lamport.sites import Network, OneSite, are_equal, wait_for_view
from tests.support import Running, eventually, together


class Sites:
    """Makes the sites of one network, in folders that stay."""

    def __init__(self, folder: Path) -> None:
        self.network = Network()
        self.folder = folder
        self.made: list[OneSite] = []
        self.patience = 20.0  # of those that are started from now on

    def start(self, label: str, *peers: str) -> OneSite:
        site = OneSite(
            self.network, label, self.folder / label, [f"{peer}.lan:1" for peer in peers], patience=self.patience
        )
        self.made.append(site)
        return site

    def three(self) -> list[OneSite]:
        sites = [self.start("ana"), self.start("igor", "ana"), self.start("zoe", "ana")]
        wait_for_view(*sites)
        return sites

    def stop(self, site: OneSite) -> None:
        self.made.remove(site)
        site.stop()


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Sites]:
    made = Sites(tmp_path)
    yield made
    made.network.heal()
    for site in made.made:
        site.stop()


def test_three_sites_that_talk_at_once_have_one_order_and_equal_digests(sites: Sites) -> None:
    three = sites.three()

    def talk(site: OneSite) -> None:
        for number in range(20):
            site.say(site.label, f"{site.label} {number}")

    together([partial(talk, site) for site in three])
    eventually(lambda: are_equal(*three))
    assert len(three[0].texts()) == 60
    for site in three:
        own = [text for text in three[0].texts() if text.startswith(site.label)]
        assert own == [f"{site.label} {number}" for number in range(20)]


def test_who_comes_later_gets_all_that_was_said(sites: Sites) -> None:
    ana = sites.start("ana")
    for number in range(10):
        ana.say("Ana", f"{number}")
    igor = sites.start("igor", "ana")
    eventually(lambda: are_equal(ana, igor))
    assert igor.texts() == [f"{number}" for number in range(10)]


def test_a_site_that_comes_back_is_the_same_one_and_has_what_was_said_meanwhile(sites: Sites) -> None:
    ana, igor, zoe = sites.three()
    was = zoe.site.me
    sites.stop(zoe)
    assert ana.say("Ana", "meanwhile").text == "meanwhile"
    eventually(lambda: len(ana.site.view.members) == 2)
    zoe = sites.start("zoe", "igor")
    wait_for_view(ana, igor, zoe)
    eventually(lambda: are_equal(ana, igor, zoe))
    assert zoe.site.me == was
    assert zoe.texts() == ["meanwhile"]


def test_all_that_were_killed_at_once_go_on_with_what_they_had(sites: Sites) -> None:
    three = sites.three()
    for site in three:
        site.say(site.label, f"from {site.label}")
    tip = eventually(lambda: are_equal(*three) and three[0].tip())
    for site in three:
        sites.stop(site)
    three = [sites.start("zoe", "ana", "igor"), sites.start("igor", "zoe"), sites.start("ana", "zoe")]
    assert {site.tip() for site in three} == {tip}
    three[0].say("Zoe", "in the morning")
    eventually(lambda: are_equal(*three))


def test_when_one_falls_silent_the_room_waits_for_it_and_then_goes_on_without(sites: Sites) -> None:
    ana, igor, zoe = sites.three()
    sites.stop(ana)  # the eldest
    saying = Running(lambda: igor.say("Igor", "is anybody there?"))
    eventually(lambda: igor.trouble == "the room waits for ana")
    assert saying.result() is not None
    eventually(lambda: igor.trouble is None and are_equal(igor, zoe))
    assert "the room goes on without the site ana (2 sites)" in igor.told


def test_a_minority_numbers_nothing_and_says_so_and_all_is_one_when_the_split_has_healed(sites: Sites) -> None:
    sites.patience = 1.5
    ana, igor, zoe = sites.three()
    sites.network.split(["ana", "igor"], ["zoe"])
    eventually(lambda: zoe.trouble == "1 of 3 sites are here: your text waits")
    with pytest.raises(
        LogUnavailable, match="1 of 3 sites are here"
    ):  # who was held up itself misses nobody for a while
        zoe.say("Zoe", "lost?", "k")
    assert zoe.texts() == []
    ana.insist("Ana", "we go on", "first")
    zoe.troubles.clear()
    sites.network.heal()
    wait_for_view(ana, igor, zoe)
    eventually(lambda: zoe.trouble is None)
    assert zoe.troubles.count(None) == 1, zoe.troubles  # that all is well is said when it is
    zoe.insist("Zoe", "lost?", "k")
    eventually(lambda: are_equal(ana, igor, zoe))
    assert ana.texts() == ["we go on", "lost?"]


def test_what_is_said_in_the_moment_of_a_split_gets_one_place_however_often_it_is_said(sites: Sites) -> None:
    sites.patience = 1.5
    ana, igor, zoe = sites.three()
    sites.network.split(["ana", "igor"], ["zoe"])
    saying = Running(lambda: zoe.say("Zoe", "now", "k"))  # nobody has missed anybody yet
    with pytest.raises(LogUnavailable):
        saying.result()
    sites.network.heal()
    wait_for_view(ana, igor, zoe)
    eventually(lambda: zoe.trouble is None)
    zoe.insist("Zoe", "now", "k")
    eventually(lambda: are_equal(ana, igor, zoe))
    assert ana.texts() == ["now"]


def test_nothing_that_is_not_on_disk_is_shown_or_sent(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    sites.patience = 1.5
    ana, igor, zoe = sites.three()
    eventually(lambda: are_equal(ana, igor, zoe))
    write = igor.site.disk.write
    broken = threading.Event()
    broken.set()

    def failing(records: Sequence[Record]) -> None:
        if broken.is_set() and any(isinstance(record, Said | Event) for record in records):
            raise LogUnavailable("the disk is full")
        write(records)

    monkeypatch.setattr(igor.site.disk, "write", failing)
    saying = Running(lambda: igor.say("Igor", "not yet", "k"))
    with pytest.raises(LogUnavailable):
        saying.result()
    assert not any("not yet" in site.texts() for site in (ana, igor, zoe))
    broken.clear()
    wait_for_view(ana, igor, zoe)
    eventually(lambda: igor.trouble is None)
    igor.insist("Igor", "not yet", "k")
    eventually(lambda: are_equal(ana, igor, zoe))
    assert ana.texts() == ["not yet"]


def test_a_number_that_is_not_on_disk_is_not_shown(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    sites.patience = 1.5
    ana = sites.start("ana")
    write = ana.site.disk.write
    broken, has_failed = threading.Event(), threading.Event()
    broken.set()

    def failing(records: Sequence[Record]) -> None:
        if broken.is_set() and any(isinstance(record, Committed) for record in records):
            has_failed.set()
            raise LogUnavailable("the disk is full")
        write(records)

    monkeypatch.setattr(ana.site.disk, "write", failing)
    saying = Running(lambda: ana.say("Ana", "one"))
    assert has_failed.wait(20)
    with pytest.raises(LogUnavailable):
        saying.result()
    assert ana.texts() == []
    broken.clear()
    eventually(lambda: ana.texts() == ["one"])


def test_who_leaves_holds_nobody_up_not_even_the_eldest_of_two(sites: Sites) -> None:
    ana, igor = sites.start("ana"), sites.start("igor", "ana")
    wait_for_view(ana, igor)
    sites.made.remove(ana)
    ana.leave()
    assert igor.site.view.members == (igor.site.me,)
    assert igor.trouble is None
    assert igor.say("Igor", "alone").id == 1


def test_who_comes_back_when_nobody_is_there_whom_it_knew_is_let_in_by_the_others(sites: Sites) -> None:
    ana, igor, zoe = sites.three()
    sites.stop(zoe)
    eva = sites.start("eva", "igor")
    wait_for_view(ana, igor, eva)
    for site in (ana, igor):
        sites.made.remove(site)
        site.leave()
    eva.say("Eva", "all are gone whom Zoe knew")
    zoe = sites.start("zoe", "eva")
    wait_for_view(eva, zoe)
    eventually(lambda: are_equal(eva, zoe))


def test_a_copied_folder_is_another_site_and_loses_nothing(sites: Sites) -> None:
    ana, igor, zoe = sites.three()
    zoe.say("Zoe", "before")
    eventually(lambda: are_equal(ana, igor, zoe))
    was = zoe.site.me
    sites.stop(zoe)
    shutil.copytree(sites.folder / "zoe", sites.folder / "copy")
    shutil.rmtree(sites.folder / "zoe")
    (sites.folder / "copy").rename(sites.folder / "zoe")
    zoe = sites.start("zoe", "ana")
    assert zoe.site.me != was
    wait_for_view(ana, igor, zoe)
    zoe.say("Zoe", "after")
    eventually(lambda: are_equal(ana, igor, zoe))
    assert ana.texts() == ["before", "after"]


def test_marks_reach_all_sites_and_who_asks_a_quorum_has_heard_all(sites: Sites) -> None:
    ana, igor, zoe = sites.three()
    heard: dict[str, tuple[int, int]] = {}
    zoe.room.heard = lambda marks: heard.update(marks)  # type: ignore[method-assign]
    ana.order.tell({"ana": (3, 2)})
    ana.order.submit().wait()  # it returns when a quorum has them
    zoe.order.hear_all()
    eventually(lambda: heard.get("ana") == (3, 2))
    sites.stop(ana)
    again: dict[str, tuple[int, int]] = {}
    new = sites.start("eva", "igor")
    new.room.heard = lambda marks: again.update(marks)  # type: ignore[method-assign]
    new.order.hear_all()
    eventually(lambda: {row.label.partition(".")[0] for row in new.site.rows()} >= {ana.site.me})
    assert igor.trouble is None


def test_two_who_found_at_once_are_one_room(sites: Sites) -> None:
    starting = [Running(lambda: sites.start("ana", "igor")), Running(lambda: sites.start("igor", "ana"))]
    for one in starting:
        one.result()
    wait_for_view(*sites.made)


def test_two_who_have_founded_without_each_other_are_told_and_not_merged(sites: Sites) -> None:
    ana, igor = sites.start("ana"), sites.start("igor")
    for site in (ana, igor):
        site.say(site.label, "I am here")
    ana.links.met("igor.lan:1")
    eventually(lambda: any("another room of this name" in text for text in ana.told))
    assert len(ana.site.view.members) == 1
    assert igor.site.disk.root != ana.site.disk.root


def forged(by: Key, of: OneSite, nonce: str) -> Event:
    graph = of.site._member.ordering.graph
    event = graph.make(b"\0\0\0\1xforged")
    return replace(event, signature=signature_of(event.id, by, nonce))


def test_an_event_that_its_site_has_not_signed_is_taken_by_nobody(sites: Sites) -> None:
    ana = sites.start("ana")
    assert ana.site.disk.identity is not None
    nonce = ana.site.disk.identity.nonce
    assert is_proved(forged(ana.key, ana, nonce))
    assert not is_proved(forged(Key.made(), ana, nonce))
    good = forged(ana.key, ana, nonce)
    assert not is_proved(replace(good, signature=b""))
    assert not is_proved(replace(good, n=7, signature=good.signature))


def test_a_forged_event_that_a_site_hands_over_gets_no_number(sites: Sites) -> None:
    ana, igor = sites.start("ana"), sites.start("igor", "ana")
    wait_for_view(ana, igor)
    root, view = igor.site.disk.root, igor.site.view
    assert root is not None
    assert igor.site.disk.identity is not None
    graph = Graph(ana.site.me, view.root(root), lambda event: True)
    for event in ana.site._member.ordering.events.values():
        graph.receive([event], ana.site.me)
    event = graph.make(Text("room/forged", b"\0" * 8 + b"forged").pack())
    for signature in (b"", signature_of(event.id, igor.key, igor.site.disk.identity.nonce)):
        said = pack_message(Events((replace(event, signature=signature),)))
        ana.face.push(
            igor.key.public.hex(), root.hex(), igor.site.who().packed(), [[view.number, True, True, said]], []
        )
        assert event.id not in ana.site._member.ordering.events


class Liar:
    """What the site *igor* says to *ana* that none of ours would say."""

    def __init__(self, ana: OneSite, igor: OneSite) -> None:
        self.ana, self.igor = ana, igor
        self.view = ana.site.view
        assert ana.site.disk.root is not None
        assert igor.site.disk.identity is not None
        self.room, self.nonce = ana.site.disk.root, igor.site.disk.identity.nonce
        self.root = self.view.root(self.room)

    def event(self, n: int, text: str, parents: tuple[bytes, ...] = (), lamport: int = 0, site: str = "") -> Event:
        """Signed by igor."""
        nodes = self.ana.site._member.ordering.graph.nodes
        lamport = lamport or 1 + max((nodes[parent].lamport for parent in parents), default=0)
        body = Text(f"room/{text}", b"\0" * 8 + text.encode()).pack()
        event = Event(self.root, site or self.igor.site.me, n, lamport, parents, body)
        return replace(event, signature=signature_of(event.id, self.igor.key, self.nonce))

    def hand_over(self, *events: Event) -> None:
        said = pack_message(Events(events))
        who = self.igor.site.who().packed()
        self.ana.face.push(self.igor.key.public.hex(), self.room.hex(), who, [[self.view.number, True, True, said]], [])

    def chain(self) -> list[bytes]:
        return self.ana.site._member.ordering.graph.chains.get(self.igor.site.me, [])


@pytest.fixture
def liar(sites: Sites) -> Liar:
    ana, igor = sites.start("ana"), sites.start("igor", "ana")
    wait_for_view(ana, igor)
    igor.say("Igor", "the truth")
    eventually(lambda: are_equal(ana, igor) and ana.site.view == igor.site.view)
    return Liar(ana, igor)


@pytest.mark.parametrize(
    "which", ["a clock that is ahead", "a number of its own", "of a site that is no member", "not signed"]
)
def test_what_a_site_may_not_say_gets_no_number_and_is_told_once(liar: Liar, which: str) -> None:
    chain = liar.chain()
    n, parents = len(chain) + 1, tuple(chain[-1:])
    wrong = {
        "a clock that is ahead": liar.event(n, "x", parents, lamport=1 << 40),
        "a number of its own": liar.event(n + 5, "x", parents),
        "of a site that is no member": liar.event(1, "x", parents, site="f" * 32),
        "not signed": replace(liar.event(n, "x", parents), signature=b""),
    }[which]
    for _ in range(3):
        liar.hand_over(wrong)
    ordering = liar.ana.site._member.ordering
    assert wrong.id not in ordering.events
    assert ordering.graph.clock < 1000
    told = eventually(lambda: [text for text in liar.ana.told if "igor has handed over what is not taken here" in text])
    assert len(told) == 1
    liar.ana.say("Ana", "the room goes on")
    assert liar.ana.texts() == ["the truth", "the room goes on"]


def test_a_site_that_tells_two_stories_is_told(liar: Liar) -> None:
    chain = liar.chain()
    twins = [liar.event(len(chain) + 1, text, tuple(chain[-1:])) for text in ("yes", "no")]
    liar.hand_over(twins[0])
    liar.hand_over(twins[1])
    assert eventually(lambda: [text for text in liar.ana.told if "the site igor has told two stories" in text])
    liar.hand_over(*twins)
    assert len([text for text in liar.ana.told if "two stories" in text]) == 1


def test_what_was_said_before_may_be_said_again_and_nothing_becomes_of_it(liar: Liar) -> None:
    ordering = liar.ana.site._member.ordering
    recorded, clock = list(ordering.events.values()), ordering.graph.clock
    assert recorded
    for _ in range(3):
        liar.hand_over(*recorded)
    assert (list(ordering.events.values()), ordering.graph.clock) == (recorded, clock)
    assert not ordering.graph.forks
    assert len(ordering.final) <= len(recorded)
    liar.ana.say("Ana", "the room goes on")
    assert liar.ana.texts() == ["the truth", "the room goes on"]


def test_parents_that_do_not_exist_cost_a_bounded_share_and_are_told(liar: Liar) -> None:
    made = (liar.event(n, "x" * 2000, (n.to_bytes(32, "big"),), lamport=n) for n in range(1, 3001))
    for _ in range(30):
        liar.hand_over(*(next(made) for _ in range(100)))
    assert 0 < liar.ana.site._member.ordering.graph.waiting.size <= WAITING_BYTES
    assert eventually(lambda: [text for text in liar.ana.told if "no room for it to wait" in text])
    liar.ana.say("Ana", "the room goes on")
    assert "the room goes on" in liar.ana.texts()


@pytest.mark.parametrize("fault", ["another room", "another's id"])
def test_a_call_of_no_site_of_the_room_is_refused(sites: Sites, fault: str) -> None:
    ana, igor = sites.start("ana"), sites.start("igor", "ana")
    root, who = igor.site.disk.root, igor.site.who()
    assert root is not None
    errors: dict[str, tuple[type[Exception], Callable[[], object]]] = {
        "another room": (OtherLog, lambda: ana.face.push(igor.key.public.hex(), "00", who.packed(), [], [])),
        "another's id": (
            InvalidArgument,
            lambda: ana.face.push(Key.made().public.hex(), root.hex(), who.packed(), [], []),
        ),
    }
    error, call = errors[fault]
    with pytest.raises(error):
        call()


def test_what_waits_for_a_silent_site_is_known_at_all_others_and_in_no_log_until_it_has_its_number(
    sites: Sites,
) -> None:
    ana, igor, zoe = sites.three()
    sites.network.split(["ana", "igor"], ["zoe"])
    said = Running(lambda: igor.say("Igor", "is zoe here?"))
    eventually(lambda: ana.pending == igor.pending == ["is zoe here?"])
    assert ana.texts() == igor.texts() == []
    said.result()
    eventually(lambda: ana.texts() == ["is zoe here?"])
    eventually(lambda: ana.pending == igor.pending == [])
    sites.network.heal()
    eventually(lambda: are_equal(ana, igor, zoe))
    assert zoe.pending == []


def test_what_no_quorum_has_stays_pending_where_it_is(sites: Sites) -> None:
    """It was taken in while a quorum seemed to be there; then the others are gone."""
    sites.patience = 1.5
    ana, igor, zoe = sites.three()
    sites.network.split(["ana"], ["igor"], ["zoe"])
    said = Running(lambda: ana.say("Ana", "nobody hears me", "key"))
    eventually(lambda: ana.pending == ["nobody hears me"])
    with pytest.raises(LogUnavailable):
        said.result()
    assert ana.trouble is not None
    assert "1 of 3" in ana.trouble
    assert ana.pending == ["nobody hears me"]
    sites.network.heal()
    eventually(lambda: are_equal(ana, igor, zoe) and ana.texts() == ["nobody hears me"])
    eventually(lambda: ana.pending == [])


def test_of_two_rooms_that_were_founded_the_one_that_nobody_has_said_anything_in_is_given_up(sites: Sites) -> None:
    ana, igor = sites.start("ana"), sites.start("igor")
    given_up: dict[str, str] = {}
    for one in (ana, igor):
        one.links.give_up.then = lambda address, one=one: given_up.update({one.label: address})  # type: ignore[misc]
    ana.join("Ana")
    igor.join("Igor")
    assert (ana.site.stays(), igor.site.stays()) == (False, False)
    ana.say("Ana", "here first")
    assert ana.site.stays()
    ana.links.met(igor.at)
    igor.links.met(ana.at)
    eventually(lambda: given_up == {"igor": ana.at})
    igor.say("Igor", "no, I was")
    ana.stop()
    again = sites.start("ana")
    assert again.site.stays(), "also after a restart"
    again.links.met(igor.at)
    eventually(lambda: any("another room of this name" in text for text in again.told))
    sites.made.remove(ana)


def test_a_room_that_others_are_in_is_not_given_up(sites: Sites) -> None:
    ana, igor = sites.start("ana"), sites.start("igor")
    zoe = sites.start("zoe", "igor")
    wait_for_view(igor, zoe)
    given_up: list[str] = []
    ana.links.give_up.then = given_up.append
    ana.links.met(igor.at)
    eventually(lambda: given_up == [igor.at])
    assert igor.site.stays()
    assert zoe.site.stays()


def test_what_was_said_in_an_earlier_view_counts_after_a_restart(sites: Sites) -> None:
    ana = sites.start("ana")
    ana.say("Ana", "here first")
    igor = sites.start("igor", "ana")
    wait_for_view(ana, igor)
    sites.made.remove(igor)
    igor.leave()
    wait_for_view(ana)
    sites.stop(ana)
    assert sites.start("ana").site.stays()


def test_who_is_in_another_view_still_is_not_said_to_hand_over_what_nobody_signed(sites: Sites) -> None:
    ana, igor = sites.start("ana"), sites.start("igor", "ana")
    wait_for_view(ana, igor)
    liar = Liar(ana, igor)
    liar.root, here = b"r" * len(liar.root), liar.root
    said = pack_message(Events((liar.event(1, "x"),)))
    who = igor.site.who().packed()
    ana.face.push(igor.key.public.hex(), liar.room.hex(), who, [[liar.view.number - 1, True, True, said]], [])
    liar.root = here
    liar.hand_over(liar.event(1, "x", lamport=1 << 40))  # is told after what came before it
    told = eventually(lambda: [text for text in ana.told if "handed over" in text])
    assert not [text for text in told if NOT_SIGNED in text]
    liar.hand_over(replace(liar.event(1, "y"), signature=b""))
    eventually(lambda: [text for text in ana.told if NOT_SIGNED in text])
