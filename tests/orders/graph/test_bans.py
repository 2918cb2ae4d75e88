"""What somebody says elsewhere who is banned here: passed on as it came, and not shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pyrochat.trust.keys import Key
from tests.orders.graph.sites import Network, OneSite
from tests.orders.graph.test_sites import equal, network, site, three
from tests.support import eventually

__all__ = ["network", "site", "three"]


def ban(one: OneSite, name: str) -> None:
    one.order.is_banned = lambda member, key: member == name


def have_equal_graphs(*sites: OneSite) -> bool:
    return len({frozenset(each.order.summary().heads) for each in sites}) == 1


def files_with(folder: Path, text: str) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_what_a_banned_name_says_elsewhere_is_passed_on_and_not_shown(
    three: list[OneSite], site: Callable[..., OneSite], network: Network
) -> None:
    ana, igor, zoe = three
    before = ana.say("Mallory", "before")
    eventually(lambda: equal(*three))
    ban(zoe, "mallory")
    hidden = ana.say("Mallory", "hidden-text")
    ana.say("Mallory", "edited", kind="edit", about=before.id)
    ana.say("Mallory", "+1", kind="react", about=before.id)
    answer = igor.say("Igor", "an answer", about=igor.by_ref(before.ref).id)
    shown = ana.say("Ana", "shown")
    eventually(lambda: equal(ana, igor))
    eventually(lambda: have_equal_graphs(*three))
    assert sorted(zoe.texts()) == ["an answer", "before", "shown"]
    network.split(["ana.lan:1", "igor.lan:1"], ["zoe.lan:1", "late.lan:1"])
    late = site("late", zoe)
    eventually(lambda: have_equal_graphs(zoe, late))
    assert late.facts() == ana.facts()  # by way of zoe only
    network.heal()
    ban(zoe, "nobody")
    again = ana.say("Mallory", "again")
    more = ana.say("Mallory", "more", kind="edit", about=hidden.id)
    eventually(lambda: equal(ana, igor, late))
    eventually(lambda: again.text in zoe.texts())
    assert {answer.text, shown.text} <= set(zoe.texts())
    assert not {hidden.text, more.text} & set(zoe.texts())


def test_a_hidden_text_that_is_deleted_is_gone_from_the_disk_too(three: list[OneSite]) -> None:
    ana, _, zoe = three
    ban(zoe, "mallory")
    text = ana.say("Mallory", "the-hidden-text")
    ana.say("Mallory", "the-hidden-text, edited", kind="edit", about=text.id)
    eventually(lambda: have_equal_graphs(*three))
    assert files_with(zoe.folder, "the-hidden-text")
    ana.say("Mallory", "", kind="redact", about=text.id)
    eventually(lambda: have_equal_graphs(*three))
    eventually(lambda: not any(files_with(each.folder, "the-hidden-text") for each in three))


def test_who_is_banned_still_deletes_what_was_shown(three: list[OneSite]) -> None:
    ana, _, zoe = three
    text = ana.say("Mallory", "shown once")
    eventually(lambda: equal(*three))
    ban(zoe, "mallory")
    ana.say("Mallory", "", kind="redact", about=text.id)
    eventually(lambda: zoe.by_ref(text.ref).is_redacted)


def test_a_banned_key_is_hidden_under_every_name_also_after_a_restart(
    three: list[OneSite], site: Callable[..., OneSite]
) -> None:
    ana, igor, zoe = three
    key = Key.made()
    ana.join("Somebody", key)
    eventually(lambda: equal(*three))
    zoe.close()
    again = site("zoe", igor)
    again.order.is_banned = lambda member, public: public == key.public.hex()
    ana.say("Somebody", "hidden")
    ana.say("Ana", "shown")
    eventually(lambda: "shown" in again.texts())
    assert "hidden" not in again.texts()
