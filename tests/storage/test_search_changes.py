"""The index follows what later messages make of earlier ones: what is found is what is there now."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyrochat.core.current import About
from pyrochat.core.query import parse_query
from pyrochat.storage.search_index import SearchIndex
from pyrochat.values.message import CHAT, EDIT, REDACT, Message
from tests.core.modelling import Driven, FailingLog
from tests.core.test_current import said

MOST = 1 << 40


def found(index: SearchIndex, words: str) -> list[int]:
    return index.find(parse_query(words), MOST, 50)[0]


class Followed:
    """A room, and an index that follows it whenever it is told to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = FailingLog("lobby")
        self.room = Driven(self.log)
        self.deleted: dict[int, Message] = {}
        self.room.applier._committed = lambda transition: self.deleted.update({m.id: m for m in transition.deleted})
        self.index = SearchIndex(path, table_messages=8)
        self.upto = self.index.open(self.log)

    def follow(self, most: int = 1000, knows: bool = True) -> None:
        while batch := self.log.read(self.upto, most):
            self.index.add(batch, self.log.digest(batch[-1].id), self.deleted if knows else {})
            self.upto = batch[-1].id

    def reopen(self) -> None:
        """As after kill -9: what was deleted is known to nobody."""
        self.index.close()
        self.deleted.clear()
        self.index = SearchIndex(self.path, table_messages=8)
        self.upto = self.index.open(self.log)


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    made = Followed(tmp_path / "lobby.search")
    yield made  # type: ignore[misc]
    made.index.close()


@pytest.mark.parametrize("knows", [True, False])
def test_an_edited_text_is_found_by_its_new_words_and_a_deleted_one_not_at_all(followed: Followed, knows: bool) -> None:
    for text in ("coffee", "tea"):
        followed.room.apply(said("Ana", text))
    followed.follow()
    followed.room.apply(said("Ana", "water", EDIT, 1))
    followed.follow()
    assert (found(followed.index, "coffee"), found(followed.index, "water")) == ([], [1])
    followed.room.apply(said("Ana", "juice", EDIT, 1), said("Ana", "", REDACT, 1), said("Ana", "", REDACT, 2))
    followed.follow(knows=knows)
    assert [found(followed.index, words) for words in ("coffee", "water", "juice", "tea", "from:Ana")] == [[]] * 5
    followed.index.close()
    files = [path for path in followed.path.parent.iterdir() if path.name.startswith("lobby.search")]
    with contextlib.closing(sqlite3.connect(followed.path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for word in (b"coffee", b"water", b"juice", b"tea"):
        assert not [path for path in files if word in path.read_bytes()], word


steps = st.lists(
    st.tuples(
        st.sampled_from((CHAT, EDIT, EDIT, REDACT)),
        st.integers(1, 30),
        st.sampled_from((0, 0, 1, 3, 1000)),
        st.booleans(),
    ),
    max_size=40,
)


@settings(max_examples=100)
@given(steps)
def test_whatever_happens_when_the_index_finds_what_is_there(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int, bool]]
) -> None:
    followed = Followed(tmp_path_factory.mktemp("index") / "lobby.search")
    words: dict[int, set[str]] = {}
    try:
        for number, (kind, about, follows, is_killed) in enumerate(steps):
            word = f"word{number}"
            if kind == CHAT or (about <= followed.log.tail and followed.log.read(about - 1, 1)[0].kind == CHAT):
                target = None if kind == CHAT else about
                followed.room.apply(said("Ana", "" if kind == REDACT else word, kind, target))
                if kind != REDACT:
                    words.setdefault(target or followed.log.tail, set()).add(word)
            if is_killed:
                followed.reopen()
            if follows:
                followed.follow(follows)
        followed.follow()
        for id, ever in words.items():
            now = About(followed.log.about(id)).current(
                followed.log.read(id - 1, 1)[0], lambda id: followed.log.read(id - 1, 1)[0]
            )
            for word in ever:
                assert found(followed.index, word) == ([id] if word == now.text else []), (id, word, now)
    finally:
        followed.index.close()


def test_words_of_scripts_without_spaces_and_compatibility_forms_are_found(followed: Followed) -> None:
    for text in ("明天的会议改到三点", "東京タワーに行く", "สวัสดีครับวันนี้", "the ﬁnal cut", "Ｆｕｌｌ ｶﾀｶﾅ", "ok会议ok"):
        followed.room.apply(said("Ana", text))
    followed.follow()
    asked = {
        "会议": [6, 1], "明天": [1], "明三": [], "東京": [2], "タワー": [2], "วันนี้": [3], "final": [4], "full": [5], "カタカナ": [5],
        "ﬁnal": [4], '"会议改到"': [1], "会*": [6, 1], "三点明": [],
    }  # fmt: skip
    assert {words: found(followed.index, words) for words in asked} == asked
