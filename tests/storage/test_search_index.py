"""The search index: what is found, and which files are thrown away."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyrochat import InvalidArgument, Message, SearchUnavailable
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.query import parse_query
from pyrochat.storage.log_file import log_path
from pyrochat.storage.search_index import SearchIndex, index_path
from tests.core.test_query import ANYTHING
from tests.support import chat_message, joined_message

EVERYTHING = 1 << 62


def log_of(*texts: str, sender: str = "Erick") -> MemoryLog:
    log = MemoryLog("lobby")
    log.append([chat_message(id, text, sender) for id, text in enumerate(texts, 1)])
    return log


def fill(index: SearchIndex, log: MemoryLog, up_to: int | None = None) -> None:
    """Bring *index* to the end of *log*, or to *up_to*."""
    upto = index.open(log)
    batch = log.read(upto, (log.tail if up_to is None else up_to) - upto)
    if batch:
        index.add(batch, log.digest(batch[-1].id))


def found(index: SearchIndex, words: str, before: int = EVERYTHING, limit: int = 50) -> list[int]:
    return index.find(parse_query(words), before, limit)[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lobby.search"


@pytest.fixture
def index(path: Path, request: pytest.FixtureRequest) -> Iterator[SearchIndex]:
    """An index, with the bounds that a test is parametrized with."""
    index = SearchIndex(path, **getattr(request, "param", {}))
    yield index
    index.close()


def test_an_index_is_never_in_the_place_of_a_log(tmp_path: Path) -> None:
    rooms = ["lobby", "lobby.search", "a.b", "LOBBY.SEARCH", ".search"]
    logs = {log_path(tmp_path, room) for room in rooms}
    assert not logs & {index_path(log) for log in logs}
    assert len({index_path(log) for log in logs}) == len(logs)


# -- what is found ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("coffee", [5, 3, 1]),
        ("COFFEE", [5, 3, 1]),
        ("coffee tea", [3]),
        ("tea coffee", [3]),
        ('"coffee and"', [3]),
        ('"and coffee"', []),
        ("cof*", [5, 3, 2, 1]),
        ('"coffee an"*', [3]),
        ("ola", [4]),
        ("Olá", [4]),
        ("ola\u0301", [4]),
        ("don't", [5]),
        ("c++", [4]),
        ("日本*", [4]),
        ("coffee OR tea", []),
        ("zero", []),
        ("nul", [6]),
        ("after", [6]),
        ("from:Erick coffee", [5, 3, 1]),
        ("from:erick coffee tea", [3]),
        ("from:Igor coffee", []),
        ("Erick", []),
    ],
)
def test_what_words_find(index: SearchIndex, words: str, ids: list[int]) -> None:
    fill(
        index,
        log_of("Coffee!", "coffin", "tea, coffee and cake", "Olá c++ 日本語", "I don't like coffee", "nul\0after"),
    )
    assert found(index, words) == ids


def test_senders_are_told_apart_by_each_accent_and_by_nothing_in_texts(index: SearchIndex) -> None:
    log = MemoryLog("lobby")
    names = ["Zoe", "Zoë", "ZOË", "Ana-Lia", "Ana", "Lia"]
    log.append([chat_message(id, "hi from Zoe", name) for id, name in enumerate(names, 1)])
    fill(index, log)
    assert found(index, "from:zoe") == [1]
    assert found(index, "from:zoë hi") == [3, 2]
    assert found(index, "from:ana-lia") == [4]
    assert found(index, "from:Ana") == [5]
    assert found(index, "from:ana from:lia") == [6, 5]
    assert found(index, "zoe") == [6, 5, 4, 3, 2, 1]


def test_joins_and_leaves_are_not_found(index: SearchIndex) -> None:
    log = MemoryLog("lobby")
    log.append([joined_message(1, "Ana"), chat_message(2, "Ana joined us"), joined_message(3, "Igor")])
    fill(index, log)
    assert found(index, "joined") == [2]
    assert index.find(parse_query("joined"), EVERYTHING, 50)[1] == 3, "but they count as indexed"


@pytest.mark.parametrize("index", [{"table_messages": 10}], indirect=True)
def test_the_newest_come_first_and_one_can_go_on_from_there(index: SearchIndex) -> None:
    """Over several tables, one of which has nothing."""
    log = MemoryLog("lobby")
    log.append([joined_message(i, f"n{i}") if 10 <= i < 20 else chat_message(i, "tick") for i in range(1, 46)])
    fill(index, log, 17)
    fill(index, log)
    everything = [i for i in range(45, 0, -1) if not 10 <= i < 20]
    assert found(index, "tick") == everything
    for limit in (1, 7, 20, 35, 36, 50):
        assert found(index, "tick", limit=limit) == everything[:limit]
    for before in (1, 2, 9, 10, 15, 20, 21, 30, 45, 46, 47):
        assert found(index, "tick", before, limit=12) == [i for i in everything if i < before][:12]


@pytest.mark.parametrize("index", [{"most_seconds": -1.0}], indirect=True)
def test_a_search_that_takes_too_long_is_given_up(index: SearchIndex) -> None:
    fill(index, log_of("hello"))
    with pytest.raises(SearchUnavailable, match="longer or rarer words"):
        found(index, "hello")


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=300)
@given(words=ANYTHING)
def test_no_input_is_an_error_of_the_index(tmp_path_factory: pytest.TempPathFactory, words: str) -> None:
    index = SearchIndex(tmp_path_factory.getbasetemp() / "any.search")
    fill(index, LOG_OF_ANYTHING)
    try:
        found(index, words)
    except InvalidArgument:
        pass
    finally:
        index.close()


LOG_OF_ANYTHING = log_of("a b c", "from everywhere", "é 👍")


@settings(max_examples=50)
@given(texts=st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_every_text_can_be_indexed(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("index") / "texts.search"
    index = SearchIndex(path)
    log = log_of(*[f"{text} needle" for text in texts])
    fill(index, log)
    assert found(index, "needle") == list(range(len(texts), 0, -1))
    index.close()


# -- which files are thrown away ---------------------------------------------------------------------------------


def reopened(path: Path, log: MemoryLog) -> int:
    """Up to where another process finds the index filled."""
    index = SearchIndex(path)
    try:
        return index.open(log)
    finally:
        index.close()


def test_an_index_goes_on_where_it_ended(index: SearchIndex, path: Path) -> None:
    log = log_of("one", "two", "three")
    fill(index, log, 2)
    index.close()
    assert reopened(path, log) == 2
    fill(index, log)
    assert found(index, "t*") == [3, 2]


def test_an_index_of_another_log_is_made_anew(index: SearchIndex, path: Path) -> None:
    fill(index, log_of("one", "two"))
    index.close()
    assert reopened(path, log_of("one", "two")) == 0


def test_an_index_of_the_log_under_an_older_identity_is_made_anew(index: SearchIndex, path: Path) -> None:
    log = log_of("one", "two")
    fill(index, log)
    index.close()
    log.identity = "as after an accepted loss"
    assert reopened(path, log) == 0


def test_an_index_that_is_ahead_of_its_log_is_made_anew(index: SearchIndex, path: Path) -> None:
    log = MemoryLog("lobby", "an-identity")
    log.append([chat_message(1, "one"), chat_message(2, "two")])
    fill(index, log)
    index.close()
    shorter = MemoryLog("lobby", "an-identity")
    shorter.append([chat_message(1, "one")])
    assert reopened(path, shorter) == 0


def test_an_index_of_messages_that_were_replaced_is_made_anew(index: SearchIndex, path: Path) -> None:
    """Given a log that lost its end and grew again under the same identity, its digests tell."""
    log = MemoryLog("lobby", "an-identity")
    log.append([chat_message(1, "one"), chat_message(2, "two")])
    fill(index, log)
    index.close()
    other = MemoryLog("lobby", "an-identity")
    other.append([chat_message(1, "one"), chat_message(2, "another"), chat_message(3, "three")])
    assert reopened(path, other) == 0
    fill(index, other)
    assert found(index, "two") == []


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA user_version = 99",
        "PRAGMA application_id = 1",
        "DROP TABLE about",
        "DELETE FROM about",
        "UPDATE about SET upto = 'x'",
        "UPDATE about SET upto = -1",
    ],
)
def test_a_file_that_makes_no_sense_is_made_anew(index: SearchIndex, path: Path, statement: str) -> None:
    log = log_of("one", "two")
    fill(index, log)
    index.close()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(statement)
    db.close()
    assert reopened(path, log) == 0


@pytest.mark.parametrize("content", [b"", b"no database at all\n" * 500, b"SQLite format 3\0" + b"\xff" * 9000])
def test_a_file_that_is_no_database_is_made_anew(index: SearchIndex, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    fill(index, log_of("one"))
    assert found(index, "one") == [1]


def test_an_index_that_is_not_open_says_so(index: SearchIndex, path: Path) -> None:
    with pytest.raises(SearchUnavailable):
        found(index, "hello")
    assert not path.exists()


def test_a_batch_that_fails_is_not_there(index: SearchIndex, path: Path) -> None:
    log = log_of("one", "two")
    index.open(log)
    broken = [*log.read(0, 2), Message(3, "lobby", "Erick", "\ud800", 0)]
    with pytest.raises(UnicodeEncodeError):
        index.add(broken, b"")
    assert found(index, "one") == []
    index.add(log.read(0, 2), log.digest(2))
    assert found(index, "one") == [1]
