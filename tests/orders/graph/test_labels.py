"""Sites that were let in under one label by sites that did not know of each other: what people see is the same everywhere."""

from __future__ import annotations

from collections.abc import Callable

from pyrochat.core.namesakes import Namesakes
from pyrochat.trust.keys import Key
from tests.orders.graph.sites import Network, OneSite
from tests.orders.graph.test_sites import equal, network, site
from tests.support import eventually

__all__ = ["network", "site"]


def two_of_one_label(site: Callable[..., OneSite], network: Network) -> list[OneSite]:
    """ana, igor, and two sites that were let in by them as "erick" while nothing went between them. The split goes on."""
    ana = site("ana")
    igor = site("igor", ana)
    eventually(lambda: igor.order.summary().counts == ana.order.summary().counts)
    network.split([ana.at, "one.lan:1"], [igor.at, "other.lan:1"])
    one, other = site("one", ana, wanted="erick"), site("other", igor, wanted="erick")
    return [ana, igor, one, other]


def test_two_sites_of_one_label_are_told_apart_and_what_was_shown_stays(
    site: Callable[..., OneSite], network: Network
) -> None:
    ana, igor, one, other = sites = two_of_one_label(site, network)
    before, elsewhere = one.say("Erick", "mine"), other.say("Erick", "another's")
    assert before.ref == elsewhere.ref == "erick.1"
    eventually(lambda: ana.texts() == ["mine"] and igor.texts() == ["another's"])
    network.heal()
    eventually(lambda: all(len(each.texts()) == 2 for each in sites))
    labels = {each.state.site.label for each in (one, other) if each.state.site is not None}
    assert labels == {f"erick~{each.order.site.id[:6]}" for each in (one, other) if each.order.site is not None}
    assert ana.by_ref("erick.1").text == "mine"
    assert igor.by_ref("erick.1").text == "another's"
    after = one.say("Erick", "after")
    assert after.ref is not None
    assert one.order.site is not None
    assert after.ref == f"{one.order.site.label}.2"
    eventually(lambda: all(after.text in each.texts() for each in sites))
    assert {each.by_ref(after.ref).text for each in sites} == {"after"}
    for each in sites:
        refs = [message.ref for message in each.messages()]
        assert len(set(refs)) == len(refs) == 3
        assert sum("another site was let in under the label erick" in text for text in each.told) >= 1
    late = site("late", ana)
    eventually(lambda: len(late.texts()) == 3)
    assert {str(m.ref).partition(".")[0] for m in late.messages()} == labels


def test_the_label_is_kept_over_a_restart(site: Callable[..., OneSite], network: Network) -> None:
    _, igor, one, other = two_of_one_label(site, network)
    network.heal()
    eventually(lambda: "~" in (one.order.site.label if one.order.site else ""))
    eventually(lambda: "~" in (other.order.site.label if other.order.site else ""))
    assert one.order.site is not None
    label = one.order.site.label
    one.close()
    again = OneSite(network, "one", one.folder, [igor.at], wanted="erick")
    try:
        assert again.say("Erick", "again").ref == f"{label}.1"
    finally:
        again.close()


def test_who_has_come_before_the_label_was_anothers_too_keeps_the_key(
    site: Callable[..., OneSite], network: Network
) -> None:
    ana, _, one, other = sites = two_of_one_label(site, network)
    keys = [Key.made(), Key.made()]
    one.join("Erick", keys[0])
    other.join("Erick", keys[1])
    network.heal()
    eventually(lambda: equal(*sites) or all(len(each.texts()) == 2 for each in sites))
    message = one.say("Erick", "after")
    eventually(lambda: message.text in ana.texts())
    namesakes = Namesakes()
    namesakes.take(ana.messages())
    assert namesakes.shown(ana.by_ref(message.ref)) == f"Erick·{keys[0].public.hex()[:4]}"
