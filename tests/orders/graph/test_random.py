"""Sites under random splits, lost answers and restarts: whatever is said, and wherever, all have it in the end, once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from pyrochat.trust.keys import Key
from pyrochat.values.errors import PyroChatError
from pyrochat.values.message import CHAT
from tests.orders.graph.sites import Network, OneSite
from tests.support import eventually

STEPS = 60


class Lossy(Network):
    """Loses calls, and answers to calls."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance
        self.loses = 0.1

    def reaches(self, one: str, other: str) -> bool:
        return super().reaches(one, other) and self.chance.random() >= self.loses


class Scene:
    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = random.Random(seed)
        self.network = Lossy(random.Random(seed))
        self.network.loses = 0.0
        self.folder = folder
        self.labels = ["ana", "bob", "igor", "zoe"][: self.chance.choice([3, 4])]
        self.sites: dict[str, OneSite] = {}
        self.sessions: dict[tuple[str, str], str] = {}
        self.said: list[tuple[str, str, str]] = []
        for label in self.labels:
            self.start(label)
        eventually(lambda: all(len(one.links.addresses) == len(self.labels) for one in self.sites.values()))
        self.network.loses = 0.1

    def start(self, label: str) -> None:
        folder = self.folder / label
        folder.mkdir(exist_ok=True)
        peers = [one.at for one in self.sites.values()]
        self.sites[label] = OneSite(self.network, label, folder, peers)

    def step(self, number: int) -> None:
        chance, one = self.chance, self.chance.choice(sorted(self.sites))
        site = self.sites[one]
        match chance.randrange(10):
            case 0:
                groups = [chance.randrange(2) for _ in self.labels]
                at = [f"{label}.lan:1" for label in self.labels]
                self.network.split(*([a for a, g in zip(at, groups, strict=True) if g == which] for which in (0, 1)))
            case 1:
                self.network.heal()
            case 2:
                site.close()
                self.start(one)
            case 3:
                self.come_or_go(one, chance.choice(["Ana", "Igor"]))
            case 4 | 5:
                self.remark(site)
            case _:
                key = chance.choice([None, f"k{chance.randrange(30)}"])
                text = f"{one} {number}" if key is None else f"under {key}"
                site.say("Ana", text, key=key, mark="m")

    def come_or_go(self, label: str, name: str) -> None:
        session = self.sessions.pop((label, name), None)
        if session is None:
            self.sessions[label, name] = self.sites[label].join(name, Key.made())
        else:
            self.sites[label].leave(name, session)

    def remark(self, site: OneSite) -> None:
        texts = [message for message in site.messages() if message.kind == CHAT]
        if texts:
            kind = self.chance.choice(["chat", "edit", "redact", "react"])
            text = {"redact": "", "react": "👍"}.get(kind, f"of {len(texts)}")
            try:
                site.say("Ana", text, kind=kind, about=self.chance.choice(texts).id, mark="m")
            except PyroChatError:
                assert kind in ("edit", "redact")  # it was deleted

    def end(self) -> None:
        for site in self.sites.values():
            site.close()


def facts(site: OneSite) -> list[tuple[object, ...]]:
    """What all have to have; a text that came in at two sites has either name."""
    refs = {message.id: (message.text, message.key) for message in site.messages()}
    return sorted(
        ((m.sender, m.text, m.kind, m.key, refs.get(m.about or 0), m.change) for m in site.messages()), key=repr
    )  # fmt: skip


def are_equal(sites: Sequence[OneSite]) -> bool:
    """Also of who is here; a site that has just begun again still says who was gone by then."""
    return all(
        one.order.summary().counts == sites[0].order.summary().counts
        and facts(one) == facts(sites[0])
        and sorted(one.state.present) == sorted(sites[0].state.present)
        for one in sites
    )


def differences(sites: Sequence[OneSite]) -> str:
    """What some have, and others have not."""
    of = [set(map(repr, facts(one))) for one in sites]
    return "\n".join(
        f"{one.label}: {sorted(one.state.present)}, alone: {sorted(had - set.intersection(*of))}"
        for one, had in zip(sites, of, strict=True)
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_have_the_same_in_the_end(seed: int, tmp_path: Path) -> None:
    scene = Scene(seed, tmp_path)
    try:
        for number in range(STEPS):
            scene.step(number)
        scene.network.heal()
        scene.network.loses = 0.0
        sites = list(scene.sites.values())
        eventually(lambda: are_equal(sites), 20, lambda: differences(sites))
        for one in sites:
            keys = [message.key for message in one.messages() if message.key is not None and message.kind == CHAT]
            assert len(keys) == len(set(keys)), "a text is there twice"
            assert all((message.about or 0) < message.id for message in one.messages())
    finally:
        scene.end()
