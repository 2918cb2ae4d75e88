"""Sites under random splits, lost answers, kills and restarts: one order at every moment, and what was acknowledged is in it, once."""

from __future__ import annotations

import itertools
import random
import threading
from pathlib import Path

import pytest

from pyrochat.values.errors import PyroChatError
from pyrochat.values.message import Message
from tests.orders.lamport.sites import Network, OneSite, are_equal, wait_for_view
from tests.support import eventually

STEPS = 40
LABELS = ["ana", "bob", "igor", "zoe"]


class Lossy(Network):
    """Loses calls, and answers to calls."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = random.Random(seed)
        self.loses = 0.0

    def reaches(self, one: str, other: str) -> bool:
        return super().reaches(one, other) and self.chance.random() >= self.loses


class Scene:
    """Faults come in steps; a thread at each site says something all the time."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = random.Random(seed)
        self.network = Lossy(seed)
        self.folder = folder
        self.sites: dict[str, OneSite] = {}
        self.acknowledged: dict[str, Message] = {}
        self.over = threading.Event()
        for label in LABELS:
            self.start(label)
        wait_for_view(*self.sites.values())
        self.network.loses = 0.05
        self.threads = [threading.Thread(target=self.talk, args=(label,), daemon=True) for label in LABELS]
        for thread in self.threads:
            thread.start()

    def start(self, label: str) -> None:
        peers = [f"{other}.lan:1" for other in LABELS if other != label] if self.sites else []
        self.sites[label] = OneSite(self.network, label, self.folder / label, peers)

    def talk(self, label: str) -> None:
        number = 0
        while not self.over.wait(0.01):
            number += 1
            text = f"{label} {number}"
            while not self.over.is_set():  # under its key, until it is known
                try:
                    self.acknowledged[text] = self.sites[label].say(label, text, key=text)
                    break
                except PyroChatError:
                    self.over.wait(0.05)

    def step(self) -> None:
        chance = self.chance
        match chance.randrange(4):
            case 0 | 1:
                groups = {label: chance.randrange(2) for label in LABELS}
                self.network.split(*([label for label in LABELS if groups[label] == which] for which in (0, 1)))
            case 2:
                self.network.heal()
            case 3:
                label = chance.choice(LABELS)
                self.sites[label].stop()
                self.start(label)

    def check(self) -> None:
        """What one shows is the beginning of what another shows."""
        logs = sorted(([(m.id, m.text) for m in one.log.read(0, 100_000)] for one in self.sites.values()), key=len)
        for shorter, longer in itertools.pairwise(logs):
            assert longer[: len(shorter)] == shorter

    def end(self) -> None:
        self.over.set()
        self.network.heal()
        self.network.loses = 0.0
        for thread in self.threads:
            thread.join(20)


@pytest.mark.parametrize("seed", [1, 2])
def test_there_is_one_order_whatever_happens(seed: int, tmp_path: Path) -> None:
    scene = Scene(seed, tmp_path)
    pause = threading.Event()
    try:
        for _ in range(STEPS):
            scene.step()
            scene.check()
            pause.wait(scene.chance.random() * 0.4)
        scene.end()
        sites = list(scene.sites.values())
        wait_for_view(*sites)
        eventually(lambda: are_equal(*sites), 20)
        texts = sites[0].texts()
        assert len(texts) == len(set(texts)), "a text is there twice"
        for text, message in scene.acknowledged.items():
            assert texts[message.id - 1] == text
        assert scene.acknowledged
        for label in LABELS:  # each author's in their order
            own = [int(text.partition(" ")[2]) for text in texts if text.startswith(label)]
            assert own == sorted(own)
    finally:
        scene.end()
        for site in scene.sites.values():
            site.stop()
